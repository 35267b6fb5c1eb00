//
// asio_proactor/drop_in/slot/io_uring_operation.hpp: the base of the one operation of Asio's own that reaches the slot.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_OPERATION_HPP
#define ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_OPERATION_HPP

#include <asio_proactor/drop_in/slot/configuration.hpp>

#include <asio_proactor/service/asio_internals.hpp>
#include <cstring>

struct io_uring_sqe;

// signal_set prepares the submission entry of its watch itself, by liburing's name. This fills in what liburing's
// function fills in, at the offsets of the kernel's ABI (linux/io_uring.h), so that programs need not have liburing's
// header, and programs that have it may call the name as well.
template <class Entry>
inline void io_uring_prep_poll_add(Entry* entry, int fd, int events)
{
  constexpr unsigned char opcode_poll_add = 6;
  constexpr std::size_t fd_offset = 4, events_offset = 28, user_data_offset = 32, user_data_size = 8, entry_size = 64;
  auto* bytes = reinterpret_cast<unsigned char*>(entry);
  std::memset(bytes, 0, user_data_offset);
  std::memset(bytes + user_data_offset + user_data_size, 0, entry_size - user_data_offset - user_data_size);
  bytes[0] = opcode_poll_add;
  std::memcpy(bytes + fd_offset, &fd, sizeof fd);
  unsigned mask = static_cast<unsigned>(events);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  mask = (mask << 16) | (mask >> 16);
#endif
  std::memcpy(bytes + events_offset, &mask, sizeof mask);
}

#include <boost/asio/detail/push_options.hpp>

namespace boost {
namespace asio {
BOOST_ASIO_INLINE_NAMESPACE_BEGIN
namespace detail {

/// As signal_set expects it: asked to wait for something, and told when it came.
class io_uring_operation : public operation
{
public:
  boost::system::error_code ec_;
  std::size_t bytes_transferred_ = 0;
  void* cancellation_key_ = nullptr;

  void prepare(::io_uring_sqe* sqe) { prepare_(this, sqe); }
  bool perform(bool after_completion) { return perform_(this, after_completion); }

  /// The descriptor that the operation wants to be watched for input.
  int descriptor()
  {
    constexpr std::size_t entry_size = 64, fd_offset = 4;
    alignas(8) unsigned char entry[entry_size] = {};
    prepare(reinterpret_cast<::io_uring_sqe*>(entry));
    int fd;
    std::memcpy(&fd, entry + fd_offset, sizeof fd);
    return fd;
  }

protected:
  typedef void (*prepare_func_type)(io_uring_operation*, ::io_uring_sqe*);
  typedef bool (*perform_func_type)(io_uring_operation*, bool);

  io_uring_operation(const boost::system::error_code& success, prepare_func_type prepare, perform_func_type perform,
                     func_type complete)
    : operation(complete),
      ec_(success),
      prepare_(prepare),
      perform_(perform)
  {}

private:
  prepare_func_type prepare_;
  perform_func_type perform_;
};

} // namespace detail
BOOST_ASIO_INLINE_NAMESPACE_END
} // namespace asio
} // namespace boost

#include <boost/asio/detail/pop_options.hpp>

#endif // ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_OPERATION_HPP
