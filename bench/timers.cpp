// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// 200 000 steady timers in plain Boost.Asio: each is armed, armed again with another time, and cancelled.
//
//   timers --phase=arm|rearm|cancel
//
// The figures are those of the chosen phase, including the handlers that it makes ready.
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <random>
#include <vector>

#include "measure.hpp"
#include "usage_report.hpp"

namespace asio = boost::asio;

namespace {

constexpr std::size_t timer_count = 200'000;
// Far enough away that no timer expires while the benchmark runs.
constexpr int soonest_ms = 600'000, latest_ms = 3'600'000;

class many_timers
{
public:
  many_timers()
  {
    timers_.reserve(timer_count);
    for (std::size_t i = 0; i < timer_count; ++i)
      timers_.emplace_back(context_);
  }

  void arm()
  {
    for (asio::steady_timer& each : timers_)
    {
      each.expires_after(std::chrono::milliseconds(away_(random_)));
      each.async_wait(
        [this](boost::system::error_code error) { ++(error == asio::error::operation_aborted ? aborted_ : fired_); });
    }
    context_.poll();
  }

  void cancel()
  {
    for (asio::steady_timer& each : timers_)
      each.cancel();
    context_.poll();
  }

  void expect_aborted(std::size_t count) const
  {
    bench::require(fired_ == 0, "a timer fired long before its time");
    bench::require(aborted_ == count, "cancelled waits were lost or ran twice");
  }

private:
  asio::io_context context_;
  std::vector<asio::steady_timer> timers_;
  // The same seed every time, so that every variant does the same work.
  std::minstd_rand random_{1};
  std::uniform_int_distribution<int> away_{soonest_ms, latest_ms};
  std::size_t aborted_ = 0, fired_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
  return bench::run_main([&] {
    const std::string chosen = bench::option(argc, argv, "phase", "arm");
    const std::uint64_t limit_ns = bench::number_option(argc, argv, "ms", 1000) * 1'000'000;
    bench::stopwatch arm, rearm, cancel;
    bench::stopwatch& watch = chosen == "arm" ? arm : chosen == "rearm" ? rearm : cancel;
    while (watch.wall_ns() < limit_ns)
    {
      many_timers timers;
      arm.start();
      timers.arm();
      arm.stop(timer_count);
      timers.expect_aborted(0);
      rearm.start();
      timers.arm();
      rearm.stop(timer_count);
      timers.expect_aborted(timer_count);
      cancel.start();
      timers.cancel();
      cancel.stop(timer_count);
      timers.expect_aborted(2 * timer_count);
    }
    watch.print();
  });
}
