// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// io_context: every way to run it, to stop it and to leave it, with and without work outstanding.

#define BOOST_TEST_MODULE context
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace test_support;

BOOST_AUTO_TEST_SUITE(running)

BOOST_AUTO_TEST_CASE(run_without_work_returns_and_stops)
{
  asio::io_context ctx;
  BOOST_TEST(!ctx.stopped());
  BOOST_TEST(ctx.run() == 0u);
  BOOST_TEST(ctx.stopped());
  asio::post(ctx, [] {});
  BOOST_TEST(ctx.run() == 0u); // A stopped context runs nothing until restart().
  ctx.restart();
  BOOST_TEST(!ctx.stopped());
  BOOST_TEST(ctx.run() == 1u);
}

BOOST_AUTO_TEST_CASE(every_run_function_counts_handlers)
{
  asio::io_context ctx;
  int calls = 0;
  auto post = [&](int n) {
    for (int i = 0; i < n; ++i)
      asio::post(ctx, [&] { ++calls; });
  };
  post(5);
  BOOST_TEST(ctx.run() == 5u);
  ctx.restart();
  post(5);
  BOOST_TEST(ctx.poll() == 5u);
  ctx.restart();
  post(2);
  BOOST_TEST(ctx.run_one() == 1u);
  BOOST_TEST(ctx.poll_one() == 1u);
  BOOST_TEST(ctx.poll_one() == 0u);
  BOOST_TEST(ctx.run_one() == 0u);
  ctx.restart();
  post(3);
  BOOST_TEST(ctx.run_for(1s) == 3u);
  ctx.restart();
  post(3);
  BOOST_TEST(ctx.run_until(steady::now() + 1s) == 3u);
  ctx.restart();
  post(2);
  BOOST_TEST(ctx.run_one_for(1s) == 1u);
  BOOST_TEST(ctx.run_one_until(steady::now() + 1s) == 1u);
  BOOST_TEST(calls == 20);
}

BOOST_AUTO_TEST_CASE(run_counts_io_and_timer_handlers)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  asio::steady_timer timer(ctx, 1ms);
  char in[8];
  outcome read, wait, write;
  a.async_read_some(asio::buffer(in), read.handler());
  b.async_write_some(asio::buffer("hello", 5), write.handler());
  timer.async_wait(wait.plain());
  BOOST_TEST(ctx.run() == 3u);
  BOOST_TEST(read.calls == 1);
  BOOST_TEST(write.calls == 1);
  BOOST_TEST(wait.calls == 1);
  BOOST_TEST(read.bytes == 5u);
  BOOST_TEST(ctx.stopped());
}

BOOST_AUTO_TEST_CASE(run_for_returns_when_time_is_up)
{
  asio::io_context ctx;
  work_guard work(ctx.get_executor());
  auto start = steady::now();
  BOOST_TEST(ctx.run_for(30ms) == 0u);
  BOOST_TEST((steady::now() - start >= 30ms));
  BOOST_TEST(!ctx.stopped());
  start = steady::now();
  BOOST_TEST(ctx.run_one_for(20ms) == 0u);
  BOOST_TEST((steady::now() - start >= 20ms));
  BOOST_TEST((steady::now() - start < 2s));
  BOOST_TEST(ctx.run_for(0ms) == 0u);
  BOOST_TEST(ctx.run_until(steady::now() - 1s) == 0u);
  work.reset();
  BOOST_TEST(ctx.run() == 0u);
  BOOST_TEST(ctx.stopped());
}

BOOST_AUTO_TEST_CASE(run_one_for_wakes_for_io)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[8];
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  BOOST_TEST(ctx.run_one_for(5ms) == 0u);
  b.send(asio::buffer("x", 1));
  const auto start = steady::now();
  BOOST_TEST(ctx.run_one_for(5s) == 1u);
  BOOST_TEST((steady::now() - start < 4s));
  BOOST_TEST(read.bytes == 1u);
}

BOOST_AUTO_TEST_CASE(poll_never_waits_but_sees_what_is_ready)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[8];
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  const auto start = steady::now();
  BOOST_TEST(ctx.poll() == 0u);
  BOOST_TEST(ctx.poll_one() == 0u);
  BOOST_TEST((steady::now() - start < 1s));
  b.send(asio::buffer("x", 1));
  std::size_t handled = 0;
  while (handled == 0 && steady::now() - start < 5s)
    handled = ctx.poll();
  BOOST_TEST(handled == 1u);
  BOOST_TEST(read.calls == 1);
  BOOST_TEST(ctx.stopped());
}

