//
// asio_proactor/service/socket_service_base.hpp: the part of the socket service that does not depend on the protocol.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_SOCKET_SERVICE_BASE_HPP
#define ASIO_PROACTOR_SERVICE_SOCKET_SERVICE_BASE_HPP

#include <asio_proactor/service/socket_intents.hpp>
#include <asio_proactor/service/start_operation.hpp>
#include <boost/asio/buffer.hpp>

namespace asio_proactor::service {

class socket_service_base
{
public:
  using native_handle_type = int;

  struct base_implementation_type
  {
    int socket_ = asio_detail::invalid_socket;
    socket_ops::state_type state_ = 0;
    core::io_object* object_ = nullptr;
  };

  explicit socket_service_base(engine& e) : engine_(e) { engine_.attach_to_loop(); }

  void base_shutdown() {}

  void construct(base_implementation_type& impl) { impl = base_implementation_type(); }

  void base_move_construct(base_implementation_type& impl, base_implementation_type& other) noexcept
  {
    impl = std::exchange(other, base_implementation_type());
  }

  void base_move_assign(base_implementation_type& impl, socket_service_base&, base_implementation_type& other)
  {
    destroy(impl);
    impl = std::exchange(other, base_implementation_type());
  }

  void destroy(base_implementation_type& impl)
  {
    if (is_open(impl))
    {
      error_code ignored;
      close_descriptor(impl, true, ignored);
    }
  }

  bool is_open(const base_implementation_type& impl) const { return impl.socket_ != asio_detail::invalid_socket; }

  error_code close(base_implementation_type& impl, error_code& ec)
  {
    ec = error_code();
    if (is_open(impl))
      close_descriptor(impl, false, ec);
    // Linux has closed the descriptor even if close(2) reports an error.
    construct(impl);
    return ec;
  }

  int release(base_implementation_type& impl, error_code& ec)
  {
    if (refuse_closed(impl, ec))
      return asio_detail::invalid_socket;
    BOOST_ASIO_HANDLER_OPERATION((engine_.context(), "socket", &impl, impl.socket_, "release"));
    engine_.deregister(impl.object_, impl.socket_, core::proactor::descriptor_fate::released);
    const int fd = impl.socket_;
    construct(impl);
    return fd;
  }

  int native_handle(base_implementation_type& impl) { return impl.socket_; }

  error_code cancel(base_implementation_type& impl, error_code& ec)
  {
    if (refuse_closed(impl, ec))
      return ec;
    BOOST_ASIO_HANDLER_OPERATION((engine_.context(), "socket", &impl, impl.socket_, "cancel"));
    engine_.cancel(impl.object_);
    return ec;
  }

  bool at_mark(const base_implementation_type& impl, error_code& ec) const
  {
    return socket_ops::sockatmark(impl.socket_, ec);
  }

  std::size_t available(const base_implementation_type& impl, error_code& ec) const
  {
    return socket_ops::available(impl.socket_, ec);
  }

  error_code listen(base_implementation_type& impl, int backlog, error_code& ec)
  {
    socket_ops::listen(impl.socket_, backlog, ec);
    return ec;
  }

  template <class Command>
  error_code io_control(base_implementation_type& impl, Command& command, error_code& ec)
  {
    socket_ops::ioctl(impl.socket_, impl.state_, command.name(),
                      static_cast<asio_detail::ioctl_arg_type*>(command.data()), ec);
    engine_.mode_changed(impl.socket_);
    return ec;
  }

  bool non_blocking(const base_implementation_type& impl) const
  {
    return (impl.state_ & socket_ops::user_set_non_blocking) != 0;
  }

  error_code non_blocking(base_implementation_type& impl, bool mode, error_code& ec)
  {
    socket_ops::set_user_non_blocking(impl.socket_, impl.state_, mode, ec);
    engine_.mode_changed(impl.socket_);
    return ec;
  }

  bool native_non_blocking(const base_implementation_type& impl) const
  {
    return (impl.state_ & socket_ops::internal_non_blocking) != 0;
  }

  error_code native_non_blocking(base_implementation_type& impl, bool mode, error_code& ec)
  {
    socket_ops::set_internal_non_blocking(impl.socket_, impl.state_, mode, ec);
    engine_.mode_changed(impl.socket_);
    return ec;
  }

  error_code wait(base_implementation_type& impl, asio::socket_base::wait_type w, error_code& ec)
  {
    before_blocking_call(impl);
    switch (w)
    {
    case asio::socket_base::wait_read: socket_ops::poll_read(impl.socket_, impl.state_, -1, ec); break;
    case asio::socket_base::wait_write: socket_ops::poll_write(impl.socket_, impl.state_, -1, ec); break;
    case asio::socket_base::wait_error: socket_ops::poll_error(impl.socket_, impl.state_, -1, ec); break;
    default: ec = asio::error::invalid_argument; break;
    }
    return ec;
  }

