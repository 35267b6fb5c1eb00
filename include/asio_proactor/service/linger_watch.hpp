//
// asio_proactor/service/linger_watch.hpp: whether handlers go on for long after they have begun to write.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_LINGER_WATCH_HPP
#define ASIO_PROACTOR_SERVICE_LINGER_WATCH_HPP

#include <asio_proactor/core/cheap_clock.hpp>
#include <algorithm>
#include <atomic>
#include <cstdint>

namespace asio_proactor::service {

/// Decides whether what a handler writes waits for the next turn of the loop, with other requests, or is handed over at once.
/**
 * To wait saves a system call for each where there are many. Whoever writes something and then goes on for long, or even waits for its
 * effect, had better not wait for the end of the handler. So a write is handed over at once
 *
 * - while the loop is new, and for a few writes after it had nothing to do for a while: there is nothing to be saved;
 * - while handlers prove to go on for long after they have begun to write. Now and then a write is timed until its handler ends, or another thread
 *   takes a turn. If that was long, so many are handed over at once that it costs a fraction of the time that the handler took anyway, and timed. Each that was
 *   not long after all halves the number.
 *
 * A thread is told from others by any address of its own. Times are those of core::cheap_ticks().
 */
class linger_watch
{
public:
  // --- With the lock of the loop held ---------------------------------------------------------------------------

  /// A turn of the loop begins, and hands over what there is. Another thread's write does not wait for the end of its handler then.
  void begin_turn()
  {
    if (thread_.load(std::memory_order_relaxed))
      end_timing(core::cheap_ticks());
  }

  /// A turn is over, handlers come next.
  void end_turn(std::uint64_t now)
  {
    if (now - last_turn_ > long_idle)
      hand_over_next(after_idleness);
    else if (const std::uint32_t turns = turns_to_wait_.load(std::memory_order_relaxed))
      turns_to_wait_.store(turns - 1, std::memory_order_relaxed);
    last_turn_ = now;
  }

  /// Whether the start of a write is to be reported by note_start().
  bool is_to_be_told() const { return turns_to_wait_.load(std::memory_order_relaxed) == 0; }

  /// A handler that runs in this thread has begun to write. Returns whether it is to be handed over at once.
  bool note_start(const void* thread, std::uint64_t now)
  {
    // Another thread's may still be timed.
    if (!thread_.load(std::memory_order_relaxed))
    {
      began_.store(now, std::memory_order_relaxed);
      thread_.store(thread, std::memory_order_relaxed);
    }
    if (first_starts_ != 0)
    {
      --first_starts_;
      return true;
    }
    const std::uint32_t left = at_once_.load(std::memory_order_relaxed);
    if (left != 0)
      at_once_.store(left - 1, std::memory_order_relaxed);
    else
      turns_to_wait_.store(shortest_interval + static_cast<std::uint32_t>(now / 64) % interval_varies_by,
                           std::memory_order_relaxed);
    return left != 0;
  }

  /// A thread goes away.
  void forget(const void* thread)
  {
    if (times(thread))
      thread_.store(nullptr, std::memory_order_relaxed);
  }

  // --- Without the lock -----------------------------------------------------------------------------------------

  /// Whether the write that is timed is one of this thread's.
  bool times(const void* thread) const { return thread_.load(std::memory_order_relaxed) == thread; }

  /// The handler that this thread has run is over; only if times() says so. Returns whether it went on for long.
  bool handler_is_over() { return end_timing(core::cheap_ticks()); }

private:
  static constexpr std::uint64_t long_enough = core::ticks_in_1_ms / 10;
  static constexpr std::uint64_t long_idle = core::ticks_in_1_ms;
  static constexpr std::uint32_t after_idleness = 8;
  // A system call takes a few microseconds at most.
  static constexpr std::uint64_t long_for_one = core::ticks_in_1_ms / 64;
  static constexpr std::uint64_t most_at_once = 4096;
  // Of turns. No certain number, as a program may do the same things in turn.
  static constexpr std::uint32_t shortest_interval = 4;
  static constexpr std::uint32_t interval_varies_by = 8;

  // Two threads may come here at once, and judge the same write twice.
  bool end_timing(std::uint64_t now)
  {
    const std::uint64_t lingered = now - began_.load(std::memory_order_relaxed);
    thread_.store(nullptr, std::memory_order_relaxed);
    if (lingered >= long_enough)
      hand_over_next(static_cast<std::uint32_t>((std::min)(lingered / long_for_one, most_at_once)));
    else // Perhaps the machine did something else when one seemed to take long.
      at_once_.store(at_once_.load(std::memory_order_relaxed) / 2, std::memory_order_relaxed);
    return lingered >= long_enough;
  }

  void hand_over_next(std::uint32_t count)
  {
    at_once_.store((std::max)(at_once_.load(std::memory_order_relaxed), count), std::memory_order_relaxed);
    turns_to_wait_.store(0, std::memory_order_relaxed);
  }

  std::uint32_t first_starts_ = 32;
  std::uint64_t last_turn_ = 0;
  std::atomic<std::uint32_t> turns_to_wait_{0};
  std::atomic<std::uint32_t> at_once_{0};
  std::atomic<const void*> thread_{nullptr}; // Whose write is timed.
  std::atomic<std::uint64_t> began_{0};
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_LINGER_WATCH_HPP