BOOST_AUTO_TEST_CASE(poll_runs_timers_that_are_due)
{
  asio::io_context ctx;
  asio::steady_timer timer(ctx, 100ms); // Not due before the first poll, however slow the machine.
  outcome wait;
  timer.async_wait(wait.plain());
  BOOST_TEST(ctx.poll() == 0u);
  std::this_thread::sleep_until(timer.expiry() + 1ms);
  BOOST_TEST(ctx.poll() == 1u);
  BOOST_TEST(wait.calls == 1);
}

BOOST_AUTO_TEST_CASE(posted_handlers_run_in_order)
{
  asio::io_context ctx;
  std::vector<int> seen;
  for (int i = 0; i < 100; ++i)
    asio::post(ctx, [&, i] {
      seen.push_back(i);
      asio::post(ctx, [&, i] { seen.push_back(100 + i); });
    });
  ctx.run();
  BOOST_TEST(seen.size() == 200u);
  BOOST_TEST(std::is_sorted(seen.begin(), seen.end()));
}

BOOST_AUTO_TEST_CASE(a_chain_of_posts_does_not_starve_io)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[8];
  outcome read;
  bool timer_fired = false;
  a.async_read_some(asio::buffer(in), read.handler());
  b.send(asio::buffer("x", 1));
  asio::steady_timer timer(ctx, 1ms);
  timer.async_wait([&](error_code) { timer_fired = true; });
  const auto limit = steady::now() + 5s;
  std::function<void()> again = [&] {
    if ((read.calls == 0 || !timer_fired) && steady::now() < limit)
      asio::post(ctx, again);
  };
  asio::post(ctx, again);
  ctx.run();
  BOOST_TEST(read.calls == 1);
  BOOST_TEST(timer_fired);
  BOOST_TEST((steady::now() < limit));
}

BOOST_AUTO_TEST_CASE(nested_calls_from_a_handler)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[8];
  outcome read;
  int inner = 0;
  std::size_t polled = 0, ran_one = 0, ran_for = 0;
  asio::post(ctx, [&, a = &a, b = &b] {
    asio::post(ctx, [&] { ++inner; });
    asio::post(ctx, [&] { ++inner; });
    polled = ctx.poll();
    a->async_read_some(asio::buffer(in), read.handler());
    b->send(asio::buffer("x", 1));
    ran_one = ctx.run_one();
    asio::post(ctx, [&] { ++inner; });
    ran_for = ctx.run_one_for(1s);
  });
  BOOST_TEST(ctx.run() == 1u);
  BOOST_TEST(polled == 2u);
  BOOST_TEST(ran_one == 1u);
  BOOST_TEST(ran_for == 1u);
  BOOST_TEST(inner == 3);
  BOOST_TEST(read.calls == 1);
}

BOOST_AUTO_TEST_CASE(nested_run_inside_io_and_timer_handlers)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char one[1], two[1];
  outcome second;
  bool first = false;
  asio::steady_timer timer(ctx);
  a.async_read_some(asio::buffer(one), [&, a = &a, b = &b](error_code, std::size_t) {
    first = true;
    a->async_read_some(asio::buffer(two), second.handler());
    timer.expires_after(2ms);
    timer.async_wait([&, b](error_code) { b->send(asio::buffer("2", 1)); });
    BOOST_CHECK(run_until(ctx, [&] { return second.calls == 1; }));
  });
  b.send(asio::buffer("1", 1));
  ctx.run();
  BOOST_TEST(first);
  BOOST_TEST(second.calls == 1);
  BOOST_TEST(two[0] == '2');
}

BOOST_AUTO_TEST_CASE(two_contexts_one_inside_the_other)
{
  asio::io_context outer, inner;
  int calls = 0;
  asio::post(outer, [&] {
    asio::post(inner, [&] {
      ++calls;
      BOOST_TEST(inner.get_executor().running_in_this_thread());
      BOOST_TEST(outer.get_executor().running_in_this_thread());
      asio::post(outer, [&] { ++calls; });
    });
    inner.run();
    BOOST_TEST(!inner.get_executor().running_in_this_thread());
  });
  outer.run();
  BOOST_TEST(calls == 2);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stopping)

BOOST_AUTO_TEST_CASE(stop_leaves_the_rest_for_later)
{
  asio::io_context ctx;
  int calls = 0;
  for (int i = 0; i < 4; ++i)
    asio::post(ctx, [&] {
      if (++calls == 2)
        ctx.stop();
    });
  BOOST_TEST(ctx.run() == 2u);
  BOOST_TEST(ctx.stopped());
  BOOST_TEST(ctx.run() == 0u);
  BOOST_TEST(ctx.poll() == 0u);
  BOOST_TEST(ctx.run_for(1s) == 0u);
  ctx.restart();
  BOOST_TEST(ctx.run() == 2u);
  BOOST_TEST(calls == 4);
}

