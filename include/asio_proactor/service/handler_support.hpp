//
// asio_proactor/service/handler_support.hpp: the parts of Asio that an operation with a handler is made of.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_HANDLER_SUPPORT_HPP
#define ASIO_PROACTOR_SERVICE_HANDLER_SUPPORT_HPP

#include <asio_proactor/service/asio_internals.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/detail/bind_handler.hpp>
#include <boost/asio/detail/fenced_block.hpp>
#include <boost/asio/detail/handler_alloc_helpers.hpp>
#include <boost/asio/detail/handler_cont_helpers.hpp>
#include <boost/asio/detail/handler_work.hpp>
#include <boost/version.hpp>
#include <type_traits>
#include <utility>

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
