//
// uring/uring_driver.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "uring_driver.hpp"

#include "../core/retry.hpp"
#include "locked_memory.hpp"
#include "thread_sanitizer.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <iterator>
#include <poll.h>
#include <unistd.h>

namespace asio_proactor::uring {

namespace {

struct ring_size
{
  unsigned submissions;
  unsigned completions;
};

// Requests are written from one end of their queue to the other, so a large one costs the cache: cached file reads take 5 to 8 % less
// CPU time than with 1024 entries. A turn with more requests takes a system call for each queue full of them. Bursts of completions
// beyond their queue are kept by the kernel (IORING_FEAT_NODROP) at some cost. They take 52 and 12 KiB.
constexpr ring_size ring_sizes[] = {{256, 2048}, {64, 256}};

// No ring takes more than such a part of what may still be locked, so that many contexts find room: 250 with the usual 8 MiB.
constexpr std::uint64_t part_for_one_ring = 32;

constexpr unsigned common_flags = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;

// Best first. Without COOP_TASKRUN the kernel interrupts the loop for every completion, at twice the CPU time.
constexpr unsigned any_thread_flags[] = {
  common_flags | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
  common_flags,
};

// There is no point in a second, private ring unless it may defer its task work to the wait.
constexpr unsigned one_thread_flags[] = {
  common_flags | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
};

// Twice the time that a process on the next processor takes to close a connection and make the next one.
constexpr std::chrono::nanoseconds longest_look{std::chrono::microseconds(50)};

std::int64_t nanoseconds_since(std::chrono::steady_clock::time_point start)
{
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
}

template <std::size_t N>
int open_with(ring& r, const unsigned (&steps)[N])
{
  const std::uint64_t most_bytes = lockable_bytes() / part_for_one_ring;
  int error = -ENOMEM;
  for (const ring_size& size : ring_sizes)
  {
    const bool is_smallest = &size == &ring_sizes[std::size(ring_sizes) - 1];
    if (!is_smallest && queue_bytes(size.submissions, size.completions) > most_bytes)
      continue;
    error = open_best(r, ring_options{size.submissions, size.completions, 0}, steps, N);
    if (error != -ENOMEM)
      break;
  }
  return error;
}

void prepare_message(::io_uring_sqe& sqe, core::operation& op)
{
  const auto& a = op.args_.message;
  if (op.code_ == core::opcode::receive_message)
    ::io_uring_prep_recvmsg(&sqe, op.fd_, a.header, static_cast<unsigned>(a.flags));
  else
    ::io_uring_prep_sendmsg(&sqe, op.fd_, a.header, static_cast<unsigned>(a.flags));
}

void prepare_vector(::io_uring_sqe& sqe, core::operation& op)
{
  const auto& a = op.args_.vector;
  if (op.code_ == core::opcode::read_vector)
    ::io_uring_prep_readv(&sqe, op.fd_, a.vectors, a.count, core::offset_of(op));
  else
    ::io_uring_prep_writev(&sqe, op.fd_, a.vectors, a.count, core::offset_of(op));
}

void prepare_buffer(::io_uring_sqe& sqe, core::operation& op)
{
  const auto& a = op.args_.buffer;
  const std::uint64_t offset = core::offset_of(op);
  switch (op.code_)
  {
  case core::opcode::receive: ::io_uring_prep_recv(&sqe, op.fd_, a.data, a.size, a.flags); break;
  case core::opcode::send: ::io_uring_prep_send(&sqe, op.fd_, a.data, a.size, a.flags); break;
  case core::opcode::read: ::io_uring_prep_read(&sqe, op.fd_, a.data, a.size, offset); break;
  case core::opcode::write: ::io_uring_prep_write(&sqe, op.fd_, a.data, a.size, offset); break;
  case core::opcode::read_fixed: ::io_uring_prep_read_fixed(&sqe, op.fd_, a.data, a.size, offset, a.flags); break;
  default: ::io_uring_prep_write_fixed(&sqe, op.fd_, a.data, a.size, offset, a.flags); break;
  }
}

void prepare(::io_uring_sqe& sqe, core::operation& op)
{
  if (op.progress_ == core::progress::polling)
    return ::io_uring_prep_poll_add(&sqe, op.fd_, core::waking_events(core::readiness_of(op)));
  switch (op.code_)
  {
  case core::opcode::poll: return ::io_uring_prep_poll_add(&sqe, op.fd_, core::waking_events(op.args_.events));
  case core::opcode::accept:
    return ::io_uring_prep_accept(&sqe, op.fd_, op.args_.accept.address, core::size_for_accept(op), 0);
  case core::opcode::connect:
    return ::io_uring_prep_connect(&sqe, op.fd_, op.args_.address.address, op.args_.address.size);
  case core::opcode::receive_message:
  case core::opcode::send_message: return prepare_message(sqe, op);
  case core::opcode::read_vector:
  case core::opcode::write_vector: return prepare_vector(sqe, op);
  default: return prepare_buffer(sqe, op);
  }
}

// Even the first attempt at a terminal, and on Linux 5.10 and 6.1 that at a pipe, is left to a worker thread of the kernel. A
// cancellation can overtake it, or interrupt it before anything is transferred.
bool may_have_missed_its_attempt(const core::operation& op, int result)
{
  const core::io_object& object = *op.object_;
  const bool is_cancelled = (result == -ECANCELED || result == -EINTR) && op.cancel_requested_;
  const bool has_descriptor = !object.closing_ && !op.result_is_moot_;
  return is_cancelled && has_descriptor && !object.overlapping_ && op.progress_ == core::progress::in_kernel &&
         core::is_file_call(op.code_);
}

// What was started before it was cancelled gets its attempt, which stock Asio makes at once.
int result_of(core::operation& op, int result)
{
  return may_have_missed_its_attempt(op, result) ? core::attempt_without_blocking_on_any(op).value_or(result) : result;
}

} // namespace

int uring_driver::open(core::driver_use use)
{
  if (use == core::driver_use::any_thread)
    return patiently([this] { return open_with(ring_, any_thread_flags); });
  if (int error = open_with(ring_, one_thread_flags); error < 0)
    return error;
  ring_.register_descriptor();
  may_look_out_ = true;
  return 0;
}

bool uring_driver::submit(core::operation& op)
{
  ::io_uring_sqe* sqe = ring_.next_entry();
  if (!sqe)
    return false;
  prepare(*sqe, op);
  sqe->user_data = reinterpret_cast<std::uintptr_t>(&op);
  hand_to_kernel(&op);
  return true;
}

bool uring_driver::cancel(core::operation& op)
{
  ::io_uring_sqe* sqe = ring_.next_entry();
  if (!sqe)
    return false;
  ::io_uring_prep_cancel(sqe, &op, 0);
  sqe->user_data = nobody;
  // What became of the cancellation is told by the operation's own completion.
  if (ring_.has_feature(IORING_FEAT_CQE_SKIP))
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  return true;
}

void uring_driver::prepare_enter()
{
  if (!wake_is_armed_)
    arm_wake_up();
  ring_.publish();
  entering_.fetch_add(1, std::memory_order_relaxed);
}

void uring_driver::enter(core::wait_limit limit)
{
  if (limit.nanoseconds == core::wait_limit::no_wait)
    ring_.enter(limit.nanoseconds);
  else
    wait(limit);
  entering_.fetch_sub(1, std::memory_order_relaxed);
}

void uring_driver::flush()
{
  ring_.submit();
  entering_.fetch_sub(1, std::memory_order_relaxed);
}

void uring_driver::wait(core::wait_limit limit)
{
  const bool has_found = may_look_out_ && look_out_.begins() && look_first(limit);
  if (!has_found || !ring_.has_queued_completions())
    ring_.enter(limit.nanoseconds);
}

// Submits, and returns whether something is there to be collected soon after. The limit becomes what is left of it.
bool uring_driver::look_first(core::wait_limit& limit)
{
  const auto longest =
    limit.nanoseconds == core::wait_limit::forever
      ? longest_look
      : std::min<std::chrono::nanoseconds>(longest_look, std::chrono::nanoseconds(limit.nanoseconds));
  const clock::time_point start = clock::now();
  ring_.enter(core::wait_limit::no_wait);
  bool has_found = ring_.has_completions();
  if (!has_found)
  {
    has_found = look_until(start + longest);
    look_out_.ended(has_found);
  }
  if (has_found)
    limit.nanoseconds = core::wait_limit::no_wait;
  else if (limit.nanoseconds != core::wait_limit::forever)
    limit.nanoseconds = std::max<std::int64_t>(limit.nanoseconds - nanoseconds_since(start), 0);
  return has_found;
}

bool uring_driver::look_until(clock::time_point end) const
{
  while (clock::now() < end)
    if (ring_.has_completions())
      return true;
  return false;
}

void uring_driver::arm_wake_up()
{
  ::io_uring_sqe* sqe = ring_.next_entry();
  if (!sqe)
    return; // The next turn follows at once: this one had more to submit than fits.
  if (multishot_poll_)
    ::io_uring_prep_poll_multishot(sqe, wake_.descriptor(), POLLIN);
  else
    ::io_uring_prep_poll_add(sqe, wake_.descriptor(), POLLIN);
  sqe->user_data = wake_up;
  wake_is_armed_ = true;
}

void uring_driver::rest()
{
  ::io_uring_sqe* sqe = wake_is_armed_ ? ring_.next_entry() : nullptr;
  if (!sqe)
    return;
  ::io_uring_prep_cancel64(sqe, wake_up, 0);
  sqe->user_data = nobody;
}

void uring_driver::woken_up(const ::io_uring_cqe& cqe)
{
  if (cqe.flags & IORING_CQE_F_MORE)
    return;
  wake_is_armed_ = false;
  if (cqe.res == -EINVAL)
    multishot_poll_ = false;
  // A one-shot poll looks at the level, so the event has to be taken back before the next one.
  std::uint64_t count;
  [[maybe_unused]] auto n = ::read(wake_.descriptor(), &count, sizeof count);
}

// Another thread may be about to sleep, or asleep, on the queue that this one has emptied: the wake-up was meant for that one.
void uring_driver::pass_wake_up_on()
{
  if (entering_.load(std::memory_order_relaxed) == 0)
    return;
  if (!wake_is_armed_)
  {
    arm_wake_up();
    ring_.publish();
    ring_.enter(core::wait_limit::no_wait);
  }
  wake_.signal();
}

void uring_driver::collect(core::completion_sink& sink)
{
  unsigned head;
  unsigned count = 0;
  bool is_woken_up = false;
  ::io_uring_cqe* cqe;
  io_uring_for_each_cqe(ring_.native(), head, cqe)
  {
    ++count;
    if (cqe->user_data == wake_up)
    {
      is_woken_up = true;
      woken_up(*cqe);
    }
    else if (cqe->user_data != nobody)
    {
      auto* op = reinterpret_cast<core::operation*>(static_cast<std::uintptr_t>(cqe->user_data));
      take_from_kernel(op);
      if (op->code_ == core::opcode::accept && cqe->res >= 0)
        look_out_.connection_came();
      sink.completed(*op, result_of(*op, cqe->res));
    }
  }
  ::io_uring_cq_advance(ring_.native(), count);
  if (is_woken_up)
    pass_wake_up_on();
}

std::error_code uring_driver::register_buffers(const ::iovec* buffers, unsigned count)
{
  const auto attempt = [&] { return ::io_uring_register_buffers(ring_.native(), buffers, count); };
  std::uint64_t bytes = 0;
  for (unsigned i = 0; i != count; ++i)
    bytes += buffers[i].iov_len;
  // For what is too much for the limit there is nothing to wait for.
  const int result = bytes <= lockable_bytes() ? patiently(attempt) : attempt();
  return result < 0 ? std::error_code(-result, std::system_category()) : std::error_code();
}

void uring_driver::unregister_buffers()
{
  (void)::io_uring_unregister_buffers(ring_.native());
}

} // namespace asio_proactor::uring
