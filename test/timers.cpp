// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Timers of every clock: order, accuracy, re-arming, cancelling, and far ends of the time line.

#define BOOST_TEST_MODULE timers
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/high_resolution_timer.hpp>
#include <boost/asio/system_timer.hpp>
#if __has_include(<boost/asio/deadline_timer.hpp>)
# include <boost/asio/deadline_timer.hpp>
#endif
#include <functional>
#include <future>
#include <memory>
#include <random>
#include <thread>
#include <vector>

using namespace test_support;

BOOST_AUTO_TEST_SUITE(firing)

template <typename Timer>
void never_early(asio::io_context& ctx)
{
  using clock = typename Timer::clock_type;
  for (auto wait : {0us, 300us, 1000us, 5500us})
  {
    Timer timer(ctx);
    const auto start = clock::now();
    timer.expires_after(wait);
    typename clock::time_point fired;
    timer.async_wait([&](error_code ec) {
      BOOST_TEST(!ec);
      fired = clock::now();
    });
    ctx.restart();
    BOOST_TEST(ctx.run() == 1u);
    BOOST_TEST((fired - start >= wait));
    BOOST_TEST((fired - start < wait + 1s));
  }
}

BOOST_AUTO_TEST_CASE(every_clock_is_not_early)
{
  asio::io_context ctx;
  never_early<asio::steady_timer>(ctx);
  never_early<asio::system_timer>(ctx);
  never_early<asio::high_resolution_timer>(ctx);
}

#if defined(BOOST_ASIO_HAS_BOOST_DATE_TIME) && BOOST_VERSION < 109000
BOOST_AUTO_TEST_CASE(deadline_timer_of_date_time)
{
  asio::io_context ctx;
  const auto start = steady::now();
  asio::deadline_timer timer(ctx, boost::posix_time::milliseconds(5));
  outcome wait, aborted;
  timer.async_wait(wait.plain());
  ctx.run();
  BOOST_TEST(wait.calls == 1);
  BOOST_TEST(!wait.ec);
  BOOST_TEST((steady::now() - start >= 4ms)); // Wall clock against steady clock: not exact.
  timer.expires_at(boost::posix_time::pos_infin);
  timer.async_wait(aborted.plain());
  ctx.restart();
  ctx.poll();
  BOOST_TEST(timer.cancel() == 1u);
  ctx.restart();
  ctx.run();
  BOOST_TEST(aborted.ec == asio::error::operation_aborted);
}
#endif

BOOST_AUTO_TEST_CASE(synchronous_waits)
{
  asio::io_context ctx;
  asio::steady_timer timer(ctx, 5ms);
  const auto start = steady::now();
  timer.wait();
  BOOST_TEST((steady::now() - start >= 4ms));
  BOOST_TEST((timer.expiry() <= steady::now()));
  timer.wait(); // Already expired.
}

BOOST_AUTO_TEST_CASE(many_timers_fire_in_order)
{
  asio::io_context ctx;
  constexpr int count = 500;
  std::vector<std::unique_ptr<asio::steady_timer>> timers;
  std::vector<steady::time_point> fired;
  std::mt19937 random(3);
  const auto base = steady::now();
  for (int i = 0; i < count; ++i)
  {
    auto& timer = timers.emplace_back(std::make_unique<asio::steady_timer>(ctx));
    timer->expires_at(base + std::chrono::microseconds(random() % 30000));
    timer->async_wait([&, timer = timer.get()](error_code ec) {
      BOOST_TEST(!ec);
      BOOST_TEST((timer->expiry() <= steady::now()));
      fired.push_back(timer->expiry());
    });
  }
  BOOST_TEST(ctx.run() == static_cast<std::size_t>(count));
  BOOST_TEST(std::is_sorted(fired.begin(), fired.end()));
}

BOOST_AUTO_TEST_CASE(waits_on_one_timer_keep_their_order)
{
  asio::io_context ctx;
  asio::steady_timer timer(ctx, 2ms);
  std::vector<int> seen;
  for (int i = 0; i < 20; ++i)
    timer.async_wait([&, i](error_code) { seen.push_back(i); });
  ctx.run();
  BOOST_TEST(seen.size() == 20u);
  BOOST_TEST(std::is_sorted(seen.begin(), seen.end()));
}

// chriskohlhoff/asio #1530: a timer that is armed again by its own handler must go on firing.
BOOST_AUTO_TEST_CASE(fires_again_and_again)
{
  for (int hint : {1, 2})
  {
    asio::io_context ctx(hint);
    asio::steady_timer timer(ctx);
    int ticks = 0;
    constexpr int wanted = 200;
    std::function<void(error_code)> tick = [&](error_code ec) {
      BOOST_TEST_REQUIRE(!ec);
      if (++ticks == wanted)
        return;
      timer.expires_at(timer.expiry() + 250us);
      timer.async_wait(tick);
    };
    timer.expires_after(250us);
    timer.async_wait(tick);
    ctx.run();
    BOOST_TEST(ticks == wanted);
  }
}

