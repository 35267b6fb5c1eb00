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

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_HANDLER_SUPPORT_HPP
