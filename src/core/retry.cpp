//
// core/retry.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "retry.hpp"

#include <algorithm>
#include <asio_proactor/core/driver.hpp>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace asio_proactor::core {

namespace {

constexpr int no_events = 0;

ssize_t attempt_transfer(operation& op)
{
  operation::arguments& a = op.args_;
  const bool positional = offset_of(op) != current_position;
  const auto offset = static_cast<off_t>(offset_of(op));
  const auto vector_count = static_cast<int>(a.vector.count);
  switch (op.code_)
  {
  case opcode::read:
  case opcode::read_fixed:
    return positional ? ::pread(op.fd_, a.buffer.data, a.buffer.size, offset)
                      : ::read(op.fd_, a.buffer.data, a.buffer.size);
  case opcode::write:
  case opcode::write_fixed:
    return positional ? ::pwrite(op.fd_, a.buffer.data, a.buffer.size, offset)
                      : ::write(op.fd_, a.buffer.data, a.buffer.size);
  case opcode::read_vector:
    return positional ? ::preadv(op.fd_, a.vector.vectors, vector_count, offset)
                      : ::readv(op.fd_, a.vector.vectors, vector_count);
  default:
    return positional ? ::pwritev(op.fd_, a.vector.vectors, vector_count, offset)
                      : ::writev(op.fd_, a.vector.vectors, vector_count);
  }
}

// One buffer and an address: the kernel has less to copy for the older calls, which know nothing else.
bool is_plain_datagram(const ::msghdr& header)
{
  return header.msg_name && header.msg_iovlen == 1 && header.msg_controllen == 0;
}

ssize_t receive_message(int fd, ::msghdr& header, int flags)
{
  if (!is_plain_datagram(header))
    return ::recvmsg(fd, &header, flags);
  const ::iovec& buffer = *header.msg_iov;
  return ::recvfrom(fd, buffer.iov_base, buffer.iov_len, flags, static_cast<::sockaddr*>(header.msg_name),
                    &header.msg_namelen);
}

ssize_t send_message(int fd, const ::msghdr& header, int flags)
{
  if (!is_plain_datagram(header))
    return ::sendmsg(fd, &header, flags);
  const ::iovec& buffer = *header.msg_iov;
  return ::sendto(fd, buffer.iov_base, buffer.iov_len, flags, static_cast<const ::sockaddr*>(header.msg_name),
                  header.msg_namelen);
}

ssize_t make_call(operation& op)
{
  operation::arguments& a = op.args_;
  switch (op.code_)
  {
  case opcode::receive: return ::recv(op.fd_, a.buffer.data, a.buffer.size, a.buffer.flags | MSG_DONTWAIT);
  case opcode::send: return ::send(op.fd_, a.buffer.data, a.buffer.size, a.buffer.flags | MSG_DONTWAIT);
  case opcode::receive_message: return receive_message(op.fd_, *a.message.header, a.message.flags | MSG_DONTWAIT);
  case opcode::send_message: return send_message(op.fd_, *a.message.header, a.message.flags | MSG_DONTWAIT);
  case opcode::accept: return ::accept4(op.fd_, a.accept.address, size_for_accept(op), 0);
  case opcode::connect: return ::connect(op.fd_, a.address.address, a.address.size);
  default: return attempt_transfer(op);
  }
}

// Messages of one kind at the front of a line, which one system call can transfer.
unsigned messages_alike(operation* const* line, unsigned count)
{
  const operation& first = *line[0];
  if (first.code_ != opcode::receive_message && first.code_ != opcode::send_message)
    return 0;
  unsigned alike = 1;
  while (alike < count && line[alike]->code_ == first.code_ &&
         line[alike]->args_.message.flags == first.args_.message.flags)
    ++alike;
  return alike;
}

// Both calls end at the first message that fails and report it with the next call, if others went before it.
int transfer_messages(operation* const* line, unsigned count, int* results)
{
  ::mmsghdr messages[longest_line];
  for (unsigned i = 0; i < count; ++i)
    messages[i] = {*line[i]->args_.message.header, 0};
  const operation& first = *line[0];
  const int flags = first.args_.message.flags | MSG_DONTWAIT;
  const int made = first.code_ == opcode::receive_message ? ::recvmmsg(first.fd_, messages, count, flags, nullptr)
                                                          : ::sendmmsg(first.fd_, messages, count, flags);
  for (int i = 0; i < made; ++i)
  {
    *line[i]->args_.message.header = messages[i].msg_hdr;
    results[i] = static_cast<int>(messages[i].msg_len);
  }
  return made;
}

bool is_blocked_connect(const operation& op, int result)
{
  return op.code_ == opcode::connect && (result == -EINPROGRESS || result == -EALREADY);
}

// The copying is done by the thread that asks, so what is read must not take much longer than handing it to another.
constexpr std::size_t most_to_read_from_cache = std::size_t{64} * 1024;

// The buffers of a positional read.
class read_vectors
{
public:
  explicit read_vectors(const operation& op)
  {
    if (op.code_ == opcode::read_vector)
    {
      first_ = op.args_.vector.vectors;
      count_ = static_cast<int>(op.args_.vector.count);
      return;
    }
    one_ = {op.args_.buffer.data, op.args_.buffer.size};
    first_ = &one_;
    count_ = 1;
  }