BOOST_AUTO_TEST_CASE(fires_again_and_again_in_slices_and_beside_other_threads)
{
  asio::io_context ctx;
  asio::steady_timer timer(ctx);
  std::atomic<int> ticks{0};
  std::function<void(error_code)> tick = [&](error_code) {
    ++ticks;
    timer.expires_after(200us);
    timer.async_wait(tick);
  };
  tick(error_code());
  for (int slice = 0; slice < 20; ++slice)
  {
    const int before = ticks;
    ctx.run_for(3ms);
    BOOST_TEST(ticks > before);
  }
  for (int round = 0; round < 5; ++round)
  {
    const int before = ticks;
    std::thread other([&] { ctx.run_for(5ms); });
    ctx.run_for(5ms);
    other.join();
    BOOST_TEST(ticks > before);
  }
}

BOOST_AUTO_TEST_CASE(short_timer_started_while_a_long_one_is_waited_for)
{
  asio::io_context ctx;
  asio::steady_timer slow(ctx, 1h), quick(ctx);
  outcome ended, fired;
  slow.async_wait(ended.plain());
  std::thread other([&] {
    std::this_thread::sleep_for(5ms);
    quick.expires_after(1ms);
    quick.async_wait([&](error_code ec) {
      ++fired.calls;
      fired.ec = ec;
      slow.cancel();
    });
  });
  ctx.run();
  other.join();
  BOOST_TEST(fired.calls == 1);
  BOOST_TEST(ended.ec == asio::error::operation_aborted);
}

// Whoever sleeps has been told of no timer, or of one that is over.
BOOST_AUTO_TEST_CASE(started_by_another_thread_when_all_others_are_over)
{
  asio::io_context ctx;
  auto work = asio::make_work_guard(ctx);
  std::thread runner([&] { ctx.run(); });
  for (int round = 0; round < 20; ++round)
  {
    asio::steady_timer timer(ctx), other(ctx, 10ms);
    outcome ended;
    other.async_wait(ended.plain());
    if (round % 2 == 1)
      other.cancel();
    std::this_thread::sleep_for(15ms);
    std::promise<void> has_fired;
    timer.expires_after(2ms);
    timer.async_wait([&](error_code) { has_fired.set_value(); });
    BOOST_TEST_REQUIRE((has_fired.get_future().wait_for(5s) == std::future_status::ready));
    BOOST_TEST(ended.calls == 1);
  }
  work.reset();
  runner.join();
}

