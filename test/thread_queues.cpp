// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// What handlers post while several threads run: it reaches whoever is free, and it survives stop(), exceptions and nested runs.

#define BOOST_TEST_MODULE thread_queues
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/soon.hpp"
#include "support/watchdog.hpp"
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

// Calls run() in so many threads, again after an exception, and returns how many handlers they say to have run.
std::size_t run_in_threads(asio::io_context& ctx, int count, std::atomic<int>* exceptions = nullptr)
{
  std::atomic<std::size_t> ran{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&] {
      for (;;)
        try
        {
          ran += ctx.run();
          return;
        }
        catch (const std::runtime_error&)
        {
          ++*exceptions;
        }
    });
  for (auto& each : threads)
    each.join();
  return ran;
}

// Both threads are inside run() when it returns.
void meet(asio::io_context& ctx, std::atomic<int>& inside)
{
  for (int i = 0; i < 2; ++i)
    asio::post(ctx, [&inside] {
      ++inside;
      while (inside < 2)
        std::this_thread::yield();
    });
}

// Goes on for ever, so that the thread which runs it is never without work.
struct endless
{
  asio::io_context& ctx;
  std::atomic<bool>& is_over;

  void operator()() const
  {
    if (!is_over)
      asio::post(ctx, *this);
  }
};

// A tree of handlers: each posts so many more, down to the leaves.
struct branch
{
  asio::io_context& ctx;
  std::atomic<int>& calls;
  int depth;