  read_vectors(const read_vectors&) = delete;
  read_vectors& operator=(const read_vectors&) = delete;

  const ::iovec* first() const { return first_; }
  int count() const { return count_; }

  std::size_t size() const { return total_size(first_, static_cast<std::size_t>(count_)); }

private:
  ::iovec one_;
  const ::iovec* first_;
  int count_;
};

// A direct read would wait for the disk in spite of RWF_NOWAIT.
bool is_cached(int fd)
{
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) == 0;
}

// Positional calls need a seekable file; a pipe or terminal opened as a file is read where it stands.
bool is_ready_now(const operation& op)
{
  ::pollfd p = {op.fd_, static_cast<short>(readiness_of(op)), 0};
  return ::poll(&p, 1, 0) > 0;
}

// O_NONBLOCK for the time of a call. Stock Asio sets it for good; a request of io_uring that finds it waits for readiness.
class nonblocking_scope
{
public:
  explicit nonblocking_scope(int fd) : fd_(fd), flags_(::fcntl(fd, F_GETFL))
  {
    if (is_blocking())
      ::fcntl(fd_, F_SETFL, flags_ | O_NONBLOCK);
  }
  ~nonblocking_scope()
  {
    if (is_blocking())
      ::fcntl(fd_, F_SETFL, flags_);
  }
  nonblocking_scope(const nonblocking_scope&) = delete;
  nonblocking_scope& operator=(const nonblocking_scope&) = delete;

private:
  bool is_blocking() const { return flags_ >= 0 && !(flags_ & O_NONBLOCK); }

  const int fd_;
  const int flags_;
};

} // namespace

unsigned readiness_of(const operation& op)
{
  switch (op.code_)
  {
  case opcode::poll: return op.args_.events;
  case opcode::receive: return (op.args_.buffer.flags & MSG_OOB) ? POLLPRI : POLLIN;
  case opcode::receive_message: return (op.args_.message.flags & MSG_OOB) ? POLLPRI : POLLIN;
  case opcode::accept:
  case opcode::read:
  case opcode::read_fixed:
  case opcode::read_vector: return POLLIN;
  case opcode::send:
  case opcode::send_message:
  case opcode::connect:
  case opcode::write:
  case opcode::write_fixed:
  case opcode::write_vector: return POLLOUT;
  }
  return no_events;
}

bool wants_readiness(const operation& op, int result)
{
  return op.code_ != opcode::poll && (result == -EAGAIN || result == -EWOULDBLOCK || is_blocked_connect(op, result));
}

