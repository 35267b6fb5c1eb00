// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Several threads in run() while many short handlers run: they need not wake each other for them, but a handler that blocks, or takes long,
// keeps nobody waiting.

#define BOOST_TEST_MODULE waking
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/sanitizers.hpp"
#include "support/soon.hpp"
#include "support/watchdog.hpp"
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <sys/resource.h>
#include <thread>
#include <vector>
#if defined(ASIO_PROACTOR_DROP_IN)
# include <asio_proactor/driver.hpp>
# include <asio_proactor/service/waking_policy.hpp>
#endif

using namespace test_support;

namespace {

// A byte that goes back and forth between two sockets until it is told to stop.
class ball
{
public:
  explicit ball(asio::io_context& ctx) : sockets_(local_pair(ctx)) {}

  void serve() { send(sockets_.first, sockets_.second); }
  void stop() { stops_ = true; }
  std::uint64_t flights() const { return flights_; }

  // Called by one handler from now on, instead of what it does else.
  void at_next_arrival(std::function<void()> what)
  {
    what_ = std::move(what);
    has_what_ = true;
  }

private:
  using socket = asio::local::stream_protocol::socket;

  void send(socket& from, socket& to)
  {
    asio::async_write(from, asio::buffer(sent_), [](error_code, std::size_t) {});
    asio::async_read(to, asio::buffer(received_), [this, &from, &to](error_code ec, std::size_t) {
      ++flights_;
      if (has_what_.exchange(false))
        what_();
      if (!ec && !stops_)
        send(to, from);
    });
  }

  stream_pair sockets_;
  std::array<char, 1> sent_{'b'};
  std::array<char, 1> received_{};
  std::atomic<std::uint64_t> flights_{0};
  std::atomic<bool> stops_{false};
  std::atomic<bool> has_what_{false};
  std::function<void()> what_;
};

// Balls in the air, and threads that keep them there.
class game
{
public:
  game(int ball_count, int thread_count)
  {
    for (int i = 0; i < ball_count; ++i)
      balls_.push_back(std::make_unique<ball>(ctx_));
    for (auto& each : balls_)
      each->serve();
    for (int i = 0; i < thread_count; ++i)
      threads_.emplace_back([this] { run(); });
  }

  ~game() { end(); }

  void end()
  {
    for (auto& each : balls_)
      each->stop();
    for (auto& each : threads_)
      each.join();
    threads_.clear();
  }

  asio::io_context& context() { return ctx_; }
  ball& operator[](std::size_t i) { return *balls_[i]; }

  std::uint64_t flights() const
  {
    std::uint64_t sum = 0;
    for (auto& each : balls_)
      sum += each->flights();
    return sum;
  }

  // Until so many more have arrived. False if they never do.
  bool go_on_for(std::uint64_t count) const
  {
    const std::uint64_t wanted = flights() + count;
    return soon([&] { return flights() >= wanted; });
  }

private:
  void run()
  {
    for (;;)
      try
      {
        ctx_.run();
        return;
      }
      catch (const std::runtime_error&)
      {}
  }

  asio::io_context ctx_;
  std::vector<std::unique_ptr<ball>> balls_;
  std::vector<std::thread> threads_;
};

// Enough of them to get used to nobody blocking.
constexpr std::uint64_t a_while = 3000;

} // namespace

BOOST_AUTO_TEST_CASE(a_handler_waits_for_one_that_it_has_posted)
{
  game g(4, 2);
  for (int i = 0; i < 20; ++i)
  {
    BOOST_TEST_REQUIRE(g.go_on_for(a_while));
    std::promise<bool> was_in_time;
    g[0].at_next_arrival([&] {
      auto done = std::make_shared<std::promise<void>>();
      asio::post(g.context(), [done] { done->set_value(); });
      was_in_time.set_value(done->get_future().wait_for(5s) == std::future_status::ready);
    });
    BOOST_TEST_REQUIRE(was_in_time.get_future().get());
  }
}