BOOST_AUTO_TEST_CASE(operations_survive_stop_and_restart)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[8];
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  asio::post(ctx, [&] { ctx.stop(); });
  ctx.run();
  BOOST_TEST(read.calls == 0);
  b.send(asio::buffer("abc", 3));
  ctx.restart();
  BOOST_TEST(ctx.run() == 1u);
  BOOST_TEST(read.bytes == 3u);
  BOOST_TEST(!read.ec);
}

BOOST_AUTO_TEST_CASE(stop_from_another_thread_wakes_run)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[8];
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  std::thread stopper([&] {
    std::this_thread::sleep_for(10ms);
    ctx.stop();
  });
  BOOST_TEST(ctx.run() == 0u);
  stopper.join();
  BOOST_TEST(ctx.stopped());
  BOOST_TEST(read.calls == 0);
}

BOOST_AUTO_TEST_CASE(exceptions_pass_through_and_running_goes_on)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[8];
  int after = 0;
  asio::steady_timer timer(ctx, 1ms);
  asio::post(ctx, [] { throw std::runtime_error("post"); });
  asio::post(ctx, [&] { ++after; });
  a.async_read_some(asio::buffer(in), [](error_code, std::size_t) { throw std::runtime_error("read"); });
  timer.async_wait([](error_code) { throw 42; });
  b.send(asio::buffer("x", 1));
  int caught = 0;
  for (;;)
  {
    try
    {
      ctx.run();
      break;
    }
    catch (const std::runtime_error&)
    {
      ++caught;
    }
    catch (int)
    {
      ++caught;
    }
    BOOST_TEST(!ctx.get_executor().running_in_this_thread());
    BOOST_REQUIRE(caught < 10);
  }
  BOOST_TEST(caught == 3);
  BOOST_TEST(after == 1);
  BOOST_TEST(ctx.stopped());
}

BOOST_AUTO_TEST_CASE(exceptions_out_of_poll_and_run_for)
{
  asio::io_context ctx;
  int after = 0;
  for (int i = 0; i < 3; ++i)
  {
    asio::post(ctx, [] { throw std::runtime_error("x"); });
    asio::post(ctx, [&] { ++after; });
  }
  BOOST_CHECK_THROW(ctx.poll(), std::runtime_error);
  BOOST_CHECK_THROW(ctx.run_for(1s), std::runtime_error);
  BOOST_TEST(ctx.poll_one() == 1u);
  BOOST_CHECK_THROW(ctx.run_one(), std::runtime_error);
  ctx.run();
  BOOST_TEST(after == 3);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(work_counting)

BOOST_AUTO_TEST_CASE(work_guard_keeps_run_going)
{
  asio::io_context ctx;
  auto work = std::make_unique<work_guard>(ctx.get_executor());
  int calls = 0;
  std::thread other([&] {
    std::this_thread::sleep_for(10ms);
    asio::post(ctx, [&] {
      ++calls;
      work.reset();
    });
  });
  BOOST_TEST(ctx.run() == 1u);
  other.join();
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(guard_released_by_another_thread_ends_run)
{
  asio::io_context ctx;
  work_guard work(ctx.get_executor());
  std::thread other([&] {
    std::this_thread::sleep_for(10ms);
    work.reset();
  });
  BOOST_TEST(ctx.run() == 0u);
  other.join();
  BOOST_TEST(ctx.stopped());
}

BOOST_AUTO_TEST_CASE(tracked_executor_counts_as_work)
{
  asio::io_context ctx;
  asio::any_io_executor tracked = asio::prefer(ctx.get_executor(), asio::execution::outstanding_work.tracked);
  BOOST_TEST(ctx.run_for(5ms) == 0u);
  BOOST_TEST(!ctx.stopped());
  asio::any_io_executor copy = tracked;
  tracked = asio::any_io_executor();
  BOOST_TEST(ctx.run_for(5ms) == 0u);
  BOOST_TEST(!ctx.stopped());
  copy = asio::any_io_executor();
  BOOST_TEST(ctx.run() == 0u);
  BOOST_TEST(ctx.stopped());
}

BOOST_AUTO_TEST_CASE(pending_operations_are_work)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  outcome accept;
  acceptor.async_accept([&](error_code ec, tcp::socket) { ++accept.calls, accept.ec = ec; });
  BOOST_TEST(ctx.run_for(5ms) == 0u);
  BOOST_TEST(!ctx.stopped());
  acceptor.close();
  BOOST_TEST(ctx.run() == 1u);
  BOOST_TEST(accept.ec == asio::error::operation_aborted);
  BOOST_TEST(ctx.stopped());
}

BOOST_AUTO_TEST_SUITE_END()
