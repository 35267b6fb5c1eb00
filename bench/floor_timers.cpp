// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// The least that 200 000 timers can cost whose waits are allocated one by one, as Asio's are: the phases of timers.cpp on a list without
// any order. What separates Asio from this is all that a better order could win.
#include <chrono>
#include <random>
#include <vector>

#include "measure.hpp"
#include "usage_report.hpp"

namespace {

constexpr std::size_t timer_count = 200'000;
constexpr int soonest_ms = 600'000, latest_ms = 3'600'000;

// As large as Asio's operation for a wait whose handler holds one pointer.
struct wait
{
  wait* next;
  std::size_t* counter;
  std::byte rest[104];
};

struct timer
{
  std::chrono::steady_clock::time_point expiry;
  wait* pending = nullptr;
};

class many_timers
{
public:
  many_timers() : timers_(timer_count) {}

  void arm()
  {
    for (timer& each : timers_)
    {
      abort(each);
      each.expiry = std::chrono::steady_clock::now() + std::chrono::milliseconds(away_(random_));
      each.pending = new wait;
      each.pending->counter = &aborted_;
    }
    run_aborted();
  }

  void cancel()
  {
    for (timer& each : timers_)
      abort(each);
    run_aborted();
  }

  std::size_t aborted() const { return aborted_; }

private:
  void abort(timer& t)
  {
    if (!t.pending)
      return;
    t.pending->next = ready_;
    ready_ = t.pending;
    t.pending = nullptr;
  }

  void run_aborted()
  {
    while (wait* w = ready_)
    {
      ready_ = w->next;
      std::size_t& counter = *w->counter;
      delete w;
      ++counter;
    }
  }

  std::vector<timer> timers_;
  std::minstd_rand random_{1};
  std::uniform_int_distribution<int> away_{soonest_ms, latest_ms};
  wait* ready_ = nullptr;
  std::size_t aborted_ = 0;
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
      rearm.start();
      timers.arm();
      rearm.stop(timer_count);
      cancel.start();
      timers.cancel();
      cancel.stop(timer_count);
      bench::require(timers.aborted() == 2 * timer_count, "cancelled waits were lost");
    }
    watch.print();
  });
}
