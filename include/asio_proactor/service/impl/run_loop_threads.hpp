//
// asio_proactor/service/impl/run_loop_threads.hpp: who is inside the loop, and who of them takes the turn.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_THREADS_HPP
#define ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_THREADS_HPP

#include <asio_proactor/service/run_loop.hpp>

namespace asio_proactor::service {

/// What a thread carries while it is inside the loop: the recycled memory of its operations, and what it runs next.
struct run_loop::thread_info : asio_detail::thread_info_base
{
  own_queue own;
  // It may be stuck in a handler, and what is in its queue with it.
  handler_clock handlers;
  // Handlers from its own queue since it last looked at what all threads share, and when that was.
  unsigned streak = 0;
  std::uint64_t streak_began = 0;
  // Units of work that have ended and that the count does not know of yet: it may be too large, never too small.
  long unreported_ends = 0;
  // What its last turn has left it to do, where operations are system calls.
  core::due_calls calls;
  // It stays, so it may take a share of the ready handlers.
  bool is_to_share = false;
  // How often it has left somebody asleep; written by itself.
  std::atomic<std::uint32_t> spared_wakes{0};
  // In the list of all threads inside the loop.
  thread_info* next = nullptr;
};

/// A thread's stay inside the loop.
class run_loop::runner
{
public:
  /// @param stays Whether it is going to run more than one handler.
  runner(run_loop& loop, bool stays) : loop_(loop), outer_(loop.this_thread()), context_(&loop, info_)
  {
    info_.is_to_share = stays;
    guard held(loop.mutex_);
    info_.next = loop.inside_;
    loop.inside_ = &info_;
    // A handler that runs the loop expects to find there what was queued before.
    if (outer_)
      loop.take_back(*outer_);
    else if (++loop.runners_ == 1)
      begin_alone(held);
    else
      join_others(held);
  }

  runner(const runner&) = delete;
  runner& operator=(const runner&) = delete;

  ~runner()
  {
    guard held(loop_.mutex_);
    const bool leaves_handlers = !info_.own.empty();
    loop_.take_back(info_);
    loop_.report_ends(held, info_);
    loop_.lingering_.forget(&info_);
    thread_info** place = &loop_.inside_;
    while (*place != &info_)
      place = &(*place)->next;
    *place = info_.next;
    if (!outer_)
      leave(held);
    if (leaves_handlers)
      loop_.wake_one(held);
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
    loop_.several_run_.store(true, std::memory_order_relaxed);
    loop_.mutex_.dispute(held);
    // The thread that was alone may sleep in a driver that nobody else can enter.
    loop_.wake_leader();
  }

  void leave(guard& held)
  {
    if (loop_.mutex_.biased_to_this_thread())
      leave_bias(held);
    if (--loop_.runners_ == 1)
      loop_.several_run_.store(false, std::memory_order_relaxed);
    // Somebody has to take the turns of a leader that leaves with work undone.
    if (loop_.idle_threads_.load(std::memory_order_relaxed) != 0 && !loop_.leader_is_there_)
      loop_.idle_condition_.notify_one();
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
  thread_info* const outer_; // Of the handler that runs the loop once more, if one does.
  thread_call_stack::context context_;
};

/// Gives back a handler's unit of work, also when the handler throws.
struct run_loop::work_cleanup
{
  run_loop& loop_;
  thread_info& info_;

  ~work_cleanup() { loop_.handler_is_over(info_); }
};

/// Taking a turn, also one that ends with an exception: there is always a next one.
class run_loop::leadership
{
public:
  leadership(run_loop& loop, guard& held, thread_info& info, bool has_marker)
    : loop_(loop),
      held_(held),
      info_(info),
      has_marker_(has_marker)
  {
    loop_.leader_is_there_ = true;
    ++loop_.leaderships_;
  }

  leadership(const leadership&) = delete;
  leadership& operator=(const leadership&) = delete;

  ~leadership()
  {
    if (!held_.owns_lock())
      held_.lock();
    loop_.leader_is_there_ = false;
    if (loop_.idle_threads_.load(std::memory_order_relaxed) != 0 && !loop_.ready_.empty())
      loop_.wake_one_if_worth_it(held_, info_);
    if (has_marker_)
      loop_.ready_.push(&loop_.marker_);
  }

private:
  run_loop& loop_;
  guard& held_;
  thread_info& info_;
  const bool has_marker_;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IMPL_RUN_LOOP_THREADS_HPP
