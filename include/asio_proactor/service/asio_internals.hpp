//
// asio_proactor/service/asio_internals.hpp: evens out what differs between the supported releases of Boost.Asio.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_ASIO_INTERNALS_HPP
#define ASIO_PROACTOR_SERVICE_ASIO_INTERNALS_HPP

#include <boost/version.hpp>

#if BOOST_VERSION < 108100
# error "asio_proactor needs Boost 1.81 or newer"
#endif

// Asio includes the scheduler from the middle of its own headers, so this stays with the bottom of its hierarchy;
// what handlers need is in handler_support.hpp.
#include <boost/asio/detail/config.hpp>
#include <boost/asio/detail/handler_tracking.hpp>
#include <boost/asio/detail/memory.hpp>
#include <boost/asio/detail/op_queue.hpp>
#include <boost/asio/detail/operation.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/system/error_code.hpp>
#include <memory>

// Since 1.92 (or 1.91) everything in Asio may sit in an inline namespace.
#if !defined(BOOST_ASIO_INLINE_NAMESPACE_BEGIN)
# define BOOST_ASIO_INLINE_NAMESPACE_BEGIN
# define BOOST_ASIO_INLINE_NAMESPACE_END
#endif

namespace asio_proactor::service {

namespace asio = boost::asio;
namespace asio_detail = boost::asio::detail;
using boost::system::error_code;

/// The result of a core operation as Asio's error code.
inline error_code to_error_code(int result)
{
  return result < 0 ? error_code(-result, asio::error::get_system_category()) : error_code();
}

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_ASIO_INTERNALS_HPP
