//
// asio_proactor/service/impl/run_loop.hpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_HPP
#define ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_HPP

#include <asio_proactor/core/cheap_clock.hpp>
#include <asio_proactor/service/io_operation.hpp>
#include <boost/asio/detail/signal_blocker.hpp>
#include <limits>

namespace asio_proactor::service {

/// What a thread carries while it is inside the loop: the recycled memory of its operations.
struct run_loop::thread_info : asio_detail::thread_info_base
{};

/// A thread's stay inside the loop.
class run_loop::runner
{
public:
  explicit runner(run_loop& loop) : loop_(loop), is_nested_(loop.this_thread() != nullptr), context_(&loop, info_)
  {
    if (is_nested_)
      return;
    guard held(loop.mutex_);
    if (++loop.runners_ == 1)
      begin_alone(held);
    else
      join_others(held);
  }

  runner(const runner&) = delete;
  runner& operator=(const runner&) = delete;

  ~runner()
  {
    if (is_nested_)
      return;
    guard held(loop_.mutex_);
    if (loop_.mutex_.biased_to_this_thread())
      leave_bias(held);
    --loop_.runners_;
    // Somebody has to take the turns of a leader that leaves with work undone.
    if (loop_.idle_threads_ != 0 && !loop_.leader_is_there_)
      loop_.idle_condition_.notify_one();
  }

  thread_info& info() { return info_; }

private:
  void begin_alone(guard& held)
  {
    loop_.turns_ = 0;
    loop_.mutex_.bias_to_this_thread(held);
    if (loop_.mutex_.biased_to_this_thread())
    {
      loop_.work_.become_local();
      loop_.work_is_local_ = true;
    }
  }

  void join_others(guard& held)
  {
    loop_.mutex_.dispute(held);
    // The thread that was alone may sleep in a driver that nobody else can enter.
    loop_.wake_leader();
  }

  void leave_bias(guard& held)
  {
    if (loop_.proactor() && loop_.proactor()->fast_driver_in_use())
      loop_.proactor()->hand_over(held);
    if (loop_.work_is_local_)
      loop_.stop_counting_locally(held);
    loop_.mutex_.unbias(held);
  }

  run_loop& loop_;
  thread_info info_;
  const bool is_nested_;
  thread_call_stack::context context_;
};

/// Gives back a handler's unit of work, also when the handler throws.
struct run_loop::work_cleanup
{
  run_loop& loop_;

  ~work_cleanup() { loop_.work_finished(); }
};

/// Taking a turn, also one that ends with an exception: there is always a next one.
class run_loop::leadership
{
public:
  leadership(run_loop& loop, guard& held, bool has_marker) : loop_(loop), held_(held), has_marker_(has_marker)
  {
    loop_.leader_is_there_ = true;
  }

  leadership(const leadership&) = delete;
  leadership& operator=(const leadership&) = delete;

  ~leadership()
  {
    if (!held_.owns_lock())
      held_.lock();
    loop_.leader_is_there_ = false;
    if (loop_.idle_threads_ != 0 && !loop_.ready_.empty())
      loop_.idle_condition_.notify_one();
    if (has_marker_)
      loop_.ready_.push(&loop_.marker_);
  }

private:
  run_loop& loop_;
  guard& held_;
  const bool has_marker_;
};

inline run_loop::run_loop(void* owner, bool own_thread) : owner_(owner)
{
  ready_.push(&marker_);
  if (own_thread)
  {
    work_.add_shared();
    asio_detail::signal_blocker blocker;
    own_thread_ = std::thread([this] { run(); });
  }
}

inline run_loop::~run_loop()
{
  join_own_thread();
  // The queue destroys what it holds, and the marker is not a handler.
  queue rest;
  while (operation* op = ready_.front())
  {
    ready_.pop();
    if (op != &marker_)
      rest.push(op);
  }
}

inline run_loop::thread_info* run_loop::this_thread()
{
  return static_cast<thread_info*>(thread_call_stack::contains(this));
}

inline void run_loop::capture_current_exception()
{
  if (thread_info* info = this_thread())
    info->capture_current_exception();
}

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
    wait_in_kernel(held, shorten_for_timers(limit_ns));
  else if (limit_ns != core::wait_limit::no_wait)
    wait_in_parking_spot(held, shorten_for_timers(limit_ns));
  gather_completions();
  timers_.get_ready_timers(ready_);
}

inline core::wait_limit run_loop::shorten_for_timers(std::int64_t limit_ns)
{
  constexpr std::int64_t ns_per_us = 1000;
  // A bound that lets a jump of the system clock be noticed, and that cannot overflow any conversion.
  constexpr long longest_wait_us = 5 * 60 * 1000 * 1000L;
  if (limit_ns == core::wait_limit::no_wait || timers_.all_empty())
    return {limit_ns};
  const std::int64_t until_timer = timers_.wait_duration_usec(longest_wait_us) * ns_per_us;
  return {limit_ns < 0 || until_timer < limit_ns ? until_timer : limit_ns};
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
  if (proactor() && proactor()->fast_driver_in_use())
    proactor()->hand_over(held);
  if (work_is_local_)
    stop_counting_locally(held);
}

