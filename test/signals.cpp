// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// signal_set: waiting, cancelling, several sets and contexts.

#define BOOST_TEST_MODULE signals
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <csignal>
#include <thread>
#include <unistd.h>

using namespace test_support;

BOOST_AUTO_TEST_CASE(raise_wait_cancel)
{
  asio::io_context ctx;
  asio::signal_set set(ctx, SIGUSR1, SIGUSR2);
  int got = 0;
  error_code ended;
  set.async_wait([&](error_code ec, int number) { ended = ec, got = number; });
  ctx.run_for(1ms);
  std::raise(SIGUSR2);
  ctx.run();
  BOOST_TEST((got == SIGUSR2 && !ended));
  // A signal that comes while nobody waits is kept.
  std::raise(SIGUSR1);
  ctx.restart();
  ctx.run_for(2ms);
  set.async_wait([&](error_code ec, int number) { ended = ec, got = number; });
  ctx.restart();
  ctx.run();
  BOOST_TEST((got == SIGUSR1 && !ended));
  set.async_wait([&](error_code ec, int number) { ended = ec, got = number; });
  set.cancel();
  ctx.restart();
  ctx.run();
  BOOST_TEST(ended == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(several_sets_in_several_contexts)
{
  asio::io_context one, two;
  asio::signal_set a(one, SIGUSR1), b(two, SIGUSR1), c(two, SIGUSR2);
  int first = 0, second = 0, other = 0;
  a.async_wait([&](error_code ec, int) { first += !ec; });
  b.async_wait([&](error_code ec, int) { second += !ec; });
  c.async_wait([&](error_code ec, int) { other += !ec; });
  std::thread runner([&] { two.run(); });
  ::kill(::getpid(), SIGUSR1);
  one.run();
  BOOST_TEST(first == 1);
  ::kill(::getpid(), SIGUSR2);
  runner.join();
  BOOST_TEST(second == 1);
  BOOST_TEST(other == 1);
  a.remove(SIGUSR1);
  a.add(SIGUSR1);
  a.clear();
}
