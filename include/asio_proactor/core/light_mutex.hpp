//
// asio_proactor/core/light_mutex.hpp: a mutex of one word.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_LIGHT_MUTEX_HPP
#define ASIO_PROACTOR_CORE_LIGHT_MUTEX_HPP

#include <atomic>

namespace asio_proactor::core {

/// A mutual exclusion lock for short critical sections that are nearly always free. Meets the requirements of Lockable.
/**
 * A free one is taken and given back by one atomic operation each, inline; std::mutex takes some 60 instructions more for
 * what is of no use here. Who finds it taken tries for a moment, then sleeps in the kernel (futex(2)). Not recursive.
 */
class light_mutex
{
public:
  light_mutex() = default;
  light_mutex(const light_mutex&) = delete;
  light_mutex& operator=(const light_mutex&) = delete;

  void lock()
  {
    if (!try_lock())
      wait_and_lock();
  }

  bool try_lock()
  {
    int expected = free;
    return state_.compare_exchange_strong(expected, taken, std::memory_order_acquire, std::memory_order_relaxed);
  }

  void unlock()
  {
    if (state_.exchange(free, std::memory_order_release) == taken_and_waited_for)
      wake_one();
  }

private:
  static constexpr int free = 0;
  static constexpr int taken = 1;
  static constexpr int taken_and_waited_for = 2; // By at least one thread, or by none that is left.

  void wait_and_lock();
  void wake_one();

  std::atomic<int> state_{free};
};

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_LIGHT_MUTEX_HPP