BOOST_AUTO_TEST_CASE(a_handler_waits_for_what_others_do)
{
  game g(4, 2);
  for (int i = 0; i < 20; ++i)
  {
    BOOST_TEST_REQUIRE(g.go_on_for(a_while));
    std::promise<bool> went_on;
    g[0].at_next_arrival([&] { went_on.set_value(g.go_on_for(100)); });
    BOOST_TEST_REQUIRE(went_on.get_future().get());
  }
}

BOOST_AUTO_TEST_CASE(a_handler_waits_for_a_timer)
{
  game g(2, 2);
  asio::steady_timer timer(g.context());
  for (int i = 0; i < 10; ++i)
  {
    BOOST_TEST_REQUIRE(g.go_on_for(a_while));
    std::promise<bool> has_fired;
    g[0].at_next_arrival([&] {
      auto fired = std::make_shared<std::promise<void>>();
      timer.expires_after(1ms);
      timer.async_wait([fired](error_code) { fired->set_value(); });
      has_fired.set_value(fired->get_future().wait_for(5s) == std::future_status::ready);
    });
    BOOST_TEST_REQUIRE(has_fired.get_future().get());
  }
}

BOOST_AUTO_TEST_CASE(all_threads_but_one_are_stuck)
{
  game g(8, 4);
  for (int i = 0; i < 10; ++i)
  {
    BOOST_TEST_REQUIRE(g.go_on_for(a_while));
    std::array<std::promise<bool>, 3> went_on;
    for (std::size_t k = 0; k < went_on.size(); ++k)
      g[k].at_next_arrival([&, k] { went_on[k].set_value(g.go_on_for(100)); });
    for (auto& each : went_on)
      BOOST_TEST_REQUIRE(each.get_future().get());
  }
}

BOOST_AUTO_TEST_CASE(posted_from_outside_while_a_handler_blocks)
{
  game g(4, 2);
  for (int i = 0; i < 10; ++i)
  {
    BOOST_TEST_REQUIRE(g.go_on_for(a_while));
    std::promise<void> blocks;
    auto release = std::make_shared<std::promise<void>>();
    std::promise<bool> was_released;
    g[0].at_next_arrival([&] {
      blocks.set_value();
      was_released.set_value(release->get_future().wait_for(5s) == std::future_status::ready);
    });
    blocks.get_future().get();
    asio::post(g.context(), [release] { release->set_value(); });
    BOOST_TEST_REQUIRE(was_released.get_future().get());
  }
}

// What takes long is for all threads, also right after what did not.
BOOST_AUTO_TEST_CASE(long_handlers_run_on_all_threads)
{
  game g(4, 4);
  BOOST_TEST_REQUIRE(g.go_on_for(a_while));
  constexpr int count = 40;
  std::atomic<int> at_once{0}, most_at_once{0}, done{0};
  g[0].at_next_arrival([&] {
    for (int i = 0; i < count; ++i)
      asio::post(g.context(), [&] {
        const int now = ++at_once;
        for (int before = most_at_once; before < now && !most_at_once.compare_exchange_weak(before, now);)
          ;
        std::this_thread::sleep_for(5ms);
        --at_once;
        ++done;
      });
  });
  soon([&] { return done == count; });
  BOOST_TEST(done == count);
  BOOST_TEST(most_at_once == 4);
}

BOOST_AUTO_TEST_CASE(the_thread_that_was_awake_leaves)
{
  game g(4, 2);
  for (int i = 0; i < 20; ++i)
  {
    BOOST_TEST_REQUIRE(g.go_on_for(a_while));
    g[0].at_next_arrival([&] {
      // The ball would be lost with the exception.
      asio::post(g.context(), [] { throw std::runtime_error("leave run()"); });
    });
    BOOST_TEST_REQUIRE(g.go_on_for(a_while));
  }
}

BOOST_AUTO_TEST_CASE(stopped_and_run_again)
{
  asio::io_context ctx;
  std::vector<std::unique_ptr<ball>> balls;
  for (int i = 0; i < 4; ++i)
    balls.push_back(std::make_unique<ball>(ctx));
  for (auto& each : balls)
    each->serve();
  for (int i = 0; i < 10; ++i)
  {
    ctx.restart();
    const std::uint64_t before = balls[0]->flights();
    std::vector<std::thread> threads;
    for (int k = 0; k < 3; ++k)
      threads.emplace_back([&] { ctx.run(); });
    const bool flies = soon([&] { return balls[0]->flights() > before; });
    std::this_thread::sleep_for(5ms);
    ctx.stop();
    for (auto& each : threads)
      each.join();
    BOOST_TEST(flies);
  }
}