  template <class Handler, class IoExecutor>
  void async_wait(base_implementation_type& impl, asio::socket_base::wait_type w, Handler& handler,
                  const IoExecutor& io_executor)
  {
    start<plain_operation<wait_intent, Handler, IoExecutor>>(impl, core::direction::readiness, "async_wait", handler,
                                                             io_executor, always_in_kernel(), impl.socket_,
                                                             events_of(w));
  }

  // --- Sending --------------------------------------------------------------------------------------------------

  template <class Sequence>
  std::size_t send(base_implementation_type& impl, const Sequence& sequence, message_flags flags, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::const_buffer, Sequence> b(sequence);
    if constexpr (decltype(b)::is_single)
      return socket_ops::sync_send1(impl.socket_, impl.state_, b.single().iov_base, b.single().iov_len, flags, ec);
    else
      return socket_ops::sync_send(impl.socket_, impl.state_, b.vectors(), b.count(), flags, b.all_empty(sequence), ec);
  }

  std::size_t send(base_implementation_type& impl, const asio::null_buffers&, message_flags, error_code& ec)
  {
    before_blocking_call(impl);
    socket_ops::poll_write(impl.socket_, impl.state_, -1, ec);
    return 0;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_send(base_implementation_type& impl, const Sequence& sequence, message_flags flags, Handler& handler,
                  const IoExecutor& io_executor)
  {
    start<transfer_operation<send_intent<Sequence>, Handler, IoExecutor>>(
      impl, core::direction::write, "async_send", handler, io_executor,
      unless_empty{has_nothing_for_stream<asio::const_buffer>(impl, sequence)}, impl.socket_, sequence, flags);
  }

  template <class Handler, class IoExecutor>
  void async_send(base_implementation_type& impl, const asio::null_buffers&, message_flags, Handler& handler,
                  const IoExecutor& io_executor)
  {
    start_readiness(impl, POLLOUT, "async_send(null_buffers)", handler, io_executor);
  }

  // --- Receiving ------------------------------------------------------------------------------------------------

  template <class Sequence>
  std::size_t receive(base_implementation_type& impl, const Sequence& sequence, message_flags flags, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::mutable_buffer, Sequence> b(sequence);
    if constexpr (decltype(b)::is_single)
      return socket_ops::sync_recv1(impl.socket_, impl.state_, b.single().iov_base, b.single().iov_len, flags, ec);
    else
      return socket_ops::sync_recv(impl.socket_, impl.state_, b.vectors(), b.count(), flags, b.all_empty(sequence), ec);
  }

  std::size_t receive(base_implementation_type& impl, const asio::null_buffers&, message_flags, error_code& ec)
  {
    before_blocking_call(impl);
    socket_ops::poll_read(impl.socket_, impl.state_, -1, ec);
    return 0;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_receive(base_implementation_type& impl, const Sequence& sequence, message_flags flags, Handler& handler,
                     const IoExecutor& io_executor)
  {
    start<transfer_operation<receive_intent<Sequence>, Handler, IoExecutor>>(
      impl, receive_queue(flags), "async_receive", handler, io_executor,
      unless_empty_and_when_ready{has_nothing_for_stream<asio::mutable_buffer>(impl, sequence), is_urgent(flags)},
      impl.socket_, impl.state_, sequence, flags);
  }

  template <class Handler, class IoExecutor>
  void async_receive(base_implementation_type& impl, const asio::null_buffers&, message_flags flags, Handler& handler,
                     const IoExecutor& io_executor)
  {
    start_readiness(impl, receive_events(flags), "async_receive(null_buffers)", handler, io_executor);
  }

  template <class Sequence>
  std::size_t receive_with_flags(base_implementation_type& impl, const Sequence& sequence, message_flags in_flags,
                                 message_flags& out_flags, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::mutable_buffer, Sequence> b(sequence);
    return socket_ops::sync_recvmsg(impl.socket_, impl.state_, b.vectors(), b.count(), in_flags, out_flags, ec);
  }

  std::size_t receive_with_flags(base_implementation_type& impl, const asio::null_buffers&, message_flags,
                                 message_flags& out_flags, error_code& ec)
  {
    before_blocking_call(impl);
    socket_ops::poll_read(impl.socket_, impl.state_, -1, ec);
    out_flags = 0;
    return 0;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_receive_with_flags(base_implementation_type& impl, const Sequence& sequence, message_flags in_flags,
                                message_flags& out_flags, Handler& handler, const IoExecutor& io_executor)
  {
    start<transfer_operation<receive_with_flags_intent<Sequence>, Handler, IoExecutor>>(
      impl, receive_queue(in_flags), "async_receive_with_flags", handler, io_executor,
      unless_empty_and_when_ready{false, is_urgent(in_flags)}, impl.socket_, impl.state_, sequence, in_flags,
      out_flags);
  }

  template <class Handler, class IoExecutor>
  void async_receive_with_flags(base_implementation_type& impl, const asio::null_buffers&, message_flags in_flags,
                                message_flags& out_flags, Handler& handler, const IoExecutor& io_executor)
  {
    // No message is received, so there are none to report.
    out_flags = 0;
    start_readiness(impl, receive_events(in_flags), "async_receive_with_flags(null_buffers)", handler, io_executor);
  }

protected:
  error_code do_open(base_implementation_type& impl, int family, int type, int protocol, error_code& ec)
  {
    if (refuse_open(impl, ec))
      return ec;
    asio_detail::socket_holder fd(socket_ops::socket(family, type, protocol, ec));
    if (fd.get() == asio_detail::invalid_socket)
      return ec;
    take(impl, fd.release(), type);
    ec = error_code();
    return ec;
  }

  error_code do_assign(base_implementation_type& impl, int type, int fd, error_code& ec)
  {
    if (refuse_open(impl, ec))
      return ec;
    take(impl, fd, type);
    // Somebody else may share it, and then its blocking mode is not ours to change back when it is closed.
    impl.state_ |= socket_ops::possible_dup;
    return ec;
  }

  // A socket in non-blocking mode does not wait for anything.
  void before_blocking_call(const base_implementation_type& impl)
  {
    if ((impl.state_ & socket_ops::user_set_non_blocking) == 0)
      engine_.before_blocking_call();
  }

  static bool refuse_closed(const base_implementation_type& impl, error_code& ec)
  {
    ec = impl.socket_ == asio_detail::invalid_socket ? error_code(asio::error::bad_descriptor) : error_code();
    return static_cast<bool>(ec);
  }

  static bool refuse_open(const base_implementation_type& impl, error_code& ec)
  {
    ec = impl.socket_ != asio_detail::invalid_socket ? error_code(asio::error::already_open) : error_code();
    return static_cast<bool>(ec);
  }

  static bool is_urgent(message_flags flags) { return (flags & asio::socket_base::message_out_of_band) != 0; }

  static core::direction receive_queue(message_flags flags)
  {
    return is_urgent(flags) ? core::direction::except : core::direction::read;
  }

  static unsigned receive_events(message_flags flags) { return is_urgent(flags) ? POLLPRI : POLLIN; }

  template <class Buffer, class Sequence>
  static bool has_nothing_for_stream(const base_implementation_type& impl, const Sequence& sequence)
  {
    return (impl.state_ & socket_ops::stream_oriented) != 0 && transfer_buffers<Buffer, Sequence>::all_empty(sequence);
  }

  template <class Operation, class Handler, class IoExecutor, class BeforeStart, class... Arguments>
  void start(base_implementation_type& impl, core::direction d, const char* function, Handler& handler,
             const IoExecutor& io_executor, BeforeStart before_start, Arguments&&... arguments)
  {
    start_operation<Operation>(engine_, impl.object_, d, tracked_object{"socket", &impl, impl.socket_, function},
                               handler, io_executor, before_start, std::forward<Arguments>(arguments)...);
  }

  // Operations on null_buffers report a size, though it is always zero.
  template <class Handler, class IoExecutor>
  void start_readiness(base_implementation_type& impl, unsigned events, const char* function, Handler& handler,
                       const IoExecutor& io_executor)
  {
    start<transfer_operation<wait_intent, Handler, IoExecutor>>(impl, core::direction::readiness, function, handler,
                                                                io_executor, always_in_kernel(), impl.socket_, events);
  }

  engine& engine_;

private:
  void take(base_implementation_type& impl, int fd, int type)
  {
    impl.object_ = engine_.register_object();
    impl.socket_ = fd;
    impl.state_ = type == SOCK_STREAM  ? socket_ops::stream_oriented
                  : type == SOCK_DGRAM ? socket_ops::datagram_oriented
                                       : 0;
  }

  void close_descriptor(base_implementation_type& impl, bool is_destruction, error_code& ec)
  {
    BOOST_ASIO_HANDLER_OPERATION((engine_.context(), "socket", &impl, impl.socket_, "close"));
    engine_.deregister(impl.object_, impl.socket_);
    socket_ops::close(impl.socket_, impl.state_, is_destruction, ec);
  }
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_SOCKET_SERVICE_BASE_HPP
