//
// asio_proactor/service/waking_policy.hpp: whether threads wake each other at once, or leave it to one that looks now and then.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_WAKING_POLICY_HPP
#define ASIO_PROACTOR_SERVICE_WAKING_POLICY_HPP

#include <asio_proactor/core/cheap_clock.hpp>
#include <algorithm>
#include <cstdint>

namespace asio_proactor::service {

/// Decides from what happens when a loop is to be thrifty, which means: to wake nobody for a few short handlers.
/**
 * Waking a thread costs as much as some ten handlers of a microsecond. So when threads wake each other many times in a millisecond, an idle
 * one looks for work once in a millisecond instead. If it finds that a handler blocked while others waited behind it, thrift was wrong, and
 * is given up for a time that grows while this repeats.
 *
 * Times are those of core::cheap_ticks(). With the lock of the loop held.
 */
class waking_policy
{
public:
  /// So much work is worth waking a thread for.
  static constexpr std::uint64_t worth_waking_for = core::ticks_in_1_ms / 20;

  bool is_thrifty() const { return is_thrifty_; }

  /// A running thread has woken another one.
  void note_wake(std::uint64_t now)
  {
    if (now - window_began_ > core::ticks_in_1_ms)
    {
      window_began_ = now;
      wakes_in_window_ = 0;
    }
    constexpr unsigned many = 8; // One look in the same time is by far cheaper.
    if (++wakes_in_window_ >= many && now - penalty_began_ >= penalty_)
      is_thrifty_ = true;
  }

  /// Nobody needs it any more.
  void end_thrift() { is_thrifty_ = false; }

  /// Handlers have waited behind one that blocks.
  void note_harm(std::uint64_t now)
  {
    constexpr std::uint64_t shortest = 10 * core::ticks_in_1_ms;
    constexpr std::uint64_t longest = 1000 * core::ticks_in_1_ms;
    const bool is_repeated = penalty_ != 0 && now - penalty_began_ < 8 * penalty_;
    penalty_ = is_repeated ? (std::min)(2 * penalty_, longest) : shortest;
    penalty_began_ = now;
    is_thrifty_ = false;
  }

private:
  bool is_thrifty_ = false;
  unsigned wakes_in_window_ = 0;
  std::uint64_t window_began_ = 0;
  std::uint64_t penalty_began_ = 0;
  std::uint64_t penalty_ = 0;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_WAKING_POLICY_HPP