// A thread that runs in slices keeps its limits while it looks after the others.
BOOST_AUTO_TEST_CASE(slices_keep_their_limits)
{
  game g(4, 1);
  for (int i = 0; i < 5; ++i)
  {
    const auto began = steady::now();
    std::vector<std::thread> threads;
    for (int k = 0; k < 2; ++k)
      threads.emplace_back([&] { g.context().run_for(20ms); });
    for (auto& each : threads)
      each.join();
    const auto took = steady::now() - began;
    BOOST_TEST((took >= 20ms && took < 1s));
  }
}

#if defined(ASIO_PROACTOR_DROP_IN)

// A handler is not short under a sanitizer.
# if !defined(TEST_HAS_ADDRESS_SANITIZER) && !defined(TEST_HAS_THREAD_SANITIZER)

namespace {

long voluntary_switches()
{
  ::rusage used = {};
  ::getrusage(RUSAGE_SELF, &used);
  return used.ru_nvcsw;
}

} // namespace

// A thread that another wakes has gone to sleep before.
BOOST_AUTO_TEST_CASE(threads_seldom_sleep_while_short_handlers_run)
{
  game g(4, 2);
  if (asio_proactor::driver_of(g.context()).name != "uring")
    return;
  // What takes the processor away from a thread makes its handlers look long, so one quiet time is enough. Without thrift there is none.
  bool seldom = false;
  for (int i = 0; i < 100 && !seldom; ++i)
  {
    const long before = voluntary_switches();
    const std::uint64_t flights_before = g.flights();
    std::this_thread::sleep_for(20ms);
    const auto sleeps = static_cast<std::uint64_t>(voluntary_switches() - before);
    seldom = sleeps < (g.flights() - flights_before) / 20;
  }
  BOOST_TEST(seldom);
}

# endif

using asio_proactor::service::waking_policy;
constexpr std::uint64_t ms = asio_proactor::core::ticks_in_1_ms;

namespace {

void wake_often(waking_policy& policy, std::uint64_t now)
{
  for (int i = 0; i < 100; ++i)
    policy.note_wake(now + static_cast<std::uint64_t>(i) * ms / 100);
}

} // namespace

BOOST_AUTO_TEST_CASE(thrift_begins_with_many_wakes)
{
  waking_policy policy;
  std::uint64_t now = 5000 * ms;
  for (int i = 0; i < 1000; ++i)
    policy.note_wake(now += ms / 5);
  BOOST_TEST(!policy.is_thrifty());
  wake_often(policy, now);
  BOOST_TEST(policy.is_thrifty());
  policy.note_wake(now + 100 * ms);
  BOOST_TEST(policy.is_thrifty());
  policy.end_thrift();
  BOOST_TEST(!policy.is_thrifty());
}

BOOST_AUTO_TEST_CASE(harm_ends_thrift_for_a_time_that_grows)
{
  waking_policy policy;
  std::uint64_t now = 5000 * ms;
  const auto time_without_thrift = [&] {
    policy.note_harm(now);
    const std::uint64_t began = now;
    for (; !policy.is_thrifty(); now += 2 * ms)
      wake_often(policy, now);
    return (now - began) / ms;
  };
  std::uint64_t before = 0;
  for (int i = 0; i < 6; ++i)
  {
    const std::uint64_t time = time_without_thrift();
    BOOST_TEST(time >= 10);
    BOOST_TEST(time + 2 >= 2 * before);
    before = time;
  }
  for (int i = 0; i < 6; ++i)
    before = time_without_thrift();
  BOOST_TEST(before >= 1000);
  BOOST_TEST(before < 1100);
  now += 20'000 * ms;
  BOOST_TEST(time_without_thrift() < 50);
}

#endif
