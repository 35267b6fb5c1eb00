//
// asio_proactor/service/engine.hpp: what the I/O services of a context share: its proactor, under the lock of its loop.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_ENGINE_HPP
#define ASIO_PROACTOR_SERVICE_ENGINE_HPP

#include <asio_proactor/core/proactor.hpp>
#include <asio_proactor/service/asio_internals.hpp>
#include <asio_proactor/service/context_options.hpp>
#include <asio_proactor/service/io_operation.hpp>
#include <asio_proactor/service/run_loop.hpp>
#include <boost/asio/detail/throw_error.hpp>
#include <boost/asio/detail/wait_op.hpp>

namespace asio_proactor::service {

/// Thread safe throughout, as Asio allows calls on distinct I/O objects from any thread.
class engine
{
public:
  using guard = core::biased_mutex::guard;
  using operation = asio_detail::scheduler_operation;
  using object = core::io_object;

  /// @throws std::system_error when the machine offers no driver.
  engine(asio::execution_context& context, run_loop& loop)
    : context_(context),
      loop_(loop),
      proactor_(configured_value(context, "driver"))
  {
    if (!loop.is_genuine())
      report_mixed_program();
  }

  asio::execution_context& context() { return context_; }

  core::proactor& proactor() { return proactor_; }

  /// Make the loop wait for this engine's completions. Harmless when it does already.
  void attach_to_loop() { loop_.attach(proactor_); }

  // --- Descriptors and their operations -------------------------------------------------------------------------

  object* register_object(bool overlapping = false)
  {
    guard held(loop_.mutex());
    return proactor_.register_object(overlapping);
  }

  /// Whether operations of one direction may be in the kernel together. Before the first one.
  void set_overlapping(object& o, bool overlapping)
  {
    guard held(loop_.mutex());
    o.overlapping_ = overlapping;
  }

  /// Cancel everything, get the requests out of the kernel and forget the object; the descriptor may be closed then.
  /** @param o May be null. */
  void deregister(object*& o, int fd, core::proactor::descriptor_fate fate = core::proactor::descriptor_fate::closed);

  /// The program has changed the blocking mode of a descriptor.
  void mode_changed(int fd)
  {
    guard held(loop_.mutex());
    proactor_.mode_changed(fd);
  }

  void start(object& o, core::direction d, core::operation& op);

  /// Let what was started on an object have its effect before something else is done to its descriptor.
  /** @param o May be null. */
  void submit_operations_of(object* o);

  /// Before a call that may block a handler: what it waits for may depend on an operation that was just started.
  void before_blocking_call();

  /// Complete an operation that has nothing to do, with the result it was given.
  void complete_at_once(operation* op, bool is_continuation) { loop_.post_immediate_completion(op, is_continuation); }

  void cancel(object* o);
  void cancel_by_key(object* o, void* key);

  /// Start a watch of the library's own; it does not keep the loop running.
  void start_watch(object& o, core::direction d, core::operation& watch);

  // --- Timers ---------------------------------------------------------------------------------------------------

  template <class Queue>
  void add_timer_queue(Queue& queue)
  {
    guard held(loop_.mutex());
    loop_.timers().insert(&queue);
  }

  template <class Queue>
  void remove_timer_queue(Queue& queue)
  {
    guard held(loop_.mutex());
    loop_.timers().erase(&queue);
  }

  template <class Queue>
  void schedule_timer(Queue& queue, const typename Queue::time_type& time, typename Queue::per_timer_data& timer,
                      asio_detail::wait_op* op);

  template <class Queue>
  std::size_t cancel_timer(Queue& queue, typename Queue::per_timer_data& timer,
                           std::size_t max_cancelled = (std::numeric_limits<std::size_t>::max)());

  template <class Queue>
  void cancel_timer_by_key(Queue& queue, typename Queue::per_timer_data* timer, void* cancellation_key);

  template <class Queue>
  void move_timer(Queue& queue, typename Queue::per_timer_data& target, typename Queue::per_timer_data& source);

  // --- The rest -------------------------------------------------------------------------------------------------

  void register_buffers(const ::iovec* buffers, unsigned count);
  void unregister_buffers();

  void prepare_fork();
  void after_fork_in_child();

  /// Take everything back from the kernel and destroy the handlers.
  void shut_down();

private:
  // Returns whether the operation was started. Kept out of line, as it is for drivers that make calls only.
  bool start_by_attempt(object& o, core::direction d, core::operation& op);
  void start_after_attempt(object& o, core::direction d, core::operation& op, std::uint32_t news_before);
  void refuse(guard& held, core::operation& op);

  asio::execution_context& context_;
  run_loop& loop_;
  core::proactor proactor_;
  bool shut_down_ = false;
};

} // namespace asio_proactor::service

#include <asio_proactor/service/impl/engine.hpp>

#endif // ASIO_PROACTOR_SERVICE_ENGINE_HPP
