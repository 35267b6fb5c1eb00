//
// asio_proactor/service/handler_support.hpp: the parts of Asio that an operation with a handler is made of.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_HANDLER_SUPPORT_HPP
#define ASIO_PROACTOR_SERVICE_HANDLER_SUPPORT_HPP

#include <asio_proactor/service/asio_internals.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/detail/bind_handler.hpp>
#include <boost/asio/detail/fenced_block.hpp>
#include <boost/asio/detail/handler_alloc_helpers.hpp>
#include <boost/asio/detail/handler_cont_helpers.hpp>
#include <boost/asio/detail/handler_work.hpp>
#include <boost/version.hpp>
#include <type_traits>
#include <typeinfo>
#include <utility>

// Asio's deprecated hook, which it calls handlers through as long as it has it.
#if __has_include(<boost/asio/detail/handler_invoke_helpers.hpp>)
# include <boost/asio/detail/handler_invoke_helpers.hpp>
# define ASIO_PROACTOR_HAS_INVOKE_HOOKS
#endif

#if BOOST_VERSION >= 108200
# include <boost/asio/associated_immediate_executor.hpp>
#endif

namespace asio_proactor::service {

template <class Handler>
bool is_continuation(Handler& handler)
{
#if defined(BOOST_ASIO_VERSIONED_NAME)
  return BOOST_ASIO_VERSIONED_NAME(handler_cont_helpers)::is_continuation(handler);
#else
  return boost_asio_handler_cont_helpers::is_continuation(handler);
#endif
}

/// Whether a handler may have a slot, through which its operation is cancelled by itself.
template <class Handler, class = void>
struct has_cancellation_slot : std::true_type
{};

// The mark of Asio's own, unspecialised template.
template <class Handler>
struct has_cancellation_slot<
  Handler, typename asio::associated_cancellation_slot<Handler>::asio_associated_cancellation_slot_is_unspecialised>
  : std::false_type
{};

/// Calls a bound handler as Asio's handler_work does when neither the I/O object's executor nor the handler's has a say.
/** It has nothing to keep, where handler_work keeps two executors of up to 56 bytes each. */
template <class Handler>
struct direct_work
{
  template <class IoExecutor>
  direct_work(Handler&, const IoExecutor&)
  {}

  template <class Function>
  void complete(Function& function, Handler& handler)
  {
#if defined(ASIO_PROACTOR_HAS_INVOKE_HOOKS)
    boost_asio_handler_invoke_helpers::invoke(function, handler);
#else
    (void)handler;
    std::move(function)();
#endif
  }
};

/// Whether handler_work would keep executors that it does not use, as only their types tell: see is_called_directly().
template <class Handler, class IoExecutor>
constexpr bool may_be_called_directly =
#if defined(BOOST_ASIO_NO_TYPEID) || defined(BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
  false;
#else
  std::is_same_v<IoExecutor, asio::any_io_executor>&&
    std::is_same_v<asio::associated_executor_t<Handler, IoExecutor>, IoExecutor>;
#endif

template <class Handler, class IoExecutor, class = void>
struct has_associated_executor : std::true_type
{};

// The mark of Asio's own, unspecialised template.
template <class Handler, class IoExecutor>
struct has_associated_executor<
  Handler, IoExecutor,
  typename asio::associated_executor<Handler, IoExecutor>::asio_associated_executor_is_unspecialised> : std::false_type
{};

/// Whether a handler is called without its executor, because that is the context's own: what handler_work finds out, too.
template <class Handler, class IoExecutor, class Context = asio::io_context>
bool is_called_directly([[maybe_unused]] const Handler& handler, [[maybe_unused]] const IoExecutor& io_executor)
{
#if defined(BOOST_ASIO_NO_TYPEID)
  return false;
#else
  if (io_executor.target_type() != typeid(typename Context::executor_type))
    return false;
  if constexpr (has_associated_executor<Handler, IoExecutor>::value)
    return asio::get_associated_executor(handler, io_executor) == io_executor;
  return true;
#endif
}

#if BOOST_VERSION >= 108200

/// Whether a handler names an executor for what is over before its operation has begun.
template <class Handler, class IoExecutor, class = void>
struct has_immediate_executor : std::true_type
{};

// The mark of Asio's own, unspecialised template.
template <class Handler, class IoExecutor>
struct has_immediate_executor<Handler, IoExecutor,
                              typename asio::associated_immediate_executor<
                                Handler, IoExecutor>::asio_associated_immediate_executor_is_unspecialised>
  : std::false_type
{};

/// Calls a bound handler on its immediate executor, which may be inside the initiating function.
template <class Handler, class IoExecutor, class Function>
void complete_immediately(asio_detail::handler_work<Handler, IoExecutor>& work, Function& function,
                          const IoExecutor& io_executor)
{
  asio_detail::immediate_handler_work<Handler, IoExecutor> w(std::move(work));
  w.complete(function, function.handler_, &io_executor);
}

#else

template <class Handler, class IoExecutor>
struct has_immediate_executor : std::false_type
{};

// Before Boost 1.82 there is nothing to call.
template <class Handler, class IoExecutor, class Function>
void complete_immediately(asio_detail::handler_work<Handler, IoExecutor>&, Function&, const IoExecutor&);

#endif

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_HANDLER_SUPPORT_HPP