inline void run_loop::stop_counting_locally(guard& held)
{
  work_is_local_ = false;
  if (work_.stop_being_local())
    stop_all(held);
}

// --- Waking and stopping ---------------------------------------------------------------------------------------------

inline void run_loop::wake_leader()
{
  if (!leader_sleeps_.load(std::memory_order_seq_cst) || !leader_sleeps_.exchange(false, std::memory_order_seq_cst))
    return;
  if (core::proactor* p = proactor())
    p->wake();
  parking_spot_.signal();
}

inline void run_loop::operation_was_started(guard& held, core::direction d)
{
  // Nobody would take a turn soon: the program prepares things before it calls run(), or runs the loop in slices.
  if (runners_ == 0)
  {
    // A wait changes nothing, so nobody can miss it until there is somebody to tell.
    if (d != core::direction::readiness)
      proactor()->submit_now(held);
    return;
  }
  if (!leader_sleeps_.load(std::memory_order_relaxed))
    return;
  if (this_thread() && !proactor()->fast_driver_in_use())
    proactor()->submit_now(held);
  else
    wake_leader();
}

inline void run_loop::wake_one(guard&)
{
  if (idle_threads_ != 0)
    idle_condition_.notify_one();
  else
    wake_leader();
}

inline void run_loop::stop()
{
  guard held(mutex_);
  stop_all(held);
}

inline void run_loop::stop_all(guard&)
{
  stopped_.store(true, std::memory_order_seq_cst);
  if (idle_threads_ != 0)
    idle_condition_.notify_all();
  wake_leader();
}

// --- Work ------------------------------------------------------------------------------------------------------------

inline bool run_loop::nothing_is_left() const
{
  // The sum of two parts that change meanwhile proves nothing, so it is left to the thread that owns one of them.
  return work_.total() == 0 && (counts_locally() || !work_.is_local());
}

inline void run_loop::work_started()
{
  if (counts_locally())
    work_.add_local(1);
  else
    work_.add_shared();
}

inline void run_loop::work_finished()
{
  if (counts_locally())
  {
    work_.add_local(-1);
    if (nothing_is_left())
      stop();
  }
  else if (work_.subtract_shared())
    stop();
  else if (work_.is_local())
    wake_leader();
}

// --- Posting ---------------------------------------------------------------------------------------------------------

inline void run_loop::take_inbox()
{
  if (!inbox_.empty())
    inbox_.take_all(ready_);
}

inline void run_loop::push_from_running_thread(operation* op, bool is_continuation)
{
  guard held(mutex_);
  // What was handed in before goes first, as if there were one queue.
  take_inbox();
  ready_.push(op);
  if (!is_continuation && !mutex_.bias_is_undisputed())
    wake_one(held);
}

inline void run_loop::push_from_elsewhere(operation* op)
{
  inbox_.push(op);
  wake_leader();
}

inline void run_loop::post_immediate_completion(operation* op, bool is_continuation)
{
  work_started();
  if (mutex_.biased_to_this_thread() || this_thread())
    push_from_running_thread(op, is_continuation);
  else
    push_from_elsewhere(op);
}

inline void run_loop::post_immediate_completions(std::size_t n, queue& ops, bool is_continuation)
{
  for (; n != 0; --n)
  {
    operation* op = ops.front();
    ops.pop();
    post_immediate_completion(op, is_continuation);
  }
}

inline void run_loop::post_deferred_completion(operation* op)
{
  if (mutex_.biased_to_this_thread() || this_thread())
    push_from_running_thread(op, false);
  else
    push_from_elsewhere(op);
}

inline void run_loop::post_deferred_completions(queue& ops)
{
  while (operation* op = ops.front())
  {
    ops.pop();
    post_deferred_completion(op);
  }
}

inline void run_loop::abandon_operations(queue& ops)
{
  queue abandoned;
  abandoned.push(ops);
}

// --- Beginning and end -----------------------------------------------------------------------------------------------

inline void run_loop::attach(core::proactor& p)
{
  guard held(mutex_);
  if (shut_down_ || proactor())
    return;
  proactor_.store(&p, std::memory_order_release);
  // A leader that sleeps in the parking spot has to change its place.
  if (leader_sleeps_.exchange(false, std::memory_order_seq_cst))
    parking_spot_.signal();
}

inline void run_loop::detach()
{
  guard held(mutex_);
  proactor_.store(nullptr, std::memory_order_release);
}

inline void run_loop::join_own_thread()
{
  if (!own_thread_.joinable())
    return;
  stop();
  own_thread_.join();
}

inline void run_loop::shut_down()
{
  {
    guard held(mutex_);
    shut_down_ = true;
  }
  join_own_thread();
  // Handlers may own objects whose destructors post, or start and cancel, so the queues can fill up again.
  for (;;)
  {
    queue rest;
    inbox_.take_all(ready_);
    while (operation* op = ready_.front())
    {
      ready_.pop();
      if (op != &marker_)
        rest.push(op);
    }
    if (rest.empty())
      break;
  }
  ready_.push(&marker_);
}

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_HPP
