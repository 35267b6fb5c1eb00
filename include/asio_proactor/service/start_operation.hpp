//
// asio_proactor/service/start_operation.hpp: the way every asynchronous operation begins.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_START_OPERATION_HPP
#define ASIO_PROACTOR_SERVICE_START_OPERATION_HPP

#include <asio_proactor/service/engine.hpp>
#include <asio_proactor/service/handler_operations.hpp>
#include <poll.h>

namespace asio_proactor::service {

/// What Asio's cancellation slots hold. Late calls find nothing to cancel.
class operation_cancellation
{
public:
  operation_cancellation(engine& e, core::io_object* o) : engine_(&e), object_(o) {}

  void operator()(asio::cancellation_type_t type)
  {
    using asio::cancellation_type;
    if (!!(type & (cancellation_type::terminal | cancellation_type::partial | cancellation_type::total)))
      engine_->cancel_by_key(object_, this);
  }

private:
  engine* engine_;
  core::io_object* object_;
};

/// Whom an operation belongs to, for the handler tracking log.
struct tracked_object
{
  const char* type;
  void* implementation;
  int descriptor;
  const char* function;
};

/// Whether an operation goes to the kernel, or only its completion is queued.
enum class begin
{
  in_kernel,
  complete_at_once
};

template <class Operation, class Handler, class IoExecutor, class BeforeStart, class... Arguments>
void start_operation_as(engine& e, core::io_object* object, core::direction d, const tracked_object& tracked,
                        Handler& handler, const IoExecutor& io_executor, BeforeStart before_start,
                        Arguments&&... arguments)
{
  const bool continues = is_continuation(handler);
  [[maybe_unused]] auto slot = asio::get_associated_cancellation_slot(handler);

  typename Operation::ptr p = {std::addressof(handler), Operation::ptr::allocate(handler), nullptr};
  p.p = new (p.v) Operation(handler, io_executor, std::forward<Arguments>(arguments)...);
  Operation* op = p.p;

  const begin how = before_start(*op);
  if constexpr (has_cancellation_slot<Handler>::value)
    if (how == begin::in_kernel && object && slot.is_connected())
      op->cancellation_key_ = &slot.template emplace<operation_cancellation>(e, object);

  BOOST_ASIO_HANDLER_CREATION((e.context(), *op, tracked.type, tracked.implementation,
                               static_cast<boost::uintmax_t>(tracked.descriptor), tracked.function));
  (void)tracked;

  p.v = p.p = nullptr;
  if (how == begin::in_kernel && object)
    return e.start(*object, d, *op);
  if (how == begin::in_kernel)
    op->result_ = -EBADF;
  if constexpr (has_immediate_executor<Handler, IoExecutor>::value)
    Operation::complete_at_once(op, io_executor);
  else
    e.complete_at_once(op, continues);
}

/// Whether Operation can do without the executors that it would keep.
template <class Operation, class Handler, class IoExecutor, class = void>
struct has_direct_form : std::false_type
{};

template <class Operation, class Handler, class IoExecutor>
struct has_direct_form<Operation, Handler, IoExecutor, std::void_t<typename Operation::direct>>
  : std::bool_constant<may_be_called_directly<Handler, IoExecutor> &&
                       !has_immediate_executor<Handler, IoExecutor>::value>
{};

/// Allocate Operation with the handler's allocator, connect its cancellation slot, and start it.
/**
 * @param arguments What Operation's intent is constructed from.
 * @param before_start Called with the new operation; returns how it begins.
 */
template <class Operation, class Handler, class IoExecutor, class BeforeStart, class... Arguments>
void start_operation(engine& e, core::io_object* object, core::direction d, const tracked_object& tracked,
                     Handler& handler, const IoExecutor& io_executor, BeforeStart before_start,
                     Arguments&&... arguments)
{
  if constexpr (has_direct_form<Operation, Handler, IoExecutor>::value)
    if (is_called_directly(handler, io_executor))
      return start_operation_as<typename Operation::direct>(e, object, d, tracked, handler, io_executor, before_start,
                                                            std::forward<Arguments>(arguments)...);
  start_operation_as<Operation>(e, object, d, tracked, handler, io_executor, before_start,
                                std::forward<Arguments>(arguments)...);
}

/// For operations that always go to the kernel.
struct always_in_kernel
{
  template <class Operation>
  begin operator()(Operation&) const
  {
    return begin::in_kernel;
  }
};

/// For transfers: nothing to move is nothing to ask the kernel for.
struct unless_empty
{
  bool is_empty;

  template <class Operation>
  begin operator()(Operation&) const
  {
    return is_empty ? begin::complete_at_once : begin::in_kernel;
  }
};

/// For transfers that the kernel would not wait with: on a descriptor with O_NONBLOCK, or of urgent data.
struct unless_empty_and_when_ready
{
  bool is_empty;
  bool polls_first;

  template <class Operation>
  begin operator()(Operation& op) const
  {
    op.poll_first_ = polls_first;
    return is_empty ? begin::complete_at_once : begin::in_kernel;
  }
};

/// The poll(2) events that stand for one of Asio's wait types.
template <class WaitType>
unsigned events_of(WaitType w)
{
  switch (w)
  {
  case WaitType::wait_read: return POLLIN;
  case WaitType::wait_write: return POLLOUT;
  default: return POLLPRI | POLLERR | POLLHUP;
  }
}

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_START_OPERATION_HPP
