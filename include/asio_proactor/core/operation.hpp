//
// asio_proactor/core/operation.hpp: what a program wants from the kernel, said without naming a kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_OPERATION_HPP
#define ASIO_PROACTOR_CORE_OPERATION_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric>
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

/// Which other operations of its io_object an operation stands behind. A bit each.
enum class direction : std::uint8_t
{
  read = 1,     ///< Started one after the other, so that the first gets the first bytes.
  write = 2,    ///< The same.
  except = 4,   ///< The same, for urgent data.
  readiness = 8 ///< Waits: all at once, and beside the transfers. One event ends every wait for it.
};

/// Who holds an operation at the moment.
enum class progress : std::uint8_t
{
  idle,      ///< nobody: not started, or finished and on its way to its handler.
  waiting,   ///< its io_object: an earlier operation of the same direction is not finished.
  pending,   ///< the proactor: it goes to a driver with the next turn of the loop.
  in_kernel, ///< a driver, which alone may say when it is over.
  polling,   ///< a driver, waiting for readiness before the call is made.
  in_call    ///< one of several threads, which makes its call without the lock.
};

/// The offset that means "the current position of the file, or none" in read, write and their relatives.
constexpr std::uint64_t current_position = ~std::uint64_t{0};

/// What the kernel transfers at most in one call. A shorter transfer than asked for is always allowed.
constexpr std::size_t longest_transfer = 0x7ffff000;

/// The size of an address that accept writes, and the room it has, which every attempt is told anew.
struct address_size
{
  ::socklen_t used = 0;
  ::socklen_t capacity = 0;
};

/// An intent with its arguments, its place in the queues and its result.
/**
 * The creator allocates it, together with its completion handler, and must keep it where it is from proactor::start()
 * until the proactor hands it back as finished. The memory its arguments point at (buffers, message header, address)
 * belongs to the driver for the same time. Its own address is the kernel's user_data.
 *
 * Not thread safe: whoever holds the lock of the context may touch it. Its arguments belong to the thread that makes its call.
 *
 * There is one for each idle connection, so it has no room for what few operations need: see extended_operation and watch.
 */
struct operation
{
  struct buffer_arguments
  {
    void* data;
    std::uint32_t size;
    int flags; // MSG_* flags, or the registered buffer's index.
  };

  struct vector_arguments
  {
    ::iovec* vectors;
    std::uint32_t count;
  };

  struct message_arguments
  {
    ::msghdr* header;
    int flags;
  };

  struct address_arguments
  {
    ::sockaddr* address;
    ::socklen_t size;
  };

  // Both are null when the peer's address is not wanted.
  struct accept_arguments
  {
    ::sockaddr* address;
    address_size* size;
  };

  union arguments
  {
    buffer_arguments buffer;   // receive, send, read, write, read_fixed, write_fixed
    vector_arguments vector;   // read_vector, write_vector
    message_arguments message; // receive_message, send_message
    address_arguments address; // connect
    accept_arguments accept;
    unsigned events; // poll
  };

  operation* next_ = nullptr;        // Link in the pending or the finished queue.
  operation* object_next_ = nullptr; // Links in the io_object's list.
  operation* object_previous_ = nullptr;
  io_object* object_ = nullptr; // Null once the object has let go of it.
  arguments args_{};
  int fd_ = -1;
  int result_ = 0; // Like a system call's: not negative, or -errno.
  opcode code_ = opcode::poll;
  direction direction_ = direction::read;
  progress progress_ = progress::idle;
  std::uint8_t ring_ = 0;         // Which of the context's drivers holds it.
  std::uint8_t driver_state_ = 0; // For the notes of the driver that holds it.

  // Said before it is started.
  bool retry_aborted_ : 1;  // accept: a connection that died in the backlog is not the caller's concern.
  bool zero_means_end_ : 1; // For its creator: nothing read is the end of the stream.
  bool is_extended_ : 1;    // It is an extended_operation.
  bool is_watch_ : 1;       // It is a watch.

  bool restarted_ = false; // connect: EISCONN means that the first attempt succeeded.

