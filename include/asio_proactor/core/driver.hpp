//
// asio_proactor/core/driver.hpp: the boundary between the proactor and one kernel interface.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_DRIVER_HPP
#define ASIO_PROACTOR_CORE_DRIVER_HPP

#include <asio_proactor/core/operation.hpp>
#include <asio_proactor/core/wake_event.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/uio.h>
#include <system_error>

namespace asio_proactor::core {

/// How long enter() may wait for a first completion.
struct wait_limit
{
  static constexpr std::int64_t forever = -1;
  static constexpr std::int64_t no_wait = 0;

  std::int64_t nanoseconds = no_wait;
};

/// Takes what a driver has finished.
class completion_sink
{
public:
  /// The kernel is done with op; result is what a system call would have returned, or -errno.
  virtual void completed(operation& op, int result) = 0;

protected:
  ~completion_sink() = default;
};

/// Calls that have become due, taken out of a driver to be made without the lock of the context.
struct due_calls
{
  static constexpr unsigned most = 16;

  operation* ops[most];
  int results[most];
  unsigned count = 0;
  std::uint32_t news_before[most]; // Of their descriptors, before the calls were made.
};

/// One queue of requests to a kernel, and the completions that come back.
/**
 * Every function except enter() and news_of() is called with the lock of the context held. enter() is called without it, by one
 * or several threads as the driver's use allows. A driver never calls a handler and never finishes an operation
 * inside submit() or cancel(): results come through collect() only.
 */
class driver
{
public:
  virtual ~driver() = default;

  /// Stage an operation. Returns false when there is no room before the next enter().
  virtual bool submit(operation& op) = 0;

  /// Stage a request to cancel an operation that this driver holds; the operation finishes through collect() in any
  /// case, with -ECANCELED unless something else happened first. Returns false when there is no room.
  virtual bool cancel(operation& op) = 0;

  /// Requests staged and not yet handed to the kernel.
  virtual unsigned staged() const = 0;

  /// Whether an enter() without waiting would find something to do: requests to hand over or completions to collect.
  virtual bool has_news() const = 0;

  /// Whether the next turn has to enter(), or has enough to collect without. Asked once in each turn, before prepare_enter().
  virtual bool is_to_enter() { return true; }

  /// Make staged requests visible to the next enter() of any thread, and the driver ready to be woken up.
  virtual void prepare_enter() = 0;

  /// Hand over what is prepared and wait until a completion is there, the wake_event is signalled or the limit has passed.
  virtual void enter(wait_limit limit) = 0;

  /// In place of enter(): only hand over. Requests under way make no progress by it, as far as the kernel leaves that to the driver.
  virtual void flush() { enter(wait_limit{}); }

  /// Stage what it takes to not be woken up any more, as nobody is going to wait here until the next prepare_enter().
  virtual void rest() = 0;

  /// Pass every available completion to the sink.
  virtual void collect(completion_sink& sink) = 0;

  /// Whether submit() makes the call by itself where that cannot block, so that its result is there to be collected at once.
  virtual bool calls_in_submit() const = 0;

  /// Make the calls of socket transfers that stand in line on one descriptor and that no driver holds, in their order and
  /// without blocking, until one would block. By system calls, unless a driver knows another kernel than this one.
  /** @return How many are over. The result of each is in results. */
  virtual unsigned attempt_line(operation* const* line, unsigned count, int* results);

  /// Read at a position of a file what is in memory, without waiting for a disk; nothing unless that is all of a small read.
  /** By a system call, unless a driver knows another kernel. */
  virtual std::optional<int> attempt_cached_read(operation& op);

  // Where submit() makes calls, several threads may make them in its place, without the lock: the one that starts an
  // operation attempts it, and the one that collects takes out what collect() would do.

  /// A number that changes when events of a descriptor have come, and of few others. Any thread.
  virtual std::uint32_t news_of(int /* fd */) const { return 0; }

  /// A call made without the lock would have blocked. Hold its operation until an event comes, as submit() would, unless
  /// there have been news since, or the descriptor is not watched yet. Returns false then: the operation is to be submitted.
  virtual bool hold_after_call(operation&, std::uint32_t /* news_before */) { return false; }

  /// Take out calls that have become due, as many as fit. The driver goes on to hold their operations.
  virtual void take_due_calls(due_calls&) {}

  /// In place of collect(), once those calls have been made.
  virtual void collect_calls(const due_calls&, completion_sink&) {}

  /// Whether a request under way goes on with the file it was made for when the descriptor has been closed.
  virtual bool requests_hold_files() const = 0;

  /// A descriptor without operations is about to be closed, or to be given to somebody else.
  virtual void forget(int fd, bool is_closed) = 0;

  /// The program has changed the blocking mode of a descriptor.
  virtual void mode_changed(int fd) = 0;

  /// The process is going to fork; no operation is here.
  virtual void prepare_fork() = 0;

  /// Make buffers known to the kernel for read_fixed and write_fixed. Replaces nothing: one table at a time.
  virtual std::error_code register_buffers(const ::iovec* buffers, unsigned count) = 0;
  virtual void unregister_buffers() = 0;
};

/// Who is going to enter a driver.
enum class driver_use
{
  any_thread, ///< Threads that come and go, several at once.
  one_thread  ///< The thread that created it, and no other, until it is destroyed.
};

/// What a driver is, for people and for programs that want to know.
struct driver_description
{
  std::string name;   ///< "uring" or "epoll".
  std::string detail; ///< The features in use, or why it is epoll; for the log.
};

/// Creates drivers of the kind that was chosen for a context.
class driver_factory
{
public:
  virtual ~driver_factory() = default;

  /// Returns null when this kind of driver offers nothing better for the use than any_thread.
  /** @throws std::system_error for any_thread only, when the kernel refuses. */
  virtual std::unique_ptr<driver> create(driver_use use, wake_event& wake) = 0;

  virtual driver_description describe() const = 0;
};

/// Choose the kind of driver for a new context.
/**
 * It is io_uring, or epoll where io_uring is forbidden or too old. The environment variable ASIO_PROACTOR_DRIVER names
 * one of "uring" and "epoll", strictly, or "auto"; where it is not set the program's configuration does.
 *
 * @param configured What the program wants, one of the same three names, or empty.
 * @throws std::system_error when the named kind does not work here, or when memory or descriptors are short. The message
 * says what was refused and what to do about it.
 */
std::unique_ptr<driver_factory> choose_driver(const std::string& configured = {});

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_DRIVER_HPP
