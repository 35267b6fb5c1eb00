//
// asio_proactor/service/handler_operations.hpp: operations with a handler, for each form of completion.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_HANDLER_OPERATIONS_HPP
#define ASIO_PROACTOR_SERVICE_HANDLER_OPERATIONS_HPP

#include <asio_proactor/service/handler_support.hpp>
#include <asio_proactor/service/io_operation.hpp>
#include <asio_proactor/service/operation_memory.hpp>
#include <utility>

namespace asio_proactor::service {

template <class Intent, class = void>
struct is_positional : std::false_type
{};

template <class Intent>
struct is_positional<Intent, std::void_t<decltype(Intent::has_offset)>> : std::bool_constant<Intent::has_offset>
{};

/// What an operation with a handler is: only what may be cancelled by itself, or has an offset, has room for it.
template <class Intent, class Handler>
using io_operation_for = std::conditional_t<is_positional<Intent>::value || has_cancellation_slot<Handler>::value,
                                            extended_io_operation, io_operation>;

/// Completes with void(error_code).
/**
 * Intent is the part that depends on the operation and not on the handler. It is constructible from the core's operation, into
 * which it writes code, descriptor, flags and arguments, and the arguments after the executor, and has
 * - error_code outcome(core::operation&, std::size_t& bytes): what the handler is told;
 * - void deliver(error_code&): hands over what the operation produced, called only if a handler is going to run;
 * - bool has_memory_of_its_own: see there.
 *
 * Work says how the handler is called. Intent and Work are bases because most of them are empty.
 */
template <class Intent, class Handler, class IoExecutor, class Work = asio_detail::handler_work<Handler, IoExecutor>>
class plain_operation : public io_operation_for<Intent, Handler>, private Intent, private Work
{
public:
  /// The same for a handler that is called without its executor.
  using direct = plain_operation<Intent, Handler, IoExecutor, direct_work<Handler>>;

  using ptr = typename operation_memory<plain_operation, Handler, Intent::has_memory_of_its_own>::ptr;

  template <class... Arguments>
  plain_operation(Handler& handler, const IoExecutor& io_executor, Arguments&&... arguments)
    : io_operation_for<Intent, Handler>(&plain_operation::do_complete),
      Intent(*this, std::forward<Arguments>(arguments)...),
      Work(handler, io_executor),
      handler_(std::move(handler))
  {}

  Intent& intent() { return *this; }

  /// Complete in the initiating function, on the handler's immediate executor.
  static void complete_at_once(plain_operation* op, const IoExecutor& io_executor)
  {
    finish(op, true, [&](auto& work, auto& handler) { complete_immediately<Handler>(work, handler, io_executor); });
  }

private:
  static void do_complete(void* owner, asio_detail::scheduler_operation* base, const error_code&, std::size_t)
  {
    finish(static_cast<plain_operation*>(base), owner != nullptr,
           [](auto& work, auto& handler) { work.complete(handler, handler.handler_); });
  }

  // Without an upcall the operation is only destroyed.
  template <class Upcall>
  static void finish(plain_operation* o, bool is_called, Upcall upcall)
  {
    ptr p = {std::addressof(o->handler_), o, o};

    std::size_t bytes = 0;
    error_code ec = o->intent().outcome(*o, bytes);
    if (is_called)
      o->intent().deliver(ec);

    BOOST_ASIO_HANDLER_COMPLETION((*o));
    Work w(std::move(static_cast<Work&>(*o)));
    BOOST_ASIO_ERROR_LOCATION(ec);

    // The memory is given back before the upcall, and the handler may own what the memory came from, so it moves out.
    asio_detail::binder1<Handler, error_code> handler(o->handler_, ec);
    p.h = std::addressof(handler.handler_);
    p.reset();

    if (is_called)
    {
      asio_detail::fenced_block b(asio_detail::fenced_block::half);
      BOOST_ASIO_HANDLER_INVOCATION_BEGIN((handler.arg1_));
      upcall(w, handler);
      BOOST_ASIO_HANDLER_INVOCATION_END;
    }
  }

  Handler handler_;
};

/// Completes with void(error_code, std::size_t). Intent as for plain_operation, without what follows outcome().
template <class Intent, class Handler, class IoExecutor, class Work = asio_detail::handler_work<Handler, IoExecutor>>
class transfer_operation : public io_operation_for<Intent, Handler>, private Intent, private Work
{
public:
  /// As in plain_operation.
  using direct = transfer_operation<Intent, Handler, IoExecutor, direct_work<Handler>>;

  BOOST_ASIO_DEFINE_HANDLER_PTR(transfer_operation);

  template <class... Arguments>
  transfer_operation(Handler& handler, const IoExecutor& io_executor, Arguments&&... arguments)
    : io_operation_for<Intent, Handler>(&transfer_operation::do_complete),
      Intent(*this, std::forward<Arguments>(arguments)...),
      Work(handler, io_executor),
      handler_(std::move(handler))
  {}

  Intent& intent() { return *this; }

  /// As in plain_operation.
  static void complete_at_once(transfer_operation* op, const IoExecutor& io_executor)
  {
    finish(op, true, [&](auto& work, auto& handler) { complete_immediately<Handler>(work, handler, io_executor); });
  }

private:
  static void do_complete(void* owner, asio_detail::scheduler_operation* base, const error_code&, std::size_t)
  {
    finish(static_cast<transfer_operation*>(base), owner != nullptr,
           [](auto& work, auto& handler) { work.complete(handler, handler.handler_); });
  }

  template <class Upcall>
  static void finish(transfer_operation* o, bool is_called, Upcall upcall)
  {
    ptr p = {std::addressof(o->handler_), o, o};

    std::size_t bytes = 0;
    error_code ec = o->intent().outcome(*o, bytes);

    BOOST_ASIO_HANDLER_COMPLETION((*o));
    Work w(std::move(static_cast<Work&>(*o)));
    BOOST_ASIO_ERROR_LOCATION(ec);

    // As in plain_operation: first the memory, then the upcall.
    asio_detail::binder2<Handler, error_code, std::size_t> handler(o->handler_, ec, bytes);
    p.h = std::addressof(handler.handler_);
    p.reset();

    if (is_called)
    {
      asio_detail::fenced_block b(asio_detail::fenced_block::half);
      BOOST_ASIO_HANDLER_INVOCATION_BEGIN((handler.arg1_, handler.arg2_));
      upcall(w, handler);
      BOOST_ASIO_HANDLER_INVOCATION_END;
    }
  }

  Handler handler_;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_HANDLER_OPERATIONS_HPP
