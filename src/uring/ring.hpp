//
// uring/ring.hpp: one io_uring instance and what it was able to get from the kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_URING_RING_HPP
#define ASIO_PROACTOR_SRC_URING_RING_HPP

#include <cstdint>
#include <liburing.h>

namespace asio_proactor::uring {

/// What set-up asked for and got.
struct ring_options
{
  unsigned entries = 0;
  unsigned completion_entries = 0;
  unsigned setup_flags = 0;
};

/// Owns the descriptor and the mappings; knows how to stage, publish, enter and reap. No locking of its own.
class ring
{
public:
  ring() = default;
  ~ring();

  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;

  /// Returns 0 or -errno.
  int open(const ring_options& options);

  /// An empty submission entry, or null when the queue is full.
  ::io_uring_sqe* next_entry() { return ::io_uring_get_sqe(&ring_); }

  /// Entries staged and not yet consumed by the kernel.
  unsigned staged() const { return ::io_uring_sq_ready(&ring_); }

  /// Make staged entries visible to enter().
  void publish();

  /// Whether completions, or work that would become completions, are there.
  bool has_completions() const;

  /// Whether completions are there that need no enter().
  bool has_queued_completions() const;

  /// Submit what is published; wait for a completion unless the limit is zero. Negative: no limit.
  void enter(std::int64_t limit_ns);

  /// Hand over published entries. Where task work is deferred, none is done.
  void submit();

  /// Spare the kernel the look-up of the descriptor; only for a ring that one thread enters.
  void register_descriptor();

  ::io_uring* native() { return &ring_; }
  bool has_feature(unsigned features) const { return (ring_.features & features) == features; }
  unsigned setup_flags() const { return ring_.flags; }

private:
  ::io_uring ring_{};
  bool open_ = false;
  std::uint64_t locked_bytes_ = 0;
  unsigned enter_flags_ = 0;
};

/// The memory that the queues of a ring take.
std::uint64_t queue_bytes(std::uint64_t submissions, std::uint64_t completions);

/// Open a ring with the best flags of a list that this kernel accepts; each step gives up some of them.
/** @return 0, or the -errno of the last and most modest attempt. */
int open_best(ring& r, ring_options options, const unsigned* flag_steps, unsigned step_count);

} // namespace asio_proactor::uring

#endif // ASIO_PROACTOR_SRC_URING_RING_HPP