unsigned waking_events(unsigned events)
{
  // io_uring's poll does not wake up for EPOLLPRI (it is part of IO_ASYNC_POLL_COMMON in io_uring/poll.h, seen on 6.18),
  // but a socket signals urgent data together with EPOLLRDBAND, which is no lasting state of it.
  return (events & POLLPRI) ? events | POLLRDBAND : events;
}

bool is_to_be_repeated(const operation& op, int result)
{
  if (op.code_ == opcode::poll)
    return result >= 0 && waking_events(op.args_.events) != op.args_.events && !is_ready_now(op);
  return op.retry_aborted_ && (result == -ECONNABORTED || result == -EPROTO);
}

int final_result(const operation& op, int result)
{
  // The first attempt was taken back by the kernel after the connection had been made.
  if (op.code_ == opcode::connect && op.restarted_ && result == -EISCONN)
    return 0;
  return result;
}

int discard_result(const operation& op, int result)
{
  if (op.code_ == opcode::accept && result >= 0)
    ::close(result);
  return -ECANCELED;
}

int attempt(operation& op)
{
  for (;;)
  {
    const ssize_t transferred = make_call(op);
    const int result = transferred < 0 ? -errno : static_cast<int>(transferred);
    if (result != -EINTR && !is_to_be_repeated(op, result))
      return final_result(op, result);
  }
}

unsigned driver::attempt_line(operation* const* line, unsigned count, int* results)
{
  count = std::min(count, longest_line);
  unsigned over = 0;
  while (over < count)
  {
    if (const unsigned alike = messages_alike(line + over, count - over); alike > 1)
      if (const int made = transfer_messages(line + over, alike, results + over); made > 0)
      {
        over += static_cast<unsigned>(made);
        if (static_cast<unsigned>(made) < alike)
          return over;
        continue;
      }
    const int result = attempt(*line[over]);
    if (wants_readiness(*line[over], result))
      return over;
    results[over++] = result;
  }
  return over;
}

bool is_socket_transfer(opcode code)
{
  switch (code)
  {
  case opcode::receive:
  case opcode::send:
  case opcode::receive_message:
  case opcode::send_message: return true;
  default: return false;
  }
}

bool is_file_call(opcode code)
{
  switch (code)
  {
  case opcode::read:
  case opcode::write:
  case opcode::read_vector:
  case opcode::write_vector:
  case opcode::read_fixed:
  case opcode::write_fixed: return true;
  default: return false;
  }
}

bool is_positional_read(const operation& op)
{
  const bool is_read = op.code_ == opcode::read || op.code_ == opcode::read_vector || op.code_ == opcode::read_fixed;
  return is_read && offset_of(op) != current_position;
}

std::optional<int> driver::attempt_cached_read(operation& op)
{
  io_object& object = *op.object_;
  if (!object.cache_is_known_)
  {
    object.has_cache_ = is_cached(op.fd_);
    object.cache_is_known_ = true;
  }
  if (!object.has_cache_)
    return std::nullopt;
  const read_vectors read(op);
  const std::size_t size = read.size();
  if (size == 0 || size > most_to_read_from_cache || object.skips_attempt())
    return std::nullopt;
  const ssize_t got = ::preadv2(op.fd_, read.first(), read.count(), static_cast<off_t>(offset_of(op)), RWF_NOWAIT);
  object.has_cache_ = got >= 0 || errno != EOPNOTSUPP;
  // What is missing may be on the disk, or behind the end.
  const bool is_all = got >= 0 && static_cast<std::size_t>(got) == size;
  object.note_attempt(is_all);
  return is_all ? std::optional<int>(static_cast<int>(got)) : std::nullopt;
}

std::optional<int> attempt_without_blocking(operation& op)
{
  // Descriptors come here because they are O_NONBLOCK, but the program may have changed its mind since.
  if (!is_ready_now(op))
    return std::nullopt;
  const int result = attempt(op);
  if (wants_readiness(op, result))
    return std::nullopt;
  return result;
}

std::optional<int> attempt_without_blocking_on_any(operation& op)
{
  const nonblocking_scope for_this_call(op.fd_);
  return attempt_without_blocking(op);
}

} // namespace asio_proactor::core