  // In a byte of their own: those above may be read without the lock.
  bool cancel_requested_ : 1; // ECANCELED is the program's wish, not the kernel's doing.
  bool cancel_sent_ : 1;      // The driver has been told; telling it twice would cost a request.
  bool poll_first_ : 1;       // The descriptor is O_NONBLOCK: wait for readiness, then make the call.
  bool result_is_moot_ : 1;   // Its descriptor was closed first: it ends as cancelled, whatever it did.

  operation()
    : retry_aborted_(false),
      zero_means_end_(false),
      is_extended_(false),
      is_watch_(false),
      cancel_requested_(false),
      cancel_sent_(false),
      poll_first_(false),
      result_is_moot_(false)
  {}

  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;

protected:
  ~operation() = default;
};

static_assert(sizeof(void*) != 8 || sizeof(operation) == 64, "each idle connection has one");

/// An operation at a position of a file, or one that may be cancelled by itself.
struct extended_operation : operation
{
  std::uint64_t offset_ = current_position;
  void* cancellation_key_ = nullptr; // Names the operation to cancel_by_key().

  extended_operation() { is_extended_ = true; }

protected:
  ~extended_operation() = default;
};

/// An operation of the library's own, which ends in a function instead of a handler.
struct watch : operation
{
  using function = void (*)(watch&);

  explicit watch(function fired) : fired_(fired) { is_watch_ = true; }

  const function fired_; // Called without the lock.

protected:
  ~watch() = default;
};

inline std::uint64_t offset_of(const operation& op)
{
  return op.is_extended_ ? static_cast<const extended_operation&>(op).offset_ : current_position;
}

/// The bytes of all buffers together.
inline std::size_t total_size(const ::iovec* vectors, std::size_t count)
{
  return std::accumulate(vectors, vectors + count, std::size_t{0},
                         [](std::size_t sum, const ::iovec& each) { return sum + each.iov_len; });
}

/// Whether it is a transfer of a socket with buffers for that many bytes.
inline bool may_transfer(const operation& op, std::size_t bytes)
{
  switch (op.code_)
  {
  case opcode::receive:
  case opcode::send: return op.args_.buffer.size >= bytes;
  case opcode::receive_message:
  case opcode::send_message:
    return total_size(op.args_.message.header->msg_iov, op.args_.message.header->msg_iovlen) >= bytes;
  default: return false;
  }
}

/// Where an accept writes the size of its peer's address: for each attempt again with the room there is. May be null.
inline ::socklen_t* size_for_accept(operation& op)
{
  address_size* size = op.args_.accept.size;
  if (!size)
    return nullptr;
  size->used = size->capacity;
  return &size->used;
}

inline void* cancellation_key_of(const operation& op)
{
  return op.is_extended_ ? static_cast<const extended_operation&>(op).cancellation_key_ : nullptr;
}

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

  /// The operation, if there is one and no other.
  operation* only() const { return front_ == back_ ? front_ : nullptr; }

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

  /// Take out one that is in the queue.
  void remove(operation& op)
  {
    operation* before = nullptr;
    operation** link = &front_;
    while (*link != &op)
    {
      before = *link;
      link = &before->next_;
    }
    *link = op.next_;
    if (back_ == &op)
      back_ = before;
    op.next_ = nullptr;
  }

private:
  operation* front_ = nullptr;
  operation* back_ = nullptr;
};

/// Bits that are written with the lock of the context held, and may be read without it.
class published_bits
{
public:
  published_bits() = default;
  published_bits(const published_bits& other) : bits_(other.all()) {}
  published_bits& operator=(const published_bits& other)
  {
    bits_.store(other.all(), std::memory_order_release);
    return *this;
  }

  bool has(std::uint8_t bits) const { return (all() & bits) != 0; }

  /// Returns whether none of them was set.
  bool set(std::uint8_t bits)
  {
    const std::uint8_t before = all();
    bits_.store(before | bits, std::memory_order_release);
    return (before & bits) == 0;
  }

