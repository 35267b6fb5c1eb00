//
// asio_proactor/service/socket_intents.hpp: what each asynchronous socket operation asks of the core.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_SOCKET_INTENTS_HPP
#define ASIO_PROACTOR_SERVICE_SOCKET_INTENTS_HPP

#include <asio_proactor/service/transfer_buffers.hpp>
#include <boost/asio/detail/socket_holder.hpp>
#include <boost/asio/detail/socket_ops.hpp>
#include <boost/asio/socket_base.hpp>

namespace asio_proactor::service {

namespace socket_ops = asio_detail::socket_ops;
using message_flags = asio::socket_base::message_flags;

/// What a plain transfer reports: the kernel's result, unless a stream has ended.
inline error_code transfer_outcome(const core::operation& op, std::size_t& bytes)
{
  if (op.result_ > 0)
    bytes = static_cast<std::size_t>(op.result_);
  if (op.result_ == 0 && op.zero_means_end_)
    return asio::error::eof;
  return to_error_code(op.result_);
}

/// The buffers of a stream's or a connected datagram socket's transfer: one directly, several through a message header.
template <class Buffer, class Sequence, bool IsSingle = transfer_buffers<Buffer, Sequence>::is_single>
class plain_buffers
{
public:
  explicit plain_buffers(const Sequence& sequence) : buffers_(sequence) {}

  void describe(core::operation& op, const Sequence&, message_flags flags, core::opcode, core::opcode several)
  {
    header_.msg_iov = buffers_.vectors();
    header_.msg_iovlen = buffers_.count();
    op.code_ = several;
    op.args_.message = {&header_, flags};
  }

  void validate() const { buffers_.validate(); }

private:
  transfer_buffers<Buffer, Sequence> buffers_;
  ::msghdr header_{};
};

template <class Buffer, class Sequence>
class plain_buffers<Buffer, Sequence, true> : public single_buffer<Buffer, Sequence>
{
public:
  using single_buffer<Buffer, Sequence>::single_buffer;

  void describe(core::operation& op, const Sequence& sequence, message_flags flags, core::opcode one, core::opcode)
  {
    op.code_ = one;
    op.args_ = one_buffer(this->vector(sequence), flags);
  }
};

/// recv.
template <class Sequence>
class receive_intent : private plain_buffers<asio::mutable_buffer, Sequence>
{
  using buffers = plain_buffers<asio::mutable_buffer, Sequence>;

public:
  receive_intent(core::operation& op, int fd, socket_ops::state_type state, const Sequence& sequence,
                 message_flags flags)
    : buffers(sequence)
  {
    op.fd_ = fd;
    // Reading nothing from a stream is no end of it.
    op.zero_means_end_ = (state & socket_ops::stream_oriented) != 0 &&
                         !transfer_buffers<asio::mutable_buffer, Sequence>::all_empty(sequence);
    buffers::describe(op, sequence, flags, core::opcode::receive, core::opcode::receive_message);
    if constexpr (asio_detail::buffer_sequence_adapter<asio::mutable_buffer, Sequence>::is_registered_buffer)
      if (flags == 0)
      {
        op.code_ = core::opcode::read_fixed;
        op.args_.buffer.flags = buffers::registered_index(sequence);
      }
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers::validate();
    return transfer_outcome(op, bytes);
  }
};

/// send.
/**
 * A registered buffer is sent like any other: the kernel offers fixed buffers to sockets only through write, which
 * raises SIGPIPE, and a copying send would gain nothing from them.
 */
template <class Sequence>
class send_intent : private plain_buffers<asio::const_buffer, Sequence>
{
  using buffers = plain_buffers<asio::const_buffer, Sequence>;

public:
  send_intent(core::operation& op, int fd, const Sequence& sequence, message_flags flags) : buffers(sequence)
  {
    op.fd_ = fd;
    buffers::describe(op, sequence, flags | MSG_NOSIGNAL, core::opcode::send, core::opcode::send_message);
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers::validate();
    return transfer_outcome(op, bytes);
  }
};

/// recvmsg that also reports the message's flags.
template <class Sequence>
class receive_with_flags_intent
{
public:
  using buffers = transfer_buffers<asio::mutable_buffer, Sequence>;

  receive_with_flags_intent(core::operation& op, int fd, socket_ops::state_type state, const Sequence& sequence,
                            message_flags in_flags, message_flags& out_flags)
    : out_flags_(out_flags),
      buffers_(sequence)
  {
    header_.msg_iov = buffers_.vectors();
    header_.msg_iovlen = buffers_.count();
    op.code_ = core::opcode::receive_message;
    op.fd_ = fd;
    op.zero_means_end_ = (state & socket_ops::stream_oriented) != 0;
    op.args_.message = {&header_, in_flags};
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    out_flags_ = op.result_ < 0 ? 0 : header_.msg_flags;
    return transfer_outcome(op, bytes);
  }

private:
  message_flags& out_flags_;
  buffers buffers_;
  ::msghdr header_{};
};

/// recvfrom.
template <class Sequence, class Endpoint>
class receive_from_intent
{
public:
  using buffers = transfer_buffers<asio::mutable_buffer, Sequence>;

