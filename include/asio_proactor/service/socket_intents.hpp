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
inline error_code transfer_outcome(const core::operation& op, std::size_t& bytes, bool zero_means_end = false)
{
  if (op.result_ > 0)
    bytes = static_cast<std::size_t>(op.result_);
  if (op.result_ == 0 && zero_means_end)
    return asio::error::eof;
  return to_error_code(op.result_);
}

struct no_header
{};

/// A header is only there where the call needs one: it is as large as the rest of a small operation.
template <class Buffers>
using header_if_needed = std::conditional_t<Buffers::is_single, no_header, ::msghdr>;

/// recv: one buffer directly, several through a message header.
template <class Sequence>
class receive_intent
{
public:
  using buffers = transfer_buffers<asio::mutable_buffer, Sequence>;

  receive_intent(int fd, socket_ops::state_type state, const Sequence& sequence, message_flags flags)
    : fd_(fd),
      flags_(flags),
      // Reading nothing from a stream is no end of it.
      is_stream_((state & socket_ops::stream_oriented) != 0 && !buffers::all_empty(sequence)),
      buffers_(sequence)
  {}

  void prepare(core::operation& op)
  {
    op.fd_ = fd_;
    op.flags_ = flags_;
    if constexpr (buffers::is_single)
    {
      op.code_ = core::opcode::receive;
      op.args_ = one_buffer(buffers_.single());
      if constexpr (buffers::is_registered)
        if (flags_ == 0)
        {
          op.code_ = core::opcode::read_fixed;
          op.flags_ = buffers_.registered_index();
        }
    }
    else
    {
      header_.msg_iov = buffers_.vectors();
      header_.msg_iovlen = buffers_.count();
      op.code_ = core::opcode::receive_message;
      op.args_.message = {&header_};
    }
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    return transfer_outcome(op, bytes, is_stream_);
  }

private:
  int fd_;
  message_flags flags_;
  bool is_stream_;
  buffers buffers_;
  header_if_needed<buffers> header_{};
};

/// send: one buffer directly, several through a message header.
/**
 * A registered buffer is sent like any other: the kernel offers fixed buffers to sockets only through write, which
 * raises SIGPIPE, and a copying send would gain nothing from them.
 */
template <class Sequence>
class send_intent
{
public:
  using buffers = transfer_buffers<asio::const_buffer, Sequence>;

  send_intent(int fd, const Sequence& sequence, message_flags flags)
    : fd_(fd),
      flags_(flags | MSG_NOSIGNAL),
      buffers_(sequence)
  {}

  void prepare(core::operation& op)
  {
    op.fd_ = fd_;
    op.flags_ = flags_;
    if constexpr (buffers::is_single)
    {
      op.code_ = core::opcode::send;
      op.args_ = one_buffer(buffers_.single());
    }
    else
    {
      header_.msg_iov = buffers_.vectors();
      header_.msg_iovlen = buffers_.count();
      op.code_ = core::opcode::send_message;
      op.args_.message = {&header_};
    }
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    return transfer_outcome(op, bytes);
  }

private:
  int fd_;
  message_flags flags_;
  buffers buffers_;
  header_if_needed<buffers> header_{};
};

/// recvmsg that also reports the message's flags.
template <class Sequence>
class receive_with_flags_intent
{
public:
  using buffers = transfer_buffers<asio::mutable_buffer, Sequence>;

  receive_with_flags_intent(int fd, socket_ops::state_type state, const Sequence& sequence, message_flags in_flags,
                            message_flags& out_flags)
    : fd_(fd),
      in_flags_(in_flags),
      out_flags_(out_flags),
      is_stream_((state & socket_ops::stream_oriented) != 0),
      buffers_(sequence)
  {}

  void prepare(core::operation& op)
  {
    header_.msg_iov = buffers_.vectors();
    header_.msg_iovlen = buffers_.count();
    op.code_ = core::opcode::receive_message;
    op.fd_ = fd_;
    op.flags_ = in_flags_;
    op.args_.message = {&header_};
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    out_flags_ = op.result_ < 0 ? 0 : header_.msg_flags;
    return transfer_outcome(op, bytes, is_stream_);
  }

private:
  int fd_;
  message_flags in_flags_;
  message_flags& out_flags_;
  bool is_stream_;
  buffers buffers_;
  ::msghdr header_{};
};

