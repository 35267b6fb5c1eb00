//
// core/light_mutex.cpp: waiting for a mutex that is taken.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/light_mutex.hpp>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace asio_proactor::core {

namespace {

// Critical sections are shorter than going to sleep and being woken up.
constexpr int tries_before_sleeping = 50;

void pause_a_moment()
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb");
#endif
}

void futex(std::atomic<int>& word, int operation, int value)
{
  static_assert(sizeof word == sizeof(int));
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

} // namespace

void light_mutex::wait_and_lock()
{
  for (int i = 0; i != tries_before_sleeping; ++i)
  {
    if (state_.load(std::memory_order_relaxed) == free && try_lock())
      return;
    pause_a_moment();
  }
  // Others may wait, too, so whoever has slept has to suppose it.
  while (state_.exchange(taken_and_waited_for, std::memory_order_acquire) != free)
    futex(state_, FUTEX_WAIT_PRIVATE, taken_and_waited_for);
}

void light_mutex::wake_one()
{
  futex(state_, FUTEX_WAKE_PRIVATE, 1);
}

} // namespace asio_proactor::core
