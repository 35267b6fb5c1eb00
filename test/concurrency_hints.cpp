// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Every concurrency hint, and the contexts that have threads of their own.

#define BOOST_TEST_MODULE concurrency_hints
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace test_support;

// A small conversation over TCP with a timer and posts, the same for every hint.
void converse(asio::io_context& ctx)
{
  auto [a, b] = tcp_pair(ctx);
  std::string text(1000, 't'), back(1000, ' ');
  asio::steady_timer timer(ctx, 1ms);
  int steps = 0;
  asio::async_write(a, asio::buffer(text), [&](error_code ec, std::size_t n) { steps += !ec && n == 1000; });
  asio::async_read(b, asio::buffer(back), [&](error_code ec, std::size_t n) { steps += !ec && n == 1000; });
  timer.async_wait([&](error_code ec) {
    steps += !ec;
    asio::post(ctx, [&] { ++steps; });
  });
  ctx.run();
  BOOST_TEST(steps == 4);
  BOOST_TEST(back == text);
  char c;
  outcome aborted;
  a.async_read_some(asio::buffer(&c, 1), aborted.handler());
  ctx.restart();
  ctx.poll();
  a.cancel();
  ctx.restart();
  ctx.run();
  BOOST_TEST(aborted.calls == 1);
  BOOST_TEST(aborted.ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(every_hint_serves_one_thread)
{
  const int hints[] = {1,
                       2,
                       8,
                       BOOST_ASIO_CONCURRENCY_HINT_UNSAFE,
                       BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO,
                       BOOST_ASIO_CONCURRENCY_HINT_SAFE,
                       BOOST_ASIO_CONCURRENCY_HINT_DEFAULT};
  for (int hint : hints)
  {
    BOOST_TEST_CONTEXT("hint " << hint)
    {
      asio::io_context ctx(hint);
      converse(ctx);
    }
  }
}

BOOST_AUTO_TEST_CASE(hint_one_still_accepts_posts_from_other_threads)
{
  asio::io_context ctx(1);
  work_guard work(ctx.get_executor());
  int calls = 0;
  constexpr int rounds = 2000;
  std::thread poster([&] {
    for (int i = 0; i < rounds; ++i)
      asio::post(ctx, [&] {
        if (++calls == rounds)
          work.reset();
      });
  });
  ctx.run();
  poster.join();
  BOOST_TEST(calls == rounds);
}

BOOST_AUTO_TEST_CASE(hint_one_stop_from_another_thread)
{
  asio::io_context ctx(1);
  work_guard work(ctx.get_executor());
  std::thread stopper([&] {
    std::this_thread::sleep_for(5ms);
    ctx.stop();
  });
  ctx.run();
  stopper.join();
  BOOST_TEST(ctx.stopped());
}

#if BOOST_VERSION >= 108700
BOOST_AUTO_TEST_CASE(configuration_strings)
{
  for (const char* text : {"scheduler.locking=0\n", "scheduler.concurrency_hint=1\n",
                           "scheduler.concurrency_hint=2\nreactor.io_locking=1\n"})
  {
    BOOST_TEST_CONTEXT(text)
    {
      asio::io_context ctx{asio::config_from_string{text}};
      converse(ctx);
    }
  }
}
#endif