  void clear(std::uint8_t bits) { bits_.store(all() & static_cast<std::uint8_t>(~bits), std::memory_order_release); }

private:
  std::uint8_t all() const { return bits_.load(std::memory_order_acquire); }

  std::atomic<std::uint8_t> bits_{0};
};

/// The bookkeeping of one descriptor: its unfinished operations, in order of their start.
/**
 * Its memory is recycled by the proactor but stays readable until the proactor is destroyed, so that a cancellation
 * that comes late finds an object without its operation rather than a dangling pointer.
 */
struct io_object
{
  operation* first_ = nullptr;  // Its object_previous_ is the last one.
  io_object* next_ = nullptr;   // Link in the queue of objects with cancellations to send, or in the free list.
  std::uint32_t in_kernel_ = 0; // Operations that a driver holds.
  published_bits busy_;         // The directions in order that have an operation under way.
  std::uint8_t may_wait_ = 0;   // Those in which others may stand behind it.
  std::uint8_t attempts_to_skip_ = 0;
  bool cancel_queued_ : 1;
  bool closing_ : 1;                 // Given up by its owner: goes to the free list with its last operation.
  bool overlapping_ : 1;             // Positional file operations: nothing to keep in order.
  std::uint8_t futile_attempts_ : 3; // At what stands in line, or at cached reads, one after the other.
  bool has_cache_ : 1;               // A file that can be asked for what is in memory.
  bool cache_is_known_ : 1;          // Whether that is so.

  io_object()
    : cancel_queued_(false),
      closing_(false),
      overlapping_(false),
      futile_attempts_(0),
      has_cache_(false),
      cache_is_known_(false)
  {}

  /// What was attempted in vain is left to the driver the next few times, and ever more times up to 30.
  void note_attempt(bool was_good)
  {
    constexpr unsigned most = 5;
    futile_attempts_ = was_good ? 0 : std::min(futile_attempts_ + 1u, most) & 7u;
    attempts_to_skip_ = was_good ? 0 : static_cast<std::uint8_t>((1u << futile_attempts_) - 2);
  }

  /// Whether the next attempt is one of those. Asked once for each.
  bool skips_attempt()
  {
    const bool is_to_skip = attempts_to_skip_ != 0;
    attempts_to_skip_ -= is_to_skip;
    return is_to_skip;
  }

  /// The bit of a direction, or none if its operations may be under way together.
  std::uint8_t bit_in_order(direction d) const
  {
    return overlapping_ ? 0 : static_cast<std::uint8_t>(static_cast<unsigned>(d) & bits_in_order);
  }

  void append(operation& op)
  {
    op.object_next_ = nullptr;
    if (first_)
    {
      op.object_previous_ = first_->object_previous_;
      op.object_previous_->object_next_ = &op;
    }
    else
      first_ = &op;
    first_->object_previous_ = &op;
  }

  void remove(operation& op)
  {
    operation* next = op.object_next_;
    if (first_ == &op)
      first_ = next;
    else
      op.object_previous_->object_next_ = next;
    if (operation* follower = next ? next : first_)
      follower->object_previous_ = op.object_previous_;
    op.object_next_ = op.object_previous_ = nullptr;
  }

private:
  static constexpr std::uint8_t bits_in_order = static_cast<unsigned>(direction::read) |
                                                static_cast<unsigned>(direction::write) |
                                                static_cast<unsigned>(direction::except);
};

static_assert(sizeof(void*) != 8 || sizeof(io_object) == 24, "each connection has one");

/// Call f for every unfinished operation of an object. It may finish the one it is called for.
template <class Function>
void for_each_operation(io_object& object, Function f)
{
  for (operation *op = object.first_, *next; op; op = next)
  {
    next = op->object_next_;
    f(*op);
  }
}

/// Whether f is true of any unfinished operation of an object. Stops at the first.
template <class Predicate>
bool any_operation(const io_object& object, Predicate f)
{
  for (operation* op = object.first_; op; op = op->object_next_)
    if (f(*op))
      return true;
  return false;
}

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_OPERATION_HPP
