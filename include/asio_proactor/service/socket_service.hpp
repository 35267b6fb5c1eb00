//
// asio_proactor/service/socket_service.hpp: sockets and acceptors of one protocol.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_SOCKET_SERVICE_HPP
#define ASIO_PROACTOR_SERVICE_SOCKET_SERVICE_HPP

#include <asio_proactor/service/move_accept_operation.hpp>
#include <asio_proactor/service/socket_service_base.hpp>

namespace asio_proactor::service {

/// Everything that Asio's basic_socket and basic_socket_acceptor ask of their service.
template <class Protocol>
class socket_service : public socket_service_base
{
public:
  using protocol_type = Protocol;
  using endpoint_type = typename Protocol::endpoint;

  struct implementation_type : base_implementation_type
  {
    implementation_type() : protocol_(endpoint_type().protocol()) {}

    protocol_type protocol_;
  };

  using socket_service_base::socket_service_base;

  void move_construct(implementation_type& impl, implementation_type& other) noexcept
  {
    base_move_construct(impl, other);
    impl.protocol_ = std::exchange(other.protocol_, endpoint_type().protocol());
  }

  void move_assign(implementation_type& impl, socket_service_base& other_service, implementation_type& other)
  {
    base_move_assign(impl, other_service, other);
    impl.protocol_ = std::exchange(other.protocol_, endpoint_type().protocol());
  }

  template <class OtherService>
  void converting_move_construct(implementation_type& impl, OtherService&,
                                 typename OtherService::implementation_type& other)
  {
    base_move_construct(impl, other);
    impl.protocol_ = protocol_type(other.protocol_);
    other.protocol_ = typename OtherService::endpoint_type().protocol();
  }

