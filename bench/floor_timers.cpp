// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// The least that 200 000 timers can cost whose waits are allocated one by one, as Asio's are: the phases of timers.cpp on a list without
// any order. What separates Asio from this is all that a better order could win.
#include <chrono>
#include <vector>

#include "timer_phases.hpp"

namespace {

// As large as Asio's operation for a wait whose handler holds one pointer.
struct wait
{
  wait* next;
  std::size_t* counter;
  std::byte rest[104];
};

// As large as a steady_timer.
struct timer
{
  std::chrono::steady_clock::time_point expiry;
  wait* pending = nullptr;
  std::byte rest[104];
};

class many_timers
{
public:
  many_timers() : timers_(bench::timer_count) {}

  void arm()
  {
    for (timer& each : timers_)
    {
      abort(each);
      each.expiry = std::chrono::steady_clock::now() + away_.next();
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

  void expect_aborted(std::size_t count) const
  {
    bench::require(aborted_ == count, "cancelled waits were lost or ran twice");
  }

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
  bench::times_away away_;
  wait* ready_ = nullptr;
  std::size_t aborted_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
  return bench::run_timer_phases<many_timers>(argc, argv);
}
