//
// asio_proactor/service/impl/engine.hpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_IMPL_ENGINE_HPP
#define ASIO_PROACTOR_SERVICE_IMPL_ENGINE_HPP

namespace asio_proactor::service {

inline void engine::deregister(object*& o, int fd, core::proactor::descriptor_fate fate)
{
  if (!o)
    return;
  guard held(loop_.mutex());
  proactor_.deregister(held, *o, fd, fate);
  o = nullptr;
  // The handlers of what was cancelled are ready now.
  loop_.wake_leader();
}

inline void engine::start(object& o, core::direction d, core::operation& op)
{
  if (proactor_.makes_calls() && start_by_attempt(o, d, op))
    return;
  guard held(loop_.mutex());
  if (shut_down_)
    return refuse(held, op);
  loop_.work_started();
  proactor_.start(o, d, op);
  loop_.operation_was_started(held, d, op);
}

// It is destroyed with the other handlers.
inline void engine::refuse(guard& held, core::operation& op)
{
  op.result_ = -ECANCELED;
  held.unlock();
  loop_.post_immediate_completion(&to_be_run(op), false);
}

BOOST_NOINLINE inline bool engine::start_by_attempt(object& o, core::direction d, core::operation& op)
{
  const bool several_run = loop_.several_run();
  if (!proactor_.is_attempted_by_starter(o, d, op, several_run))
    return false;
  const std::uint32_t news_before = proactor_.news_of(op.fd_);
  if (!core::proactor::attempt(op))
    start_after_attempt(o, d, op, news_before);
  else if (several_run)
  {
    loop_.work_started();
    loop_.push_behind(&to_be_run(op));
  }
  else
    loop_.post_immediate_completion(&to_be_run(op), false);
  return true;
}

inline void engine::start_after_attempt(object& o, core::direction d, core::operation& op, std::uint32_t news_before)
{
  guard held(loop_.mutex());
  if (shut_down_)
    return refuse(held, op);
  loop_.work_started();
  if (!proactor_.start_after_attempt(o, d, op, news_before))
    loop_.operation_was_started(held, d, op);
}

inline void engine::submit_operations_of(object* o)
{
  if (!o)
    return;
  guard held(loop_.mutex());
  proactor_.submit_operations_of(held, *o);
}

inline void engine::before_blocking_call()
{
  // The kernel carries on a request in the thread that issued it, so a thread outside the loop leaves them alone.
  if (!loop_.can_dispatch())
    return;
  guard held(loop_.mutex());
  if (proactor_.has_unsent() && proactor_.may_submit())
    proactor_.submit_now(held);
}

inline void engine::start_watch(object& o, core::direction d, core::operation& watch)
{
  guard held(loop_.mutex());
  if (shut_down_)
    return;
  proactor_.start(o, d, watch);
  loop_.watch_was_started(held, d);
}

inline void engine::cancel(object* o)
{
  if (!o)
    return;
  guard held(loop_.mutex());
  proactor_.cancel(*o);
  loop_.wake_leader();
}

inline void engine::cancel_by_key(object* o, void* key)
{
  if (!o)
    return;
  guard held(loop_.mutex());
  proactor_.cancel_by_key(*o, key);
  loop_.wake_leader();
}

// --- Timers ----------------------------------------------------------------------------------------------------------

template <class Queue>
void engine::schedule_timer(Queue& queue, const typename Queue::time_type& time, typename Queue::per_timer_data& timer,
                            asio_detail::wait_op* op)
{
  guard held(loop_.mutex());
  if (shut_down_)
  {
    held.unlock();
    loop_.post_immediate_completion(op, false);
    return;
  }
  const bool is_earliest = queue.enqueue_timer(time, timer, op);
  loop_.work_started();
  if (is_earliest)
    loop_.wake_leader();
}

template <class Queue>
std::size_t engine::cancel_timer(Queue& queue, typename Queue::per_timer_data& timer, std::size_t max_cancelled)
{
  guard held(loop_.mutex());
  run_loop::queue ops;
  const std::size_t n = queue.cancel_timer(timer, ops, max_cancelled);
  loop_.push_ready(held, ops);
  return n;
}

template <class Queue>
void engine::cancel_timer_by_key(Queue& queue, typename Queue::per_timer_data* timer, void* cancellation_key)
{
  guard held(loop_.mutex());
  run_loop::queue ops;
  queue.cancel_timer_by_key(timer, ops, cancellation_key);
  loop_.push_ready(held, ops);
}

template <class Queue>
void engine::move_timer(Queue& queue, typename Queue::per_timer_data& target, typename Queue::per_timer_data& source)
{
  guard held(loop_.mutex());
  run_loop::queue ops;
  queue.cancel_timer(target, ops);
  queue.move_timer(target, source);
  loop_.push_ready(held, ops);
}

// --- The rest --------------------------------------------------------------------------------------------------------

inline void engine::register_buffers(const ::iovec* buffers, unsigned count)
{
  guard held(loop_.mutex());
  const std::error_code error = proactor_.register_buffers(buffers, count);
  held.unlock();
  if (error)
    asio_detail::throw_error(error_code(error.value(), asio::error::get_system_category()), "register_buffers");
}

inline void engine::unregister_buffers()
{
  guard held(loop_.mutex());
  proactor_.unregister_buffers();
}

inline void engine::prepare_fork()
{
  guard held(loop_.mutex());
  proactor_.prepare_fork(held);
}

inline void engine::after_fork_in_child()
{
  guard held(loop_.mutex());
  proactor_.after_fork_in_child();
}

inline void engine::shut_down()
{
  loop_.join_own_thread();
  core::operation_queue abandoned;
  run_loop::queue handlers;
  {
    guard held(loop_.mutex());
    shut_down_ = true;
    proactor_.abandon_all(held, abandoned);
    loop_.timers().get_all_timers(handlers);
  }
  loop_.detach();
  while (core::operation* op = abandoned.pop())
    handlers.push(&to_be_run(*op));
  loop_.abandon_operations(handlers);
}

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IMPL_ENGINE_HPP
