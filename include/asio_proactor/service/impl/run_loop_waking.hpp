//
// asio_proactor/service/impl/run_loop_waking.hpp: who sleeps, and who wakes whom.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_WAKING_HPP
#define ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_WAKING_HPP

#include <asio_proactor/core/cheap_clock.hpp>
#include <asio_proactor/service/impl/run_loop_threads.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace asio_proactor::service {

// --- Waking ----------------------------------------------------------------------------------------------------------

inline void run_loop::wake_leader()
{
  if (!leader_sleeps_.load(std::memory_order_seq_cst) || !leader_sleeps_.exchange(false, std::memory_order_seq_cst))
    return;
  if (core::proactor* p = proactor())
    p->wake();
  parking_spot_.signal();
}

inline void run_loop::wake_one(guard&)
{
  if (idle_threads_.load(std::memory_order_relaxed) == 0)
    wake_leader();
  else if (!somebody_wakes_up_.exchange(true, std::memory_order_relaxed))
  {
    idle_condition_.notify_one();
    if (core::proactor* p = proactor(); p && !p->makes_calls() && waits_.waking == core::waking::thrifty)
      waking_.note_wake(core::cheap_ticks());
  }
}

inline void run_loop::wake_one_if_worth_it(guard& held, thread_info& info)
{
  if (!spares_wake(info))
    wake_one(held);
}

inline void run_loop::wake_one_if_worth_it(thread_info& info)
{
  if (!is_to_wake_somebody() || spares_wake(info))
    return;
  guard held(mutex_);
  wake_one(held);
}

inline bool run_loop::spares_wake(thread_info& info)
{
  // One that runs a single handler and goes away leaves the rest to the others.
  if (!info.is_to_share || !is_watched_.load(std::memory_order_relaxed))
    return false;
  const std::size_t waiting = info.own.size() + ready_estimate_.load(std::memory_order_relaxed);
  if (info.handlers.mean() * (1 + waiting) > waking_policy::worth_waking_for)
    return false;
  info.spared_wakes.store(info.spared_wakes.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return true;
}

inline bool run_loop::is_to_wake_somebody() const
{
  if (idle_threads_.load(std::memory_order_relaxed) != 0)
    return !somebody_wakes_up_.load(std::memory_order_relaxed);
  return leader_sleeps_.load(std::memory_order_relaxed);
}

// --- Sleeping --------------------------------------------------------------------------------------------------------

inline void run_loop::idle(guard& held, std::int64_t limit_ns)
{
  limit_ns = shorter_wait(limit_ns, waits_.idle_ns);
  idle_threads_.fetch_add(1, std::memory_order_relaxed);
  // More than one thread runs, so the bias is gone and the guard holds the mutex itself.
  std::unique_lock<core::light_mutex> lock(held.native(), std::adopt_lock);
  // What was pushed before the announcement is not announced to this thread.
  while (!handlers_are_in_own_queues())
  {
    if (waking_.is_thrifty() && !is_watched_.load(std::memory_order_relaxed) &&
        (limit_ns < 0 || limit_ns > watch_period_ns))
    {
      if (watch_others(lock, limit_ns) == watch_end::thrift_is_over)
        continue;
    }
    else if (limit_ns < 0)
      idle_condition_.wait(lock);
    else
      idle_condition_.wait_for(lock, std::chrono::nanoseconds(limit_ns));
    somebody_wakes_up_.store(false, std::memory_order_relaxed);
    break;
  }
  lock.release();
  idle_threads_.fetch_sub(1, std::memory_order_relaxed);
}

// --- Watching --------------------------------------------------------------------------------------------------------

inline run_loop::watch_end run_loop::watch_others(std::unique_lock<core::light_mutex>& lock, std::int64_t limit_ns)
{
  const auto began = std::chrono::steady_clock::now();
  is_watched_.store(true, std::memory_order_relaxed);
  watch_end end = watch_end::there_may_be_work;
  for (;;)
  {
    const std::uint32_t spared_before = spared_wakes();
    const std::uint32_t leaderships_before = leaderships_;
    const bool was_notified =
      idle_condition_.wait_for(lock, std::chrono::nanoseconds(watch_period_ns)) == std::cv_status::no_timeout;
    if (was_notified || somebody_wakes_up_.load(std::memory_order_relaxed) || stopped_.load(std::memory_order_relaxed))
      break;
    if (limit_ns >= 0 && std::chrono::steady_clock::now() - began >= std::chrono::nanoseconds(limit_ns))
      break;
    const bool something_waits = anything_waits();
    if (spared_wakes() == spared_before)
    {
      // No handler has begun for a while. What waits, waits behind one that blocks.
      if (something_waits)
        waking_.note_harm(core::cheap_ticks());
      else
      {
        waking_.end_thrift();
        end = watch_end::thrift_is_over;
      }
      break;
    }
    // The others have so much to do that nobody has looked at I/O.
    if (something_waits && !leader_is_there_ && leaderships_ == leaderships_before)
      break;
  }
  // Before the queues are looked at once more: what is pushed from now on is announced.
  is_watched_.store(false, std::memory_order_relaxed);
  return end;
}

inline bool run_loop::anything_waits()
{
  return !ready_.empty() || !inbox_.empty() || handlers_are_in_own_queues();
}

inline std::uint32_t run_loop::spared_wakes() const
{
  std::uint32_t sum = 0;
  for (const thread_info* each = inside_; each; each = each->next)
    sum += each->spared_wakes.load(std::memory_order_relaxed);
  return sum;
}

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_WAKING_HPP