  void operator()() const
  {
    ++calls;
    for (int i = 0; i < 3 && depth != 0; ++i)
      asio::post(ctx, branch{ctx, calls, depth - 1});
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_handler_may_wait_for_what_it_has_posted)
{
  asio::io_context ctx;
  std::atomic<int> inside{0};
  meet(ctx, inside);
  bool all_ran = false;
  asio::post(ctx, [&] {
    std::vector<std::promise<void>> done(10);
    for (auto& each : done)
      asio::post(ctx, [&each] { each.set_value(); });
    all_ran = true;
    for (auto& each : done)
      all_ran = all_ran && each.get_future().wait_for(5s) == std::future_status::ready;
  });
  BOOST_TEST(run_in_threads(ctx, 2) == 13u);
  BOOST_TEST(all_ran);
}

BOOST_AUTO_TEST_CASE(continuations_behind_one_that_blocks)
{
  asio::io_context ctx;
  std::atomic<int> inside{0};
  meet(ctx, inside);
  std::promise<void> second_ran;
  bool was_in_time = false;
  asio::post(ctx, [&] {
    asio::defer(ctx, [&] { was_in_time = second_ran.get_future().wait_for(5s) == std::future_status::ready; });
    asio::defer(ctx, [&] { second_ran.set_value(); });
  });
  run_in_threads(ctx, 2);
  BOOST_TEST(was_in_time);
}

BOOST_AUTO_TEST_CASE(handlers_behind_a_stuck_one_while_the_other_thread_is_busy)
{
  asio::io_context ctx;
  std::atomic<bool> is_over{false};
  std::atomic<int> inside{0}, ran{0};
  meet(ctx, inside);
  std::promise<void> all_ran;
  bool was_in_time = false;
  asio::post(ctx, endless{ctx, is_over});
  asio::post(ctx, [&] {
    for (int i = 0; i < 20; ++i)
      asio::post(ctx, [&] {
        if (++ran == 20)
          all_ran.set_value();
      });
    was_in_time = all_ran.get_future().wait_for(5s) == std::future_status::ready;
    is_over = true;
  });
  run_in_threads(ctx, 2);
  BOOST_TEST(was_in_time);
}

BOOST_AUTO_TEST_CASE(handlers_from_outside_behind_a_stuck_one)
{
  asio::io_context ctx;
  auto work = std::make_unique<work_guard>(ctx.get_executor());
  std::atomic<bool> is_over{false};
  std::atomic<int> ran{0};
  std::promise<void> may_end;
  std::thread runners([&] { run_in_threads(ctx, 2); });
  asio::post(ctx, endless{ctx, is_over});
  asio::post(ctx, [&] { may_end.get_future().wait(); });
  for (int i = 0; i < 200; ++i)
    asio::post(ctx, [&] { ++ran; });
  soon([&] { return ran == 200; });
  BOOST_TEST(ran == 200);
  may_end.set_value();
  is_over = true;
  work.reset();
  runners.join();
}

BOOST_AUTO_TEST_CASE(a_timer_fires_while_handlers_post_without_end)
{
  asio::io_context ctx;
  std::atomic<bool> is_over{false};
  for (int i = 0; i < 4; ++i)
    asio::post(ctx, endless{ctx, is_over});
  const auto begin = steady::now();
  asio::steady_timer timer(ctx, 20ms);
  steady::duration took{};
  timer.async_wait([&](error_code) {
    took = steady::now() - begin;
    is_over = true;
  });
  run_in_threads(ctx, 2);
  BOOST_TEST((took >= 20ms && took < 2s));
}

BOOST_AUTO_TEST_CASE(a_nested_poll_finds_what_its_handler_has_posted)
{
  asio::io_context ctx;
  std::atomic<int> inside{0};
  meet(ctx, inside);
  std::promise<void> may_end;
  int nested = 0;
  bool all_ran = false;
  // One thread is stuck, so the other has to do it all.
  asio::post(ctx, [&] { may_end.get_future().wait(); });
  asio::post(ctx, [&] {
    std::atomic<int> ran{0};
    for (int i = 0; i < 5; ++i)
      asio::post(ctx, [&] { ++ran; });
    const auto end = steady::now() + 5s;
    while (ran < 5 && steady::now() < end)
      nested += static_cast<int>(ctx.poll());
    all_ran = ran == 5;
    may_end.set_value();
  });
  run_in_threads(ctx, 2);
  BOOST_TEST(all_ran);
  BOOST_TEST(nested >= 5);
}

BOOST_AUTO_TEST_CASE(stop_keeps_what_is_queued)
{
  asio::io_context ctx;
  std::atomic<int> calls{0}, inside{0};
  constexpr int handlers = 1 + 3 + 9 + 27 + 81 + 243 + 729;
  meet(ctx, inside);
  asio::post(ctx, branch{ctx, calls, 6});
  asio::post(ctx, [&] { ctx.stop(); });
  std::size_t ran = run_in_threads(ctx, 2);
  for (int rounds = 0; rounds < 20 && calls < handlers; ++rounds)
  {
    ctx.restart();
    asio::post(ctx, [&, rounds] {
      if (rounds % 2 == 0)
        ctx.stop();
    });
    ran += run_in_threads(ctx, 1 + rounds % 3);
  }
  BOOST_TEST(calls == handlers);
  BOOST_TEST(ran >= static_cast<std::size_t>(handlers) + 3);
}

BOOST_AUTO_TEST_CASE(every_handler_is_counted_by_the_run_that_called_it)
{
  for (int threads : {2, 3, 8})
  {
    asio::io_context ctx;
    std::atomic<int> calls{0};
    asio::post(ctx, branch{ctx, calls, 8});
    const std::size_t ran = run_in_threads(ctx, threads);
    BOOST_TEST(calls == 9841);
    BOOST_TEST(ran == 9841u);
    BOOST_TEST(ctx.stopped());
  }
}

BOOST_AUTO_TEST_CASE(an_exception_leaves_the_rest_to_the_others)
{
  asio::io_context ctx;
  std::atomic<int> calls{0}, exceptions{0};
  asio::post(ctx, branch{ctx, calls, 6});
  for (int i = 0; i < 50; ++i)
    asio::post(ctx, [&ctx, &calls] {
      asio::post(ctx, [&calls] { ++calls; });
      throw std::runtime_error("as planned");
    });
  run_in_threads(ctx, 3, &exceptions);
  BOOST_TEST(calls == 1093 + 50);
  BOOST_TEST(exceptions == 50);
}

BOOST_AUTO_TEST_CASE(run_returns_only_when_the_last_handler_has_returned)
{
  asio::io_context ctx;
  // Work that seems to be over for a moment would let run() return before a handler that is still posting.
  for (int round = 0; round < 300; ++round)
  {
    std::atomic<int> left{40};
    std::function<void()> step = [&] {
      if (--left > 0)
      {
        asio::post(ctx, [] {});
        std::this_thread::yield();
        asio::post(ctx, step);
      }
    };
    asio::post(ctx, step);
    run_in_threads(ctx, 2);
    BOOST_TEST_REQUIRE(left == 0);
    ctx.restart();
  }
}

BOOST_AUTO_TEST_CASE(handlers_are_destroyed_with_the_context)
{
  auto token = std::make_shared<int>(0);
  {
    asio::io_context ctx;
    std::atomic<int> inside{0};
    meet(ctx, inside);
    asio::post(ctx, [&, token] {
      ctx.stop();
      for (int i = 0; i < 100; ++i)
        asio::post(ctx, [token] {});
    });
    run_in_threads(ctx, 2);
    BOOST_TEST(token.use_count() > 1);
  }
  BOOST_TEST(token.use_count() == 1);
}
