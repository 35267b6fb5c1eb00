//
// uring/ring.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "ring.hpp"

#include "kernel_abi.hpp"
#include "locked_memory.hpp"

#include <cerrno>

namespace asio_proactor::uring {

namespace {

constexpr std::int64_t nanoseconds_per_second = std::int64_t{1000} * 1000 * 1000;

unsigned load_acquire(const unsigned* p)
{
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

std::uint64_t whole_pages(std::uint64_t bytes)
{
  constexpr std::uint64_t page = 4096;
  return (bytes + page - 1) / page * page;
}

} // namespace

// The requests in one area; completions, heads, tails and the index of the requests in another.
std::uint64_t queue_bytes(std::uint64_t submissions, std::uint64_t completions)
{
  constexpr std::uint64_t heads_and_tails = 64;
  return whole_pages(submissions * sizeof(::io_uring_sqe)) +
         whole_pages(heads_and_tails + completions * sizeof(::io_uring_cqe) + submissions * sizeof(unsigned));
}

ring::~ring()
{
  if (!open_)
    return;
  ::io_uring_queue_exit(&ring_);
  ring_was_closed(locked_bytes_);
}

int ring::open(const ring_options& options)
{
  ::io_uring_params params{};
  params.flags = options.setup_flags;
  params.cq_entries = options.completion_entries;
  if (int error = ::io_uring_queue_init_params(options.entries, &ring_, &params); error < 0)
    return error;
  open_ = true;
  locked_bytes_ = queue_bytes(params.sq_entries, params.cq_entries);
  ring_was_opened(locked_bytes_);
  // publish() only moves the tail, so the indirection has to be the identity whichever liburing made the ring.
  for (unsigned i = 0; i < params.sq_entries; ++i)
    ring_.sq.array[i] = i;
  if (has_feature(abi::feature_no_iowait))
    enter_flags_ |= abi::enter_no_iowait;
  return 0;
}

void ring::publish()
{
  ring_.sq.sqe_head = ring_.sq.sqe_tail;
  __atomic_store_n(ring_.sq.ktail, ring_.sq.sqe_tail, __ATOMIC_RELEASE);
}

bool ring::has_queued_completions() const
{
  // Several threads may be about to enter; the one that collects moves the head meanwhile.
  return load_acquire(ring_.cq.ktail) != load_acquire(ring_.cq.khead);
}

bool ring::has_completions() const
{
  return has_queued_completions() || (load_acquire(ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void ring::enter(std::int64_t limit_ns)
{
  const unsigned to_submit = load_acquire(ring_.sq.ktail) - load_acquire(ring_.sq.khead);
  const bool waits = limit_ns != 0;
  if (to_submit == 0 && !waits && !has_completions())
    return;

  unsigned flags = IORING_ENTER_GETEVENTS | enter_flags_;
  ::__kernel_timespec limit{};
  ::io_uring_getevents_arg argument{};
  void* extra = nullptr;
  std::size_t extra_size = _NSIG / 8;
  if (limit_ns > 0)
  {
    limit.tv_sec = limit_ns / nanoseconds_per_second;
    limit.tv_nsec = limit_ns % nanoseconds_per_second;
    argument.ts = reinterpret_cast<std::uintptr_t>(&limit);
    flags |= IORING_ENTER_EXT_ARG;
    extra = &argument;
    extra_size = sizeof argument;
  }
  // Every failure is one that the next turn repairs: a signal, the time limit, a full completion queue, memory
  // pressure. What was not submitted stays published.
  (void)::io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), to_submit, waits ? 1 : 0, flags,
                          static_cast<::sigset_t*>(extra), extra_size);
}

void ring::submit()
{
  const unsigned to_submit = load_acquire(ring_.sq.ktail) - load_acquire(ring_.sq.khead);
  (void)::io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), to_submit, 0, enter_flags_, nullptr, _NSIG / 8);
}

void ring::register_descriptor()
{
  if (::io_uring_register_ring_fd(&ring_) == 1)
    enter_flags_ |= IORING_ENTER_REGISTERED_RING;
}

int open_best(ring& r, ring_options options, const unsigned* flag_steps, unsigned step_count)
{
  int error = -EINVAL;
  for (unsigned i = 0; i < step_count && error == -EINVAL; ++i)
  {
    options.setup_flags = flag_steps[i];
    error = r.open(options);
  }
  return error;
}

} // namespace asio_proactor::uring
