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
#include <algorithm>
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

// A number that is too large stays at the largest there is.
class handler_count
{
public:
  void add_one() { value_ += value_ != (std::numeric_limits<std::size_t>::max)(); }
  std::size_t value() const { return value_; }

private:
  std::size_t value_ = 0;
};

inline std::size_t run_loop::do_many(std::int64_t limit_ns)
{
  if (nothing_is_left())
  {
    stop();
    return 0;
  }
  runner r(*this, true);
  guard held(mutex_);
  handler_count n;
  for (;;)
  {
    while (run_alone(held, r.info()))
      n.add_one();
    if (do_one(held, r.info(), limit_ns) == 0)
      return n.value();
    n.add_one();
    while (run_own(r.info()))
      n.add_one();
    held.lock();
  }
}

inline std::size_t run_loop::do_single(std::int64_t limit_ns)
{
  if (nothing_is_left())
  {
    stop();
    return 0;
  }
  runner r(*this, false);
  guard held(mutex_);
  return do_one(held, r.info(), limit_ns);
}

inline std::size_t run_loop::do_one(guard& held, thread_info& info, std::int64_t limit_ns)
{
  report_ends(held, info);
  if (several_run_.load(std::memory_order_relaxed))
    info.handlers.end(core::cheap_ticks());
  bool has_waited = false;
  bool has_led = false;
  operation* finished_here = nullptr;
  while (!stopped_.load(std::memory_order_relaxed))
  {
    const bool several = several_run_.load(std::memory_order_relaxed) || !info.own.empty();
    if (several)
      take_from_the_stuck(info);
    take_inbox();
    operation* op = ready_.front();
    operation* handler = finished_here;
    bool turn_is_next = false;
    if (!handler && op && op != &marker_ && !turn_is_overdue())
    {
      ready_.pop();
      handler = op;
    }
    else if (!handler)
    {
      turn_is_next = op && !leader_is_there_;
      if (several && (has_led || !turn_is_next))
        handler = take_from_own_queues(info);
    }
    if (handler)
    {
      run_operation(held, info, handler);
      return 1;
    }
    if (turn_is_next)
    {
      const bool is_last = op == &marker_;
      if (is_last)
        ready_.pop();
      if (ready_.empty())
        ready_estimate_.store(0, std::memory_order_relaxed);
      if (is_last && !ready_.empty() && mutex_.bias_is_undisputed() && !turn_has_a_purpose(false))
      {
        ready_.push(&marker_);
        continue;
      }
      const bool may_wait = is_last && ready_.empty() && !(several && handlers_are_in_own_queues());
      if (may_wait && has_waited && limit_ns != core::wait_limit::forever)
      {
        ready_.push(&marker_);
        return 0;
      }
      {
        leadership leads(*this, held, info, is_last);
        take_turn(held, info, may_wait ? limit_ns : core::wait_limit::no_wait);
      }
      has_waited = has_waited || may_wait;
      has_led = true;
      if (info.calls.count != 0)
        finished_here = make_due_calls(held, info);
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

// The next handler of a thread that is alone, where there is nothing to be decided but that a turn would find nothing to do.
inline run_loop::operation* run_loop::next_alone(thread_info& info)
{
  if (!mutex_.bias_is_undisputed() || !info.own.empty() || stopped_.load(std::memory_order_relaxed))
    return nullptr;
  take_inbox();
  operation* op = ready_.front();
  if (turn_is_overdue())
    return nullptr;
  if (op == &marker_)
  {
    if (turn_has_a_purpose(false))
      return nullptr;
    ready_.pop();
    op = ready_.front();
    ready_.push(&marker_);
  }
  if (!op || op == &marker_)
    return nullptr;
  ready_.pop();
  return op;
}

// Runs a handler and comes back with the lock held, or does nothing and returns false.
inline bool run_loop::run_alone(guard& held, thread_info& info)
{
  operation* op = next_alone(info);
  if (!op)
    return false;
  held.unlock();
  call(info, op);
  held.lock();
  return true;
}

inline void run_loop::run_operation(guard& held, thread_info& info, operation* op)
{
  if (!mutex_.bias_is_undisputed())
  {
    take_share(info);
    // Another thread may take the next handler, or the next turn.
    if (!ready_.empty() || !info.own.empty())
      wake_one_if_worth_it(held, info);
  }
  held.unlock();
  call(info, op);
}

inline void run_loop::call(thread_info& info, operation* op)
{
  work_cleanup on_exit{*this, info};
  op->complete(owner_, error_code(), 0);
  info.rethrow_pending_exception();
}

// --- Queues of the threads -------------------------------------------------------------------------------------------

inline bool run_loop::streak_is_over(thread_info& info)
{
  constexpr unsigned longest_streak = 32;
  const std::uint64_t now = core::cheap_ticks();
  info.handlers.end(now);
  info.handlers.begin(now);
  return ++info.streak > longest_streak || now - info.streak_began > core::ticks_in_1_ms;
}

inline bool run_loop::run_own(thread_info& info)
{
  if (info.own.empty() || stopped_.load(std::memory_order_relaxed) || streak_is_over(info))
    return false;
  operation* op = info.own.pop();
  if (!op)
    return false;
  if (!info.own.empty())
    wake_one_if_worth_it(info);
  call(info, op);
  return true;
}

inline void run_loop::take_share(thread_info& info)
{
  if (!several_run_.load(std::memory_order_relaxed))
    return;
  const std::uint64_t now = core::cheap_ticks();
  info.handlers.begin(now);
  if (!info.is_to_share)
    return;
  info.streak = 0;
  info.streak_began = now;
  if (!info.own.empty())
    return;
  // Few enough for the others to find some, and enough to come here seldom.
  constexpr std::size_t share = 8;
  queue taken;
  std::size_t count = 0;
  for (; count != share && !ready_.empty() && ready_.front() != &marker_; ++count)
  {
    operation* op = ready_.front();
    ready_.pop();
    taken.push(op);
  }
  if (count == 0)
    return;
  info.own.push(taken, count);
  const unsigned estimate = ready_estimate_.load(std::memory_order_relaxed);
  ready_estimate_.store(estimate - (std::min)(estimate, static_cast<unsigned>(count)), std::memory_order_relaxed);
}

// A thread that is never without work would leave them where they are.
inline void run_loop::take_from_the_stuck(thread_info& info)
{
  for (thread_info* other = inside_; other; other = other->next)
  {
    if (other != &info && !other->own.empty() && other->handlers.began_long_ago(core::cheap_ticks()))
      take_back(*other);
  }
}

inline run_loop::operation* run_loop::take_from_own_queues(thread_info& info)
{
  if (operation* op = info.own.pop())
    return op;
  for (thread_info* other = inside_; other; other = other->next)
    if (other != &info && !other->own.empty())
      if (operation* op = other->own.give_half_to(info.own))
        return op;
  return nullptr;
}

inline void run_loop::take_back(thread_info& info)
{
  if (info.own.empty())
    return;
  // They were taken from the front.
  queue all;
  info.own.give_all_to(all);
  all.push(ready_);
  ready_.push(all);
}

inline bool run_loop::handlers_are_in_own_queues()
{
  for (thread_info* each = inside_; each; each = each->next)
    if (!each->own.is_empty_for_certain())
      return true;
  return false;
}

// --- Turns -----------------------------------------------------------------------------------------------------------

// The inlining is forced where g++ changes its mind about it with every change nearby: 1 to 4 % of the instructions of a message.

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

BOOST_FORCEINLINE void run_loop::take_turn(guard& held, thread_info& info, std::int64_t limit_ns)
{
  adapt_driver(held);
  if (!turn_has_a_purpose(limit_ns != core::wait_limit::no_wait))
    return;
  unsent_is_timed_ = false;
  lingering_.begin_turn();
  if (proactor())
    wait_in_kernel(held, info, shorten_wait(limit_ns));
  else if (limit_ns != core::wait_limit::no_wait)
    wait_in_parking_spot(held, shorten_wait(limit_ns));
  lingering_.end_turn(core::cheap_ticks());
  gather_completions();
  timers_.get_ready_timers(ready_);
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

BOOST_FORCEINLINE bool run_loop::announce_sleep()
{
  leader_sleeps_.store(true, std::memory_order_seq_cst);
  // The lock may have been free since the decision to wait, while what was in flight moved to another driver.
  if (!ready_.empty())
    return false;
  return !several_run_.load(std::memory_order_relaxed) || !handlers_are_in_own_queues();
}

BOOST_FORCEINLINE bool run_loop::may_sleep_after_announcement()
{
  return inbox_.empty_after_announcement() && !stopped_.load(std::memory_order_seq_cst) &&
         !(counts_locally() && nothing_is_left());
}

BOOST_FORCEINLINE void run_loop::wait_in_kernel(guard& held, thread_info& info, core::wait_limit limit)
{
  const core::proactor::turn turn = proactor()->prepare_turn(limit);
  if (turn.enters)
  {
    const bool sleeps = limit.nanoseconds != core::wait_limit::no_wait;
    const bool may_sleep = sleeps && announce_sleep();
    held.unlock();
    if (!may_sleep || !may_sleep_after_announcement())
      limit.nanoseconds = core::wait_limit::no_wait;
    turn.of.enter(limit);
    if (sleeps)
      leader_sleeps_.store(false, std::memory_order_relaxed);
    held.lock();
  }
  if (several_run())
    return collect_as_one_of_several(held, info, turn.of);
  proactor()->collect(turn.of);
  fire_watches(held);
}

BOOST_NOINLINE inline void run_loop::collect_as_one_of_several(guard& held, thread_info& info, core::driver& d)
{
  proactor()->collect(d, info.calls);
  keep_completions(info);
  // Calls come first: a function that throws would leave them undone.
  if (info.calls.count == 0)
    fire_watches(held);
}

inline void run_loop::fire_watches(guard& held)
{
  while (core::watch* watch = proactor()->take_fired_watch())
  {
    held.unlock();
    watch->fired_(*watch);
    held.lock();
  }
}

BOOST_NOINLINE inline run_loop::operation* run_loop::make_due_calls(guard& held, thread_info& info)
{
  // Another thread may take the next turn meanwhile.
  wake_one(held);
  proactor()->make_calls(held, info.calls);
  fire_watches(held);
  if (proactor()->has_unsent())
    watch_was_started(held, core::direction::read);
  operation* first = nullptr;
  if (info.is_to_share && info.own.empty() && !stopped_.load(std::memory_order_relaxed))
    if (core::operation* op = proactor()->take_finished())
      first = &to_be_run(*op);
  keep_completions(info);
  return first;
}

inline void run_loop::wait_in_parking_spot(guard& held, core::wait_limit limit)
{
  const bool may_sleep = announce_sleep();
  held.unlock();
  if (may_sleep && may_sleep_after_announcement())
    parking_spot_.wait(limit.nanoseconds);
  leader_sleeps_.store(false, std::memory_order_relaxed);
  held.lock();
}

inline void run_loop::gather_completions()
{
  if (!proactor())
    return;
  unsigned count = 0;
  for (; core::operation* op = proactor()->take_finished(); ++count)
    ready_.push(&to_be_run(*op));
  raise_ready_estimate(count);
}

// Whoever has made the calls best runs their handlers, too: what they look at is in its cache.
inline void run_loop::keep_completions(thread_info& info)
{
  if (!info.is_to_share || !proactor()->makes_calls())
    return gather_completions();
  queue taken;
  std::size_t count = 0;
  for (; core::operation* op = proactor()->take_finished(); ++count)
    taken.push(&to_be_run(*op));
  if (count != 0)
    info.own.push(taken, count);
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
