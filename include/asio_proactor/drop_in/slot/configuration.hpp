//
// asio_proactor/drop_in/slot/configuration.hpp: the macros that open Asio's io_uring slot and keep its stock filling out.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DROP_IN_SLOT_CONFIGURATION_HPP
#define ASIO_PROACTOR_DROP_IN_SLOT_CONFIGURATION_HPP

#if !defined(BOOST_ASIO_HAS_IO_URING) || !defined(BOOST_ASIO_DISABLE_EPOLL)
# if defined(BOOST_ASIO_DETAIL_CONFIG_HPP)
#  error                                                                                                               \
    "asio_proactor: include <asio_proactor/drop_in.hpp> before every header of Boost.Asio and Beast, best with the compiler option -include asio_proactor/drop_in.hpp, or link the CMake target asio_proactor::drop_in"
# endif
#endif

#if !defined(BOOST_ASIO_HAS_IO_URING)
# define BOOST_ASIO_HAS_IO_URING 1
#endif
#if !defined(BOOST_ASIO_DISABLE_EPOLL)
# define BOOST_ASIO_DISABLE_EPOLL 1
#endif
#if !defined(ASIO_PROACTOR_DROP_IN)
# define ASIO_PROACTOR_DROP_IN 1
#endif

#include <boost/version.hpp>

// From 1.92 on Asio can put itself into a namespace of its own. With a name of ours, an object file built without the
// drop-in does not link with one built with it, instead of breaking silently. A program that declares classes of Asio by itself, in
// namespace boost::asio, has to do without: -DASIO_PROACTOR_NO_VERSION_NAMESPACE -UBOOST_ASIO_VERSION_NAMESPACE.
#if BOOST_VERSION >= 109200 && !defined(BOOST_ASIO_VERSION_NAMESPACE) &&                                               \
  !defined(BOOST_ASIO_ENABLE_VERSION_NAMESPACE) && !defined(ASIO_PROACTOR_NO_VERSION_NAMESPACE)
# if defined(BOOST_ASIO_DETAIL_CONFIG_HPP)
#  error                                                                                                               \
    "asio_proactor: on Boost 1.92 and newer <asio_proactor/drop_in.hpp> must come before every header of Boost.Asio and Beast; define BOOST_ASIO_VERSION_NAMESPACE=asio_proactor_drop_in for the whole program, or link the CMake target asio_proactor::drop_in"
# endif
# define BOOST_ASIO_VERSION_NAMESPACE asio_proactor_drop_in
#endif

// Who opens one of these in boost::asio, as Beast does to declare ssl::stream, means the one inside.
#if BOOST_VERSION >= 109200 && defined(BOOST_ASIO_VERSION_NAMESPACE)
namespace boost {
namespace asio {
inline namespace BOOST_ASIO_VERSION_NAMESPACE {
namespace detail {}
namespace execution {}
namespace experimental {}
namespace generic {}
namespace ip {}
namespace local {}
namespace posix {}
namespace ssl {}
namespace this_coro {}
} // namespace BOOST_ASIO_VERSION_NAMESPACE
} // namespace asio
} // namespace boost
#endif

// The include guards of the stock headers that the slot replaces. A build system may define them on the command line:
// then a stock header that is found first is empty, and the build fails instead of mixing two implementations.
#if !defined(BOOST_ASIO_DETAIL_SCHEDULER_HPP)
# define BOOST_ASIO_DETAIL_SCHEDULER_HPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IMPL_SCHEDULER_IPP)
# define BOOST_ASIO_DETAIL_IMPL_SCHEDULER_IPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IO_URING_SERVICE_HPP)
# define BOOST_ASIO_DETAIL_IO_URING_SERVICE_HPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IMPL_IO_URING_SERVICE_HPP)
# define BOOST_ASIO_DETAIL_IMPL_IO_URING_SERVICE_HPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IMPL_IO_URING_SERVICE_IPP)
# define BOOST_ASIO_DETAIL_IMPL_IO_URING_SERVICE_IPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IO_URING_OPERATION_HPP)
# define BOOST_ASIO_DETAIL_IO_URING_OPERATION_HPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IO_URING_SOCKET_SERVICE_HPP)
# define BOOST_ASIO_DETAIL_IO_URING_SOCKET_SERVICE_HPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IO_URING_SOCKET_SERVICE_BASE_HPP)
# define BOOST_ASIO_DETAIL_IO_URING_SOCKET_SERVICE_BASE_HPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IMPL_IO_URING_SOCKET_SERVICE_BASE_IPP)
# define BOOST_ASIO_DETAIL_IMPL_IO_URING_SOCKET_SERVICE_BASE_IPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IO_URING_DESCRIPTOR_SERVICE_HPP)
# define BOOST_ASIO_DETAIL_IO_URING_DESCRIPTOR_SERVICE_HPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IMPL_IO_URING_DESCRIPTOR_SERVICE_IPP)
# define BOOST_ASIO_DETAIL_IMPL_IO_URING_DESCRIPTOR_SERVICE_IPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IO_URING_FILE_SERVICE_HPP)
# define BOOST_ASIO_DETAIL_IO_URING_FILE_SERVICE_HPP
#endif
#if !defined(BOOST_ASIO_DETAIL_IMPL_IO_URING_FILE_SERVICE_IPP)
# define BOOST_ASIO_DETAIL_IMPL_IO_URING_FILE_SERVICE_IPP
#endif

#endif // ASIO_PROACTOR_DROP_IN_SLOT_CONFIGURATION_HPP