/// recvfrom.
template <class Sequence, class Endpoint>
class receive_from_intent
{
public:
  using buffers = transfer_buffers<asio::mutable_buffer, Sequence>;

  receive_from_intent(int fd, const Sequence& sequence, Endpoint& sender, message_flags flags)
    : fd_(fd),
      flags_(flags),
      sender_(sender),
      buffers_(sequence)
  {}

  void prepare(core::operation& op)
  {
    header_.msg_name = sender_.data();
    header_.msg_namelen = static_cast<::socklen_t>(sender_.capacity());
    header_.msg_iov = buffers_.vectors();
    header_.msg_iovlen = buffers_.count();
    op.code_ = core::opcode::receive_message;
    op.fd_ = fd_;
    op.flags_ = flags_;
    op.args_.message = {&header_};
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    if (op.result_ >= 0)
      sender_.resize(header_.msg_namelen);
    return transfer_outcome(op, bytes);
  }

private:
  int fd_;
  message_flags flags_;
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

  send_to_intent(int fd, const Sequence& sequence, const Endpoint& destination, message_flags flags)
    : fd_(fd),
      flags_(flags | MSG_NOSIGNAL),
      destination_(destination),
      buffers_(sequence)
  {}

  void prepare(core::operation& op)
  {
    header_.msg_name = destination_.data();
    header_.msg_namelen = static_cast<::socklen_t>(destination_.size());
    header_.msg_iov = buffers_.vectors();
    header_.msg_iovlen = buffers_.count();
    op.code_ = core::opcode::send_message;
    op.fd_ = fd_;
    op.flags_ = flags_;
    op.args_.message = {&header_};
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    return transfer_outcome(op, bytes);
  }

private:
  int fd_;
  message_flags flags_;
  Endpoint destination_;
  buffers buffers_;
  ::msghdr header_{};
};

/// Readiness of any descriptor.
class wait_intent
{
public:
  wait_intent(int fd, unsigned events) : fd_(fd), events_(events) {}

  void prepare(core::operation& op)
  {
    op.code_ = core::opcode::poll;
    op.fd_ = fd_;
    op.args_.events = events_;
  }

  // Which events came is not the handler's business: an error shows when the program uses the descriptor.
  error_code outcome(core::operation& op, std::size_t&) { return to_error_code(op.result_); }
  void deliver(error_code&) {}

private:
  int fd_;
  unsigned events_;
};

/// connect.
template <class Endpoint>
class connect_intent
{
public:
  connect_intent(int fd, const Endpoint& peer) : fd_(fd), peer_(peer) {}

  void prepare(core::operation& op)
  {
    op.code_ = core::opcode::connect;
    op.fd_ = fd_;
    op.args_.address = {static_cast<::sockaddr*>(static_cast<void*>(peer_.data())), nullptr,
                        static_cast<::socklen_t>(peer_.size())};
  }

  error_code outcome(core::operation& op, std::size_t&) { return to_error_code(op.result_); }
  void deliver(error_code&) {}

private:
  int fd_;
  Endpoint peer_;
};

/// accept into a socket object of the program.
template <class Protocol, class Socket>
class accept_intent
{
public:
  using endpoint_type = typename Protocol::endpoint;

  accept_intent(int fd, socket_ops::state_type state, Socket& peer, const Protocol& protocol,
                endpoint_type* peer_endpoint)
    : fd_(fd),
      state_(state),
      peer_(peer),
      protocol_(protocol),
      peer_endpoint_(peer_endpoint)
  {}

  void prepare(core::operation& op)
  {
    op.code_ = core::opcode::accept;
    op.fd_ = fd_;
    op.retry_aborted_ = (state_ & socket_ops::enable_connection_aborted) == 0;
    op.args_.address = {nullptr, nullptr, 0};
    if (peer_endpoint_)
      op.args_.address = {static_cast<::sockaddr*>(static_cast<void*>(peer_endpoint_->data())), &address_size_,
                          static_cast<::socklen_t>(peer_endpoint_->capacity())};
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
      peer_endpoint_->resize(address_size_);
    peer_.assign(protocol_, new_socket_.get(), ec);
    if (!ec)
      new_socket_.release();
  }

private:
  int fd_;
  socket_ops::state_type state_;
  bool is_refused_ = false;
  ::socklen_t address_size_ = 0;
  asio_detail::socket_holder new_socket_;
  Socket& peer_;
  Protocol protocol_;
  endpoint_type* peer_endpoint_;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_SOCKET_INTENTS_HPP