BOOST_AUTO_TEST_CASE(fire_on_time_while_io_is_busy)
{
  char out[64] = {}, in[64];
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  bool stop = false;
  int ticks = 0;
  std::function<void()> send = [&, b = &b] {
    b->async_write_some(asio::buffer(out), [&](error_code, std::size_t) {
      if (!stop)
        send();
    });
  };
  std::function<void()> receive = [&, a = &a] {
    a->async_read_some(asio::buffer(in), [&](error_code, std::size_t) {
      if (!stop)
        receive();
    });
  };
  asio::steady_timer timer(ctx);
  std::function<void()> tick = [&] {
    timer.expires_after(1ms);
    timer.async_wait([&](error_code) {
      if (++ticks == 20)
      {
        stop = true;
        ctx.stop();
      }
      else
        tick();
    });
  };
  send();
  receive();
  tick();
  const auto start = steady::now();
  ctx.run();
  BOOST_TEST(ticks == 20);
  BOOST_TEST((steady::now() - start < 3s));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(changing)

BOOST_AUTO_TEST_CASE(expires_after_aborts_the_waits_before_it)
{
  asio::io_context ctx;
  asio::steady_timer timer(ctx, 1h);
  outcome first, second, third;
  timer.async_wait(first.plain());
  timer.async_wait(second.plain());
  BOOST_TEST(timer.expires_after(1ms) == 2u);
  timer.async_wait(third.plain());
  BOOST_TEST(first.calls + second.calls + third.calls == 0);
  ctx.run();
  BOOST_TEST(first.ec == asio::error::operation_aborted);
  BOOST_TEST(second.ec == asio::error::operation_aborted);
  BOOST_TEST(!third.ec);
  BOOST_TEST(third.calls == 1);
  BOOST_TEST(timer.expires_after(1ms) == 0u);
}

BOOST_AUTO_TEST_CASE(cancel_one_takes_the_oldest)
{
  asio::io_context ctx;
  asio::steady_timer timer(ctx, 5ms);
  outcome first, second;
  timer.async_wait(first.plain());
  timer.async_wait(second.plain());
  BOOST_TEST(timer.cancel_one() == 1u);
  ctx.run();
  BOOST_TEST(first.ec == asio::error::operation_aborted);
  BOOST_TEST(!second.ec);
  BOOST_TEST(timer.cancel_one() == 0u);
  BOOST_TEST(timer.cancel() == 0u);
}

BOOST_AUTO_TEST_CASE(cancel_is_too_late_for_an_expired_wait)
{
  asio::io_context ctx;
  asio::steady_timer early(ctx, 1ms), late(ctx, 1ms);
  outcome second;
  std::size_t cancelled = 99;
  // Both are due when the loop looks, so that the second is queued already when the first runs.
  early.async_wait([&](error_code) { cancelled = late.cancel(); });
  late.async_wait(second.plain());
  std::this_thread::sleep_for(3ms);
  ctx.run();
  BOOST_TEST(cancelled == 0u);
  BOOST_TEST(!second.ec);
}

BOOST_AUTO_TEST_CASE(moved_and_destroyed_timers)
{
  asio::io_context ctx;
  outcome moved, assigned, destroyed;
  {
    asio::steady_timer gone(ctx, 1ms);
    gone.async_wait(destroyed.plain());
  }
  asio::steady_timer a(ctx, 1ms);
  a.async_wait(moved.plain());
  asio::steady_timer b(std::move(a));
  asio::steady_timer c(ctx, 1h);
  c.async_wait(assigned.plain());
  c = std::move(b);
  ctx.run();
  BOOST_TEST(destroyed.ec == asio::error::operation_aborted);
  BOOST_TEST(moved.calls == 1);
  BOOST_TEST(!moved.ec);
  BOOST_TEST(assigned.ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(far_past_and_far_future)
{
  asio::io_context ctx;
  asio::steady_timer past(ctx), minimum(ctx), maximum(ctx), century(ctx);
  outcome ends[4];
  past.expires_after(-1h);
  minimum.expires_at(steady::time_point::min());
  maximum.expires_at(steady::time_point::max());
  century.expires_after(std::chrono::hours(24 * 365 * 100));
  past.async_wait(ends[0].plain());
  minimum.async_wait(ends[1].plain());
  maximum.async_wait(ends[2].plain());
  century.async_wait(ends[3].plain());
  BOOST_TEST(ctx.run_for(10ms) == 2u);
  BOOST_TEST(ends[0].calls == 1);
  BOOST_TEST(ends[1].calls == 1);
  BOOST_TEST(ends[2].calls + ends[3].calls == 0);
  maximum.cancel();
  century.cancel();
  ctx.run();
  BOOST_TEST(ends[2].ec == asio::error::operation_aborted);
  BOOST_TEST(ends[3].ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(expires_after_the_longest_duration)
{
  asio::io_context ctx;
  asio::steady_timer timer(ctx);
  timer.expires_after(steady::duration::max()); // Would overflow if added to now().
  outcome wait;
  timer.async_wait(wait.plain());
  BOOST_TEST(ctx.run_for(5ms) == 0u);
  timer.cancel();
  ctx.run();
  BOOST_TEST(wait.ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(thousands_armed_rearmed_and_cancelled)
{
  asio::io_context ctx;
  constexpr std::size_t count = 5000;
  std::vector<asio::steady_timer> timers;
  std::size_t aborted = 0, expired = 0;
  auto wait = [&](asio::steady_timer& timer) { timer.async_wait([&](error_code ec) { ++(ec ? aborted : expired); }); };
  for (std::size_t i = 0; i < count; ++i)
  {
    timers.emplace_back(ctx);
    timers[i].expires_after(std::chrono::hours(1 + i % 7));
    wait(timers[i]);
  }
  for (std::size_t i = 0; i < count; i += 2)
  {
    timers[i].expires_after(std::chrono::microseconds(i % 1000));
    wait(timers[i]);
  }
  for (std::size_t i = 1; i < count; i += 2)
    timers[i].cancel();
  ctx.run();
  BOOST_TEST(aborted == count);
  BOOST_TEST(expired == count / 2);
}

// A clock of the program's own, as tests of timeouts use it: it stands still until told to move.
struct manual_clock
{
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<manual_clock>;
  static constexpr bool is_steady = true;
  static inline time_point current{};
  static time_point now() { return current; }
};

struct manual_wait_traits
{
  static manual_clock::duration to_wait_duration(const manual_clock::duration&) { return 1ms; }
  static manual_clock::duration to_wait_duration(const manual_clock::time_point&) { return 1ms; }
};

BOOST_AUTO_TEST_CASE(own_clock_and_wait_traits)
{
  asio::io_context ctx;
  asio::basic_waitable_timer<manual_clock, manual_wait_traits> timer(ctx, 100ms);
  outcome wait;
  timer.async_wait(wait.plain());
  BOOST_TEST(ctx.run_for(10ms) == 0u);
  manual_clock::current += 100ms;
  BOOST_TEST(ctx.run_one_for(2s) == 1u);
  BOOST_TEST(!wait.ec);
}

BOOST_AUTO_TEST_SUITE_END()
