// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// The phases of the benches of timers: each timer is armed, armed again with another time, and cancelled.
#ifndef ASIO_PROACTOR_BENCH_TIMER_PHASES_HPP
#define ASIO_PROACTOR_BENCH_TIMER_PHASES_HPP

#include <chrono>
#include <cstddef>
#include <random>

#include "measure.hpp"
#include "usage_report.hpp"

namespace bench {

constexpr std::size_t timer_count = 200'000;

// How far away a timer expires: further than any benchmark lasts.
class times_away
{
public:
  std::chrono::milliseconds next() { return std::chrono::milliseconds(away_(random_)); }

private:
  // The same seed every time, so that every variant does the same work.
  std::minstd_rand random_{1};
  std::uniform_int_distribution<int> away_{600'000, 3'600'000};
};

// Timers has arm(), cancel() and expect_aborted(number of waits so far).
template <class Timers>
int run_timer_phases(int argc, char** argv)
{
  return run_main([&] {
    const std::string chosen = option(argc, argv, "phase", "arm");
    const std::uint64_t limit_ns = number_option(argc, argv, "ms", 1000) * 1'000'000;
    stopwatch arm, rearm, cancel;
    stopwatch& watch = chosen == "arm" ? arm : chosen == "rearm" ? rearm : cancel;
    while (watch.wall_ns() < limit_ns)
    {
      Timers timers;
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

} // namespace bench

#endif