  error_code open(implementation_type& impl, const protocol_type& protocol, error_code& ec)
  {
    if (!do_open(impl, protocol.family(), protocol.type(), protocol.protocol(), ec))
      impl.protocol_ = protocol;
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  error_code assign(implementation_type& impl, const protocol_type& protocol, int fd, error_code& ec)
  {
    if (!do_assign(impl, protocol.type(), fd, ec))
      impl.protocol_ = protocol;
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  error_code bind(implementation_type& impl, const endpoint_type& endpoint, error_code& ec)
  {
    socket_ops::bind(impl.socket_, endpoint.data(), endpoint.size(), ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  template <class Option>
  error_code set_option(implementation_type& impl, const Option& option, error_code& ec)
  {
    const protocol_type& p = impl.protocol_;
    socket_ops::setsockopt(impl.socket_, impl.state_, option.level(p), option.name(p), option.data(p), option.size(p),
                           ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  template <class Option>
  error_code get_option(const implementation_type& impl, Option& option, error_code& ec) const
  {
    const protocol_type& p = impl.protocol_;
    std::size_t size = option.size(p);
    socket_ops::getsockopt(impl.socket_, impl.state_, option.level(p), option.name(p), option.data(p), &size, ec);
    if (!ec)
      option.resize(p, size);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  endpoint_type local_endpoint(const implementation_type& impl, error_code& ec) const
  {
    endpoint_type endpoint;
    std::size_t size = endpoint.capacity();
    if (socket_ops::getsockname(impl.socket_, endpoint.data(), &size, ec))
    {
      BOOST_ASIO_ERROR_LOCATION(ec);
      return endpoint_type();
    }
    endpoint.resize(size);
    return endpoint;
  }

  endpoint_type remote_endpoint(const implementation_type& impl, error_code& ec) const
  {
    endpoint_type endpoint;
    std::size_t size = endpoint.capacity();
    if (socket_ops::getpeername(impl.socket_, endpoint.data(), &size, false, ec))
    {
      BOOST_ASIO_ERROR_LOCATION(ec);
      return endpoint_type();
    }
    endpoint.resize(size);
    return endpoint;
  }

  error_code shutdown(base_implementation_type& impl, asio::socket_base::shutdown_type what, error_code& ec)
  {
    engine_.submit_operations_of(impl.object_);
    socket_ops::shutdown(impl.socket_, what, ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  // --- Datagrams ------------------------------------------------------------------------------------------------

  template <class Sequence>
  std::size_t send_to(implementation_type& impl, const Sequence& sequence, const endpoint_type& destination,
                      message_flags flags, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::const_buffer, Sequence> b(sequence);
    const std::size_t n = socket_ops::sync_sendto(impl.socket_, impl.state_, b.vectors(), b.count(), flags,
                                                  destination.data(), destination.size(), ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return n;
  }

  std::size_t send_to(implementation_type& impl, const asio::null_buffers&, const endpoint_type&, message_flags,
                      error_code& ec)
  {
    before_blocking_call(impl);
    socket_ops::poll_write(impl.socket_, impl.state_, -1, ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return 0;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_send_to(implementation_type& impl, const Sequence& sequence, const endpoint_type& destination,
                     message_flags flags, Handler& handler, const IoExecutor& io_executor)
  {
    start<transfer_operation<send_to_intent<Sequence, endpoint_type>, Handler, IoExecutor>>(
      impl, core::direction::write, "async_send_to", handler, io_executor, always_in_kernel(), impl.socket_, sequence,
      destination, flags);
  }

  template <class Handler, class IoExecutor>
  void async_send_to(implementation_type& impl, const asio::null_buffers&, const endpoint_type&, message_flags,
                     Handler& handler, const IoExecutor& io_executor)
  {
    start_readiness(impl, POLLOUT, "async_send_to(null_buffers)", handler, io_executor);
  }

  template <class Sequence>
  std::size_t receive_from(implementation_type& impl, const Sequence& sequence, endpoint_type& sender,
                           message_flags flags, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::mutable_buffer, Sequence> b(sequence);
    std::size_t size = sender.capacity();
    const std::size_t n =
      socket_ops::sync_recvfrom(impl.socket_, impl.state_, b.vectors(), b.count(), flags, sender.data(), &size, ec);
    if (!ec)
      sender.resize(size);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return n;
  }

  std::size_t receive_from(implementation_type& impl, const asio::null_buffers&, endpoint_type& sender, message_flags,
                           error_code& ec)
  {
    before_blocking_call(impl);
    socket_ops::poll_read(impl.socket_, impl.state_, -1, ec);
    // Nothing is received, so there is nobody it could be from.
    sender = endpoint_type();
    BOOST_ASIO_ERROR_LOCATION(ec);
    return 0;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_receive_from(implementation_type& impl, const Sequence& sequence, endpoint_type& sender,
                          message_flags flags, Handler& handler, const IoExecutor& io_executor)
  {
    start<transfer_operation<receive_from_intent<Sequence, endpoint_type>, Handler, IoExecutor>>(
      impl, receive_queue(flags), "async_receive_from", handler, io_executor,
      unless_empty_and_when_ready{false, is_urgent(flags)}, impl.socket_, sequence, sender, flags);
  }

  template <class Handler, class IoExecutor>
  void async_receive_from(implementation_type& impl, const asio::null_buffers&, endpoint_type& sender,
                          message_flags flags, Handler& handler, const IoExecutor& io_executor)
  {
    sender = endpoint_type();
    start_readiness(impl, receive_events(flags), "async_receive_from(null_buffers)", handler, io_executor);
  }

  // --- Connections ----------------------------------------------------------------------------------------------

  template <class Socket>
  error_code accept(implementation_type& impl, Socket& peer, endpoint_type* peer_endpoint, error_code& ec)
  {
    if (peer.is_open())
    {
      ec = asio::error::already_open;
      BOOST_ASIO_ERROR_LOCATION(ec);
      return ec;
    }
    before_blocking_call(impl);
    std::size_t size = peer_endpoint ? peer_endpoint->capacity() : 0;
    asio_detail::socket_holder fd(socket_ops::sync_accept(
      impl.socket_, impl.state_, peer_endpoint ? peer_endpoint->data() : nullptr, peer_endpoint ? &size : nullptr, ec));
    if (fd.get() != asio_detail::invalid_socket)
    {
      if (peer_endpoint)
        peer_endpoint->resize(size);
      peer.assign(impl.protocol_, fd.get(), ec);
      if (!ec)
        fd.release();
    }
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  template <class Socket, class Handler, class IoExecutor>
  void async_accept(implementation_type& impl, Socket& peer, endpoint_type* peer_endpoint, Handler& handler,
                    const IoExecutor& io_executor)
  {
    const auto unless_peer_is_open = [&peer](auto& op) {
      if (!peer.is_open())
        return begin::in_kernel;
      op.intent().refuse();
      return begin::complete_at_once;
    };
    start<plain_operation<accept_intent<Protocol, Socket>, Handler, IoExecutor>>(
      impl, core::direction::read, "async_accept", handler, io_executor, unless_peer_is_open, impl.socket_, impl.state_,
      peer, impl.protocol_, peer_endpoint);
  }

  template <class PeerIoExecutor, class Handler, class IoExecutor>
  void async_move_accept(implementation_type& impl, const PeerIoExecutor& peer_executor, endpoint_type* peer_endpoint,
                         Handler& handler, const IoExecutor& io_executor)
  {
    start<move_accept_operation<Protocol, PeerIoExecutor, Handler, IoExecutor>>(
      impl, core::direction::read, "async_accept", handler, io_executor, always_in_kernel(), peer_executor,
      impl.socket_, impl.state_, impl.protocol_, peer_endpoint);
  }

  error_code connect(implementation_type& impl, const endpoint_type& peer, error_code& ec)
  {
    before_blocking_call(impl);
    socket_ops::sync_connect(impl.socket_, peer.data(), peer.size(), ec);
    return ec;
  }

  template <class Handler, class IoExecutor>
  void async_connect(implementation_type& impl, const endpoint_type& peer, Handler& handler,
                     const IoExecutor& io_executor)
  {
    start<plain_operation<connect_intent<endpoint_type>, Handler, IoExecutor>>(
      impl, core::direction::write, "async_connect", handler, io_executor, always_in_kernel(), impl.socket_, peer);
  }
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_SOCKET_SERVICE_HPP