  receive_from_intent(core::operation& op, int fd, const Sequence& sequence, Endpoint& sender, message_flags flags)
    : sender_(sender),
      buffers_(sequence)
  {
    header_.msg_name = sender_.data();
    header_.msg_namelen = static_cast<::socklen_t>(sender_.capacity());
    header_.msg_iov = buffers_.vectors();
    header_.msg_iovlen = buffers_.count();
    op.code_ = core::opcode::receive_message;
    op.fd_ = fd;
    op.args_.message = {&header_, flags};
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    if (op.result_ >= 0)
      sender_.resize(header_.msg_namelen);
    return transfer_outcome(op, bytes);
  }

private:
  Endpoint& sender_;
  buffers buffers_;
  ::msghdr header_{};
};

/// sendto.
template <class Sequence, class Endpoint>
class send_to_intent
{
public:
  using buffers = transfer_buffers<asio::const_buffer, Sequence>;

  send_to_intent(core::operation& op, int fd, const Sequence& sequence, const Endpoint& destination,
                 message_flags flags)
    : destination_(destination),
      buffers_(sequence)
  {
    header_.msg_name = destination_.data();
    header_.msg_namelen = static_cast<::socklen_t>(destination_.size());
    header_.msg_iov = buffers_.vectors();
    header_.msg_iovlen = buffers_.count();
    op.code_ = core::opcode::send_message;
    op.fd_ = fd;
    op.args_.message = {&header_, flags | MSG_NOSIGNAL};
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    return transfer_outcome(op, bytes);
  }

private:
  Endpoint destination_;
  buffers buffers_;
  ::msghdr header_{};
};

/// Readiness of any descriptor.
class wait_intent
{
public:
  static constexpr bool has_memory_of_its_own = false;

  wait_intent(core::operation& op, int fd, unsigned events)
  {
    op.code_ = core::opcode::poll;
    op.fd_ = fd;
    op.args_.events = events;
  }

  // Which events came is not the handler's business: an error shows when the program uses the descriptor.
  error_code outcome(core::operation& op, std::size_t&) { return to_error_code(op.result_); }
  void deliver(error_code&) {}
};

/// connect.
template <class Endpoint>
class connect_intent
{
public:
  static constexpr bool has_memory_of_its_own = false;

  connect_intent(core::operation& op, int fd, const Endpoint& peer) : peer_(peer)
  {
    op.code_ = core::opcode::connect;
    op.fd_ = fd;
    op.args_.address = {static_cast<::sockaddr*>(static_cast<void*>(peer_.data())),
                        static_cast<::socklen_t>(peer_.size())};
  }

  error_code outcome(core::operation& op, std::size_t&) { return to_error_code(op.result_); }
  void deliver(error_code&) {}

private:
  Endpoint peer_;
};

/// accept into a socket object of the program.
template <class Protocol, class Socket>
class accept_intent
{
public:
  static constexpr bool has_memory_of_its_own = true;

  using endpoint_type = typename Protocol::endpoint;

  accept_intent(core::operation& op, int fd, socket_ops::state_type state, Socket& peer, const Protocol& protocol,
                endpoint_type* peer_endpoint)
    : peer_(peer),
      protocol_(protocol),
      peer_endpoint_(peer_endpoint)
  {
    op.code_ = core::opcode::accept;
    op.fd_ = fd;
    op.retry_aborted_ = (state & socket_ops::enable_connection_aborted) == 0;
    op.args_.accept = {nullptr, nullptr};
    if (!peer_endpoint_)
      return;
    address_size_.capacity = static_cast<::socklen_t>(peer_endpoint_->capacity());
    op.args_.accept = {static_cast<::sockaddr*>(static_cast<void*>(peer_endpoint_->data())), &address_size_};
  }

  /// The peer was open already, so there is nothing to accept into.
  void refuse() { is_refused_ = true; }

  error_code outcome(core::operation& op, std::size_t&)
  {
    if (is_refused_)
      return asio::error::already_open;
    // Owned from here on, so that it is closed if no handler takes it.
    if (op.result_ >= 0)
      new_socket_.reset(op.result_);
    return to_error_code(op.result_);
  }

  void deliver(error_code& ec)
  {
    if (new_socket_.get() == asio_detail::invalid_socket)
      return;
    if (peer_endpoint_)
      peer_endpoint_->resize(address_size_.used);
    peer_.assign(protocol_, new_socket_.get(), ec);
    if (!ec)
      new_socket_.release();
  }

private:
  bool is_refused_ = false;
  core::address_size address_size_;
  asio_detail::socket_holder new_socket_;
  Socket& peer_;
  Protocol protocol_;
  endpoint_type* peer_endpoint_;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_SOCKET_INTENTS_HPP
