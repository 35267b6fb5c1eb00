//
// asio_proactor/service/impl/run_loop.hpp: counting work, posting, beginning and end.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_HPP
#define ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_HPP

#include <asio_proactor/service/impl/run_loop_threads.hpp>
#include <asio_proactor/service/impl/run_loop_turns.hpp>
#include <asio_proactor/service/impl/run_loop_waking.hpp>
#include <boost/asio/detail/signal_blocker.hpp>

namespace asio_proactor::service {

// --- Starting and stopping -------------------------------------------------------------------------------------------

BOOST_FORCEINLINE void run_loop::operation_was_started(guard& held, core::direction d, core::operation& op)
{
  if (runners_ == 0 || leader_sleeps_.load(std::memory_order_relaxed))
    return tell_of_start(held, d);
  if (d == core::direction::write && lingering_.is_to_be_told())
    tell_of_write(held, op);
}

inline void run_loop::watch_was_started(guard& held, core::direction d)
{
  if (runners_ == 0 || leader_sleeps_.load(std::memory_order_relaxed))
    tell_of_start(held, d);
}

BOOST_NOINLINE inline void run_loop::tell_of_start(guard& held, core::direction d)
{
  // Nobody would take a turn soon: the program prepares things before it calls run(), or runs the loop in slices.
  if (runners_ == 0)
  {
    // A wait changes nothing, so nobody can miss it until there is somebody to tell.
    if (d != core::direction::readiness)
      proactor()->submit_now(held);
    return;
  }
  if (this_thread() && !proactor()->fast_driver_in_use())
    proactor()->submit_now(held);
  else
    wake_leader();
}

BOOST_NOINLINE inline void run_loop::tell_of_write(guard& held, core::operation& op)
{
  const thread_info* info = this_thread();
  if (info && lingering_.note_start(info, core::cheap_ticks()))
    proactor()->submit_early(held, op, several_run());
}

inline void run_loop::stop()
{
  guard held(mutex_);
  stop_all(held);
}

inline void run_loop::stop_all(guard&)
{
  stopped_.store(true, std::memory_order_seq_cst);
  if (idle_threads_.load(std::memory_order_relaxed) != 0)
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
    return work_.add_local(1);
  // What has ended here and is not counted yet makes room for what begins.
  thread_info* info = several_run_.load(std::memory_order_relaxed) ? this_thread() : nullptr;
  if (info && info->unreported_ends != 0)
    --info->unreported_ends;
  else
    work_.add_shared();
}

inline void run_loop::work_finished()
{
  if (counts_locally())
  {
    if (work_.subtract_local())
      stop();
  }
  else if (work_.subtract_shared())
    stop();
  else if (work_.is_local())
    wake_leader();
}

inline void run_loop::handler_is_over(thread_info& info)
{
  if (lingering_.times(&info))
    note_end_of_handler();
  if (!counts_locally() && several_run_.load(std::memory_order_relaxed))
    ++info.unreported_ends;
  else
    work_finished();
}

BOOST_NOINLINE inline void run_loop::note_end_of_handler()
{
  if (lingering_.handler_is_over() && mutex_.biased_to_this_thread())
    proactor()->ask_for_fast_driver();
}

inline void run_loop::report_ends(guard& held, thread_info& info)
{
  if (info.unreported_ends == 0)
    return;
  const long ends = info.unreported_ends;
  info.unreported_ends = 0;
  if (work_.subtract_shared(ends))
    stop_all(held);
  else if (work_.is_local())
    wake_leader();
}

// --- Posting ---------------------------------------------------------------------------------------------------------

inline void run_loop::raise_ready_estimate(unsigned count)
{
  ready_estimate_.store(ready_estimate_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

inline void run_loop::take_inbox()
{
  if (!inbox_.empty())
    raise_ready_estimate(inbox_.take_all(ready_));
}

BOOST_NOINLINE inline void run_loop::push_own(operation* op, bool is_continuation)
{
  thread_info& info = *this_thread();
  info.own.push(op);
  if (!is_continuation)
    wake_one_if_worth_it(info);
}

inline void run_loop::push_from_running_thread(operation* op, bool is_continuation)
{
  if (several_run_.load(std::memory_order_relaxed))
    return push_own(op, is_continuation);
  push_ready_from_running_thread(op, is_continuation);
}

inline void run_loop::push_ready_from_running_thread(operation* op, bool is_continuation)
{
  guard held(mutex_);
  take_inbox(); // It was handed in before.
  ready_.push(op);
  if (!is_continuation && !mutex_.bias_is_undisputed())
    wake_one(held);
}

inline void run_loop::push_ready(guard& held, queue& ops)
{
  if (ops.empty())
    return;
  // What was handed in before goes first, as if there were one queue.
  take_inbox();
  ready_.push(ops);
  thread_info* info = is_watched_.load(std::memory_order_relaxed) ? this_thread() : nullptr;
  if (!info || !spares_wake(*info))
    wake_one(held);
}

inline void run_loop::push_behind(operation* op)
{
  inbox_.push(op);
  wake_leader();
}

inline void run_loop::post_immediate_completion(operation* op, bool is_continuation)
{
  if (counts_locally())
  {
    work_.add_local(1);
    return push_ready_from_running_thread(op, is_continuation);
  }
  work_started();
  if (mutex_.biased_to_this_thread() || this_thread())
    push_from_running_thread(op, is_continuation);
  else
    push_behind(op);
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
    push_behind(op);
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

inline void run_loop::destroy_handlers()
{
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
}

inline void run_loop::shut_down()
{
  {
    guard held(mutex_);
    shut_down_ = true;
  }
  join_own_thread();
  destroy_handlers();
  ready_.push(&marker_);
}

inline run_loop::run_loop(void* owner, bool own_thread, wait_options waits) : owner_(owner), waits_(waits)
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
  destroy_handlers();
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

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_HPP
