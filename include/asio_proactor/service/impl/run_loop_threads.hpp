//
// asio_proactor/service/impl/run_loop_threads.hpp: who is inside the loop, and who of them takes the turn.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_THREADS_HPP
#define ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_THREADS_HPP

#include <asio_proactor/service/run_loop.hpp>

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
    loop_.give_up_fast_driver(held);
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

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_THREADS_HPP
