//
// asio_proactor/service/handler_clock.hpp: how long the handlers of one of several running threads take.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_HANDLER_CLOCK_HPP
#define ASIO_PROACTOR_SERVICE_HANDLER_CLOCK_HPP

#include <asio_proactor/core/cheap_clock.hpp>
#include <atomic>
#include <cstdint>

namespace asio_proactor::service {

/// Its thread tells it when handlers begin and end; others may ask whether one takes long. Times are those of core::cheap_ticks().
class handler_clock
{
public:
  void begin(std::uint64_t now)
  {
    began_.store(now, std::memory_order_relaxed);
    is_running_ = true;
  }

  /// Does nothing if none has begun.
  void end(std::uint64_t now)
  {
    if (!is_running_)
      return;
    is_running_ = false;
    // The last few count, and a single long one for a while.
    constexpr std::uint64_t memory = 8;
    mean_ = mean_ - mean_ / memory + (now - began_.load(std::memory_order_relaxed)) / memory;
  }

  /// Of the last handlers of this thread. Only for itself.
  std::uint64_t mean() const { return mean_; }

  /// Whether it is so long ago that a handler began that others better take what waits behind it.
  bool began_long_ago(std::uint64_t now) const
  {
    return now - began_.load(std::memory_order_relaxed) >= core::ticks_in_1_ms;
  }

private:
  std::atomic<std::uint64_t> began_{0};
  bool is_running_ = false;
  std::uint64_t mean_ = 0;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_HANDLER_CLOCK_HPP
