//
// asio_proactor/drop_in/slot/io_uring_services.hpp: the slot's socket, descriptor and file services.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_SERVICES_HPP
#define ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_SERVICES_HPP

#include <asio_proactor/drop_in/slot/configuration.hpp>

#include <asio_proactor/drop_in/slot/io_uring_service.hpp>
#include <asio_proactor/service/descriptor_service.hpp>
#include <asio_proactor/service/file_service.hpp>
#include <asio_proactor/service/socket_service.hpp>
#include <boost/asio/detail/reactor.hpp>

#include <boost/asio/detail/push_options.hpp>

namespace boost {
namespace asio {
BOOST_ASIO_INLINE_NAMESPACE_BEGIN
namespace detail {

template <typename Protocol>
class io_uring_socket_service : public execution_context_service_base<io_uring_socket_service<Protocol>>,
                                public asio_proactor::service::socket_service<Protocol>
{
public:
  explicit io_uring_socket_service(execution_context& context)
    : execution_context_service_base<io_uring_socket_service<Protocol>>(context),
      asio_proactor::service::socket_service<Protocol>(use_service<io_uring_service>(context))
  {}

  using asio_proactor::service::socket_service<Protocol>::shutdown;

  void shutdown() { this->base_shutdown(); }
};

class io_uring_descriptor_service : public execution_context_service_base<io_uring_descriptor_service>,
                                    public asio_proactor::service::descriptor_service
{
public:
  explicit io_uring_descriptor_service(execution_context& context)
    : execution_context_service_base<io_uring_descriptor_service>(context),
      descriptor_service(use_service<io_uring_service>(context))
  {}

  void shutdown() { descriptor_service::shutdown(); }
};

#if defined(BOOST_ASIO_HAS_FILE)

class io_uring_file_service : public execution_context_service_base<io_uring_file_service>,
                              public asio_proactor::service::file_service
{
public:
  explicit io_uring_file_service(execution_context& context)
    : execution_context_service_base<io_uring_file_service>(context),
      file_service(use_service<io_uring_service>(context))
  {}

  void shutdown() { file_service::shutdown(); }
};

#endif // defined(BOOST_ASIO_HAS_FILE)

} // namespace detail
BOOST_ASIO_INLINE_NAMESPACE_END
} // namespace asio
} // namespace boost

#include <boost/asio/detail/pop_options.hpp>

#endif // ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_SERVICES_HPP
