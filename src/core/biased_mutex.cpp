//
// core/biased_mutex.cpp: the slow side of the biased mutex.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/biased_mutex.hpp>

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace asio_proactor::core {

namespace {

int membarrier(int command)
{
  return static_cast<int>(::syscall(__NR_membarrier, command, 0, 0));
}

} // namespace

bool biased_mutex::barrier_is_available()
{
#if defined(ASIO_PROACTOR_THREAD_SANITIZER)
  return false;
#else
  static const bool available = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
  return available;
#endif
}

void biased_mutex::bias_to_this_thread(guard& held)
{
  if (!barrier_is_available())
    return;
  // The mutex itself keeps the others out until this critical section ends.
  (void)held;
  disputed_.store(false, std::memory_order_relaxed);
  revoked_.store(false, std::memory_order_relaxed);
  owner_.store(&thread_marker, std::memory_order_relaxed);
}

void biased_mutex::dispute(guard& held)
{
  // The caller came in the shared way, so the owner is outside and every further attempt of it sees revoked_.
  (void)held;
  disputed_.store(true, std::memory_order_relaxed);
  if (owner_.load(std::memory_order_relaxed))
    revoked_.store(true, std::memory_order_seq_cst);
}

void biased_mutex::unbias(guard& held)
{
  if (held.state_ == guard::state::inside)
  {
    // Leaving through the mutex hands over to the next holder with the ordinary guarantees.
    held.unlock();
    held.lock_shared_way();
  }
  owner_.store(nullptr, std::memory_order_relaxed);
  disputed_.store(false, std::memory_order_relaxed);
  revoked_.store(false, std::memory_order_relaxed);
}

void biased_mutex::wait_for_owner()
{
  revoked_.store(true, std::memory_order_seq_cst);
  // A forked child may have to register again.
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0)
  {
    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  }
  while (inside_.load(std::memory_order_acquire))
    ::sched_yield();
}

void biased_mutex::guard::lock_shared_way()
{
  mutex_.mutex_.lock();
  const void* owner = mutex_.owner_.load(std::memory_order_relaxed);
  if (owner && owner != &thread_marker && !mutex_.revoked_.load(std::memory_order_relaxed))
    mutex_.wait_for_owner();
  state_ = state::locked;
}

void biased_mutex::guard::unlock_shared_way()
{
  if (!mutex_.disputed_.load(std::memory_order_relaxed))
    mutex_.revoked_.store(false, std::memory_order_release);
  state_ = state::open;
  mutex_.mutex_.unlock();
}

} // namespace asio_proactor::core
