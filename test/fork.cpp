// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// A context on both sides of a fork.

#define BOOST_TEST_MODULE fork
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace test_support;

// Both processes go on with a timer, a signal set and a socket that were pending at the fork.
BOOST_AUTO_TEST_CASE(fork_with_operations_pending)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  asio::steady_timer timer(ctx, 20ms);
  asio::signal_set signals(ctx, SIGUSR1);
  char in = 0;
  outcome read, wait;
  int signalled = 0;
  a.async_read_some(asio::buffer(&in, 1), read.handler());
  timer.async_wait(wait.plain());
  signals.async_wait([&](error_code ec, int) { signalled += !ec; });
  ctx.run_for(1ms);

  ctx.notify_fork(asio::io_context::fork_prepare);
  const pid_t child = ::fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child == 0)
  {
    constexpr unsigned child_seconds = 10;
    ::alarm(child_seconds); // Alarms are not inherited.
    ctx.notify_fork(asio::io_context::fork_child);
    // The pair is shared with the parent, so the child talks over one of its own.
    auto own = local_pair(ctx);
    char c = 0;
    outcome own_read;
    own.first.async_read_some(asio::buffer(&c, 1), own_read.handler());
    own.second.send(asio::buffer("c", 1));
    ::kill(::getpid(), SIGUSR1);
    const bool good = run_until(ctx, [&] { return wait.calls == 1 && signalled == 1 && own_read.calls == 1; });
    ::_exit(good && !wait.ec && c == 'c' ? 0 : 1);
  }
  ctx.notify_fork(asio::io_context::fork_parent);
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  BOOST_TEST(read.calls == 0);
  b.send(asio::buffer("p", 1));
  ::kill(::getpid(), SIGUSR1);
  ctx.run();
  BOOST_TEST((read.calls == 1 && !read.ec && in == 'p'));
  BOOST_TEST((wait.calls == 1 && !wait.ec));
  BOOST_TEST(signalled == 1);
}
