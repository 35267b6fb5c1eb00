//
// asio_proactor/service/impl/run_loop_turns.hpp: running handlers and taking turns.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_TURNS_HPP
#define ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_TURNS_HPP

#include <asio_proactor/core/cheap_clock.hpp>
#include <asio_proactor/service/impl/run_loop_threads.hpp>
#include <asio_proactor/service/io_operation.hpp>
#include <limits>

namespace asio_proactor::service {

// --- Running ---------------------------------------------------------------------------------------------------------

inline std::size_t run_loop::run()
{
  return do_many(core::wait_limit::forever);
}

inline std::size_t run_loop::poll()
{
  return do_many(core::wait_limit::no_wait);
}

inline std::size_t run_loop::run_one()
{
  return do_single(core::wait_limit::forever);
}

inline std::size_t run_loop::poll_one()
{
  return do_single(core::wait_limit::no_wait);
}

inline std::size_t run_loop::wait_one(long limit_us)
{
  constexpr std::int64_t ns_per_us = 1000;
  return do_single(limit_us < 0 ? core::wait_limit::forever : limit_us * ns_per_us);
}

inline std::size_t run_loop::do_many(std::int64_t limit_ns)
{
  if (nothing_is_left())
  {
    stop();
    return 0;
  }
  runner r(*this);
  guard held(mutex_);
  std::size_t n = 0;
  for (; do_one(held, r.info(), limit_ns) != 0; held.lock())
    if (n != (std::numeric_limits<std::size_t>::max)())
      ++n;
  return n;
}

inline std::size_t run_loop::do_single(std::int64_t limit_ns)
{
  if (nothing_is_left())
  {
    stop();
    return 0;
  }
  runner r(*this);
  guard held(mutex_);
  return do_one(held, r.info(), limit_ns);
}

inline std::size_t run_loop::do_one(guard& held, thread_info& info, std::int64_t limit_ns)
{
  bool has_waited = false;
  while (!stopped_.load(std::memory_order_relaxed))
  {
    take_inbox();
    operation* op = ready_.front();
    if (op && op != &marker_ && !turn_is_overdue())
    {
      ready_.pop();
      run_operation(held, info, op);
      return 1;
    }
    if (op && !leader_is_there_)
    {
      const bool is_last = op == &marker_;
      if (is_last)
        ready_.pop();
      const bool may_wait = is_last && ready_.empty();
      if (may_wait && has_waited && limit_ns != core::wait_limit::forever)
      {
        ready_.push(&marker_);
        return 0;
      }
      leadership leads(*this, held, is_last);
      take_turn(held, may_wait ? limit_ns : core::wait_limit::no_wait);
      has_waited = has_waited || may_wait;
    }
    else
    {
      // The marker is with the leader, and whatever else there was has been taken.
      if (limit_ns == core::wait_limit::no_wait || (has_waited && limit_ns != core::wait_limit::forever))
        return 0;
      // Whoever idles must not be the only one who can reap a driver, or find out that all work is done.
      if (is_to_give_up_being_alone())
      {
        adapt_driver(held);
        continue;
      }
      idle(held, limit_ns);
      has_waited = true;
    }
  }
  return 0;
}

inline void run_loop::run_operation(guard& held, thread_info& info, operation* op)
{
  // Another thread may take the next handler, or the next turn.
  if (!mutex_.bias_is_undisputed() && !ready_.empty())
    wake_one(held);
  held.unlock();
  work_cleanup on_exit{*this};
  op->complete(owner_, error_code(), 0);
  info.rethrow_pending_exception();
}

// --- Turns -----------------------------------------------------------------------------------------------------------

inline bool run_loop::turn_is_overdue()
{
  core::proactor* p = proactor();
  if (!p || !p->has_unsent() || leader_is_there_)
    return false;
  if (!unsent_is_timed_)
  {
    unsent_is_timed_ = true;
    unsent_since_ = core::cheap_ticks();
    return false;
  }
  return core::cheap_ticks() - unsent_since_ > core::ticks_in_1_ms;
}

inline bool run_loop::turn_has_a_purpose(bool would_wait)
{
  return would_wait || !timers_.all_empty() || (proactor() && proactor()->has_news());
}

inline void run_loop::take_turn(guard& held, std::int64_t limit_ns)
{
  adapt_driver(held);
  if (!turn_has_a_purpose(limit_ns != core::wait_limit::no_wait))
    return;
  unsent_is_timed_ = false;
  if (proactor())
    wait_in_kernel(held, shorten_wait(limit_ns));
  else if (limit_ns != core::wait_limit::no_wait)
    wait_in_parking_spot(held, shorten_wait(limit_ns));
  gather_completions();
  timers_.get_ready_timers(ready_);
}

// Limits are nanoseconds, and negative where there is none.
inline std::int64_t shorter_wait(std::int64_t a, std::int64_t b)
{
  return a < 0 || (b >= 0 && b < a) ? b : a;
}

inline core::wait_limit run_loop::shorten_wait(std::int64_t limit_ns)
{
  constexpr std::int64_t ns_per_us = 1000;
  // A bound that lets a jump of the system clock be noticed, and that cannot overflow any conversion.
  constexpr long longest_wait_us = 5 * 60 * 1000 * 1000L;
  limit_ns = shorter_wait(limit_ns, waits_.leader_ns);
  if (limit_ns == core::wait_limit::no_wait || timers_.all_empty())
    return {limit_ns};
  return {shorter_wait(limit_ns, timers_.wait_duration_usec(longest_wait_us) * ns_per_us)};
}

inline bool run_loop::may_sleep_after_announcement()
{
  return inbox_.empty_after_announcement() && !stopped_.load(std::memory_order_seq_cst) &&
         !(counts_locally() && nothing_is_left());
}

inline void run_loop::wait_in_kernel(guard& held, core::wait_limit limit)
{
  core::driver& d = proactor()->prepare_turn(limit);
  const bool sleeps = limit.nanoseconds != core::wait_limit::no_wait;
  if (sleeps)
    leader_sleeps_.store(true, std::memory_order_seq_cst);
  held.unlock();
  if (sleeps && !may_sleep_after_announcement())
    limit.nanoseconds = core::wait_limit::no_wait;
  d.enter(limit);
  if (sleeps)
    leader_sleeps_.store(false, std::memory_order_relaxed);
  held.lock();
  proactor()->collect(d);
  while (core::operation* watch = proactor()->take_fired_watch())
  {
    held.unlock();
    watch->watch_(*watch);
    held.lock();
  }
}

inline void run_loop::wait_in_parking_spot(guard& held, core::wait_limit limit)
{
  leader_sleeps_.store(true, std::memory_order_seq_cst);
  held.unlock();
  if (may_sleep_after_announcement())
    parking_spot_.wait(limit.nanoseconds);
  leader_sleeps_.store(false, std::memory_order_relaxed);
  held.lock();
}

inline void run_loop::gather_completions()
{
  if (proactor())
    while (core::operation* op = proactor()->take_finished())
      ready_.push(static_cast<io_operation*>(op));
}

inline void run_loop::idle(guard& held, std::int64_t limit_ns)
{
  limit_ns = shorter_wait(limit_ns, waits_.idle_ns);
  // More than one thread runs, so the bias is gone and the guard holds the mutex itself.
  ++idle_threads_;
  std::unique_lock<std::mutex> lock(held.native(), std::adopt_lock);
  if (limit_ns < 0)
    idle_condition_.wait(lock);
  else
    idle_condition_.wait_for(lock, std::chrono::nanoseconds(limit_ns));
  lock.release();
  --idle_threads_;
}

inline bool run_loop::is_to_give_up_being_alone() const
{
  return mutex_.biased_to_this_thread() && !mutex_.bias_is_undisputed() &&
         (work_is_local_ || (proactor() && proactor()->fast_driver_in_use()));
}

inline void run_loop::adapt_driver(guard& held)
{
  if (!mutex_.biased_to_this_thread())
    return;
  if (mutex_.bias_is_undisputed())
  {
    // All work done by other threads' calls to work_finished() shows only here.
    if (counts_locally() && nothing_is_left())
      stop_all(held);
    else if (proactor())
      proactor()->consider_fast_driver(held, ++turns_);
    return;
  }
  give_up_fast_driver(held);
  if (work_is_local_)
    stop_counting_locally(held);
}

inline void run_loop::give_up_fast_driver(guard& held)
{
  if (!proactor() || !proactor()->fast_driver_in_use())
    return;
  proactor()->hand_over(held);
  // What was in flight is to be submitted again, and another thread may sleep in the home driver already.
  wake_leader();
}

inline void run_loop::stop_counting_locally(guard& held)
{
  work_is_local_ = false;
  if (work_.stop_being_local())
    stop_all(held);
}

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_TURNS_HPP
