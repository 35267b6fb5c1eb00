//
// asio_proactor/core/operation.hpp: what a program wants from the kernel, said without naming a kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_OPERATION_HPP
#define ASIO_PROACTOR_CORE_OPERATION_HPP

#include <cstddef>
#include <cstdint>
#include <sys/socket.h>
#include <sys/uio.h>

namespace asio_proactor::core {

struct io_object;

/// The intents a driver knows how to carry out.
enum class opcode : std::uint8_t
{
  receive,         ///< recv(2) into one buffer.
  send,            ///< send(2) from one buffer.
  receive_message, ///< recvmsg(2); where the sender's address is wanted, the message's flags are not.
  send_message,    ///< sendmsg(2).
  accept,          ///< accept4(2); the result is the new descriptor.
  connect,         ///< connect(2), complete once the connection stands or has failed.
  poll,            ///< wait until one of the events is pending; the result is the event mask.
  read,            ///< read(2), or pread(2) with an offset, into one buffer.
  write,           ///< write(2), or pwrite(2) with an offset, from one buffer.
  read_vector,     ///< readv(2) or preadv(2).
  write_vector,    ///< writev(2) or pwritev(2).
  read_fixed,      ///< as read, into a registered buffer.
  write_fixed      ///< as write, from a registered buffer.
};

/// The queue of an io_object an operation stands in.
enum class direction : std::uint8_t
{
  read,     ///< Started one after the other, so that the first gets the first bytes.
  write,    ///< The same.
  except,   ///< The same, for urgent data.
  readiness ///< Waits: all at once, and beside the transfers. One event ends every wait for it.
};

constexpr int direction_count = 4;

/// Who holds an operation at the moment.
enum class progress : std::uint8_t
{
  idle,      ///< nobody: not started, or finished and on its way to its handler.
  waiting,   ///< its io_object: an earlier operation of the same direction is not finished.
  pending,   ///< the proactor: it goes to a driver with the next turn of the loop.
  in_kernel, ///< a driver, which alone may say when it is over.
  polling    ///< a driver, waiting for readiness before the call is made.
};

/// The offset that means "the current position of the file, or none" in read, write and their relatives.
constexpr std::uint64_t current_position = ~std::uint64_t{0};

/// An intent with its arguments, its place in the queues and its result.
/**
 * The creator allocates it, together with its completion handler, and must keep it where it is from proactor::start()
 * until the proactor hands it back as finished. The memory its arguments point at (buffers, message header, address)
 * belongs to the driver for the same time. Its own address is the kernel's user_data.
 *
 * Not thread safe: whoever holds the lock of the context may touch it.
 */
struct operation
{
  // One buffer and a number that says how: message flags, or the index of a registered buffer.
  struct buffer_arguments
  {
    void* data;
    std::size_t size;
    std::uint64_t offset;
  };

  struct vector_arguments
  {
    ::iovec* vectors;
    std::size_t count;
    std::uint64_t offset;
  };

  struct message_arguments
  {
    ::msghdr* header;
  };

  // Both pointers are null when the peer's address is not wanted (accept).
  struct address_arguments
  {
    ::sockaddr* address;
    ::socklen_t* size_out;
    ::socklen_t size;
  };

  union arguments
  {
    buffer_arguments buffer;
    vector_arguments vector;
    message_arguments message;
    address_arguments address;
    unsigned events;
  };

  using watch_function = void (*)(operation&);

  operation* next_ = nullptr;        // Link in the pending or the finished queue.
  operation* object_next_ = nullptr; // Links in the io_object's queue of one direction.
  operation* object_previous_ = nullptr;
  io_object* object_ = nullptr;      // Null once the object has let go of it.
  void* cancellation_key_ = nullptr; // Names the operation to cancel_by_key().
  watch_function watch_ = nullptr;   // Set only for the library's own watches; called instead of a handler.
  arguments args_{};
  int fd_ = -1;
  int flags_ = 0;  // MSG_* flags, or the registered buffer's index.
  int result_ = 0; // Like a system call's: not negative, or -errno.
  opcode code_ = opcode::poll;
  direction direction_ = direction::read;
  progress progress_ = progress::idle;
  std::uint8_t ring_ = 0;         // Which of the context's drivers holds it.
  std::uint8_t driver_state_ = 0; // For that driver's own notes.
  bool cancel_requested_ = false; // ECANCELED is the program's wish, not the kernel's doing.
  bool cancel_sent_ = false;      // The driver has been told; telling it twice would cost a request.
  bool poll_first_ = false;       // The descriptor is O_NONBLOCK: wait for readiness, then make the call.
  bool retry_aborted_ = false;    // accept: a connection that died in the backlog is not the caller's concern.
  bool restarted_ = false;        // connect: EISCONN means that the first attempt succeeded.
  bool zero_means_end_ = false;   // For its creator: nothing read is the end of the stream.
  bool result_is_moot_ = false;   // Its descriptor was closed first: it ends as cancelled, whatever it did.

  operation() = default;
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;

protected:
  ~operation() = default;
};

/// Whether a driver holds the operation.
inline bool is_with_driver(const operation& op)
{
  return op.progress_ == progress::in_kernel || op.progress_ == progress::polling;
}

/// An intrusive first-in first-out queue of operations. Owns nothing.
class operation_queue
{
public:
  bool empty() const { return !front_; }

  void push(operation& op)
  {
    op.next_ = nullptr;
    if (back_)
      back_->next_ = &op;
    else
      front_ = &op;
    back_ = &op;
  }

  void push_front(operation& op)
  {
    op.next_ = front_;
    front_ = &op;
    if (!back_)
      back_ = &op;
  }

  operation* pop()
  {
    operation* op = front_;
    if (op)
    {
      front_ = op->next_;
      if (!front_)
        back_ = nullptr;
      op->next_ = nullptr;
    }
    return op;
  }

private:
  operation* front_ = nullptr;
  operation* back_ = nullptr;
};

/// The bookkeeping of one descriptor: its unfinished operations, in order of their start.
/**
 * Its memory is recycled by the proactor but stays readable until the proactor is destroyed, so that a cancellation
 * that comes late finds an object without its operation rather than a dangling pointer.
 */
struct io_object
{
  operation* head_[direction_count] = {};
  operation* tail_[direction_count] = {};
  io_object* next_ = nullptr; // Link in the list of live objects, or in the free list.
  io_object* previous_ = nullptr;
  io_object* cancel_next_ = nullptr; // Link in the queue of objects with cancellations to send.
  std::uint32_t in_kernel_ = 0;      // Operations that a driver holds.
  bool cancel_queued_ = false;
  bool overlapping_ = false; // Positional file operations: nothing to keep in order.
  bool closing_ = false;     // Given up by its owner: goes to the free list with its last operation.
};

/// Call f for every unfinished operation of an object. It may finish the one it is called for.
template <class Function>
void for_each_operation(io_object& object, Function f)
{
  for (operation* head : object.head_)
    for (operation *op = head, *next; op; op = next)
    {
      next = op->object_next_;
      f(*op);
    }
}

/// Whether f is true of any unfinished operation of an object. Stops at the first.
template <class Predicate>
bool any_operation(const io_object& object, Predicate f)
{
  for (operation* head : object.head_)
    for (operation* op = head; op; op = op->object_next_)
      if (f(*op))
        return true;
  return false;
}

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_OPERATION_HPP
