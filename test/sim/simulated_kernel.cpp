//
// sim/simulated_kernel.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "simulated_kernel.hpp"

#include "../support/sanitizers.hpp"
#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#if defined(TEST_HAS_ADDRESS_SANITIZER)
# include <sanitizer/asan_interface.h>
#endif

namespace sim {

namespace {

// In percent, for each time that a request is looked at.
constexpr unsigned interrupted = 3;
constexpr unsigned taken_back = 4; // The thread that issued it has exited.
constexpr unsigned broken = 1;
constexpr unsigned would_block = 20;
constexpr unsigned takes_its_time = 40;
constexpr unsigned cancelled_at_once = 60;

constexpr unsigned largest_queue = 6;
constexpr int patience_of_a_wait = 20;

} // namespace

// --- Descriptors -----------------------------------------------------------------------------------------------------

int simulated_kernel::open()
{
  int fd = next_number_;
  if (free_numbers_.empty())
    ++next_number_;
  else
  {
    // As the kernel does: the number that has just become free.
    fd = free_numbers_.back();
    free_numbers_.pop_back();
  }
  adopt(fd);
  return fd;
}

void simulated_kernel::adopt(int fd)
{
  const int generation = sockets_[fd].generation + 1;
  sockets_[fd] = socket();
  sockets_[fd].generation = generation;
}

void simulated_kernel::close(int fd)
{
  for (const request& r : requests_)
    if (r.op->fd_ == fd)
      throw violation("a descriptor is closed while a request holds its file");
  for (const simulated_driver* d : drivers_)
    if (d->names(fd))
      throw violation("a descriptor is closed while a staged request names it");
  free_numbers_.push_back(fd);
}

bool simulated_kernel::owns(const core::operation& op) const
{
  return std::any_of(requests_.begin(), requests_.end(), [&](const request& r) { return r.op == &op; });
}

// --- Requests --------------------------------------------------------------------------------------------------------

void simulated_kernel::detach(simulated_driver& d)
{
  drivers_.erase(std::find(drivers_.begin(), drivers_.end(), &d));
}

void simulated_kernel::begin(simulated_driver& d, core::operation& op)
{
  if (owns(op))
    throw violation("an operation is submitted twice");
  if (generation_of_ && sockets_[op.fd_].generation != generation_of_(op))
    throw violation("a request reaches a descriptor that has its number only by chance");
  requests_.push_back({&d, &op, false});
  take_or_return_memory(op, true);
  // Most requests end while they are submitted, if they can.
  if (!dice_.percent(takes_its_time) && try_to_end(requests_.back()))
    requests_.pop_back();
}

void simulated_kernel::cancel(simulated_driver& d, core::operation& op)
{
  const auto found =
    std::find_if(requests_.begin(), requests_.end(), [&](const request& r) { return r.op == &op && r.driver == &d; });
  if (found == requests_.end())
  {
    if (!d.has_completed(op))
      throw violation("a cancellation names an operation that is not under way, and may hit another at its address");
    return;
  }
  found->is_cancelled = true;
  if (dice_.percent(cancelled_at_once))
  {
    take_or_return_memory(op, false);
    d.complete(op, -ECANCELED);
    requests_.erase(found);
  }
}

void simulated_kernel::step()
{
  // A random one first, so that completions come in another order than requests.
  if (requests_.empty())
    return;
  const std::size_t first = dice_.below(static_cast<unsigned>(requests_.size()));
  std::rotate(requests_.begin(), requests_.begin() + static_cast<std::ptrdiff_t>(first), requests_.end());
  const auto ended = [this](request& r) { return !dice_.percent(takes_its_time) && try_to_end(r); };
  requests_.erase(std::remove_if(requests_.begin(), requests_.end(), ended), requests_.end());
}

// What is with the kernel is nobody else's: the address sanitizer reports a program that looks at it.
void simulated_kernel::take_or_return_memory([[maybe_unused]] core::operation& op, [[maybe_unused]] bool is_taken)
{
#if defined(TEST_HAS_ADDRESS_SANITIZER)
  switch (op.code_)
  {
  case core::opcode::receive:
  case core::opcode::send:
  case core::opcode::read:
  case core::opcode::write:
    if (is_taken)
      ASAN_POISON_MEMORY_REGION(op.args_.buffer.data, op.args_.buffer.size);
    else
      ASAN_UNPOISON_MEMORY_REGION(op.args_.buffer.data, op.args_.buffer.size);
    break;
  default: break;
  }
#endif
}

bool simulated_kernel::can_end(const core::operation& op, const socket& s) const
{
  switch (op.code_)
  {
  case core::opcode::receive:
  case core::opcode::poll: return !s.incoming.empty() || s.is_ended;
  case core::opcode::accept: return s.waiting_to_be_accepted != 0 || s.is_ended;
  default: return true;
  }
}

bool simulated_kernel::try_to_end(request& r)
{
  core::operation& op = *r.op;
  socket& s = sockets_[op.fd_];
  int result = 0;
  take_or_return_memory(op, false);
  if (happens(taken_back))
    result = -ECANCELED;
  else if (happens(interrupted))
    result = -EINTR;
  else if (can_end(op, s))
    result = happens(broken) ? -EIO : transfer(op, s);
  else if (r.is_cancelled)
    result = -ECANCELED;
  else
  {
    take_or_return_memory(op, true);
    return false;
  }
  r.driver->complete(op, result);
  return true;
}

bool simulated_kernel::attempt(core::operation& op, int& result)
{
  socket& s = sockets_[op.fd_];
  if (happens(would_block) || !can_end(op, s))
    return false;
  result = happens(broken) ? -EIO : transfer(op, s);
  return true;
}

int simulated_kernel::transfer_at(core::operation& op, socket& s)
{
  auto& a = op.args_.buffer;
  const auto offset = static_cast<std::size_t>(core::offset_of(op));
  if (op.code_ == core::opcode::write)
  {
    const std::size_t n = 1 + dice_.below(a.size);
    if (s.content.size() < offset + n)
      s.content.resize(offset + n);
    s.content.replace(offset, n, static_cast<const char*>(a.data), n);
    return static_cast<int>(n);
  }
  if (offset >= s.content.size())
    return 0;
  const std::size_t most = std::min<std::size_t>(a.size, s.content.size() - offset);
  const std::size_t n = 1 + dice_.below(static_cast<unsigned>(most));
  s.content.copy(static_cast<char*>(a.data), n, offset);
  return static_cast<int>(n);
}

int simulated_kernel::transfer(core::operation& op, socket& s)
{
  auto& a = op.args_.buffer;
  switch (op.code_)
  {
  case core::opcode::receive: {
    if (s.incoming.empty())
      return 0;
    const std::size_t most = std::min<std::size_t>(a.size, s.incoming.size());
    const std::size_t n = 1 + dice_.below(static_cast<unsigned>(most));
    s.incoming.copy(static_cast<char*>(a.data), n);
    s.incoming.erase(0, n);
    return static_cast<int>(n);
  }
  case core::opcode::send: {
    const std::size_t n = 1 + dice_.below(a.size);
    s.sent.append(static_cast<const char*>(a.data), n);
    return static_cast<int>(n);
  }
  case core::opcode::read:
  case core::opcode::write: return transfer_at(op, s);
  case core::opcode::accept:
    if (s.waiting_to_be_accepted == 0)
      return -EINVAL; // As after a shutdown.
    --s.waiting_to_be_accepted;
    return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  case core::opcode::poll: return POLLIN;
  case core::opcode::connect: return op.restarted_ && dice_.percent(50) ? -EISCONN : 0;
  default: return static_cast<int>(a.size);
  }
}

// --- A driver --------------------------------------------------------------------------------------------------------

simulated_driver::simulated_driver(simulated_kernel& kernel, core::driver_use)
  : kernel_(kernel),
    capacity_(1 + kernel.roll().below(largest_queue)),
    completion_capacity_(1 + kernel.roll().below(largest_queue))
{
  kernel_.attach(*this);
}

bool simulated_driver::stage(core::operation& op, bool is_cancellation)
{
  if (staged_.size() == capacity_)
    return false;
  staged_.push_back({&op, is_cancellation});
  return true;
}

void simulated_driver::complete(core::operation& op, int result)
{
  // What comes later stays behind, also when there is room by then.
  const bool has_room = held_back_.empty() && completions_.size() < completion_capacity_;
  (has_room ? completions_ : held_back_).push_back({&op, result});
}

void simulated_driver::deliver_what_was_held_back()
{
  for (; !held_back_.empty() && completions_.size() < completion_capacity_; held_back_.pop_front())
    completions_.push_back(held_back_.front());
}

void simulated_driver::enter(core::wait_limit limit)
{
  deliver_what_was_held_back();
  for (; published_ != 0; --published_)
  {
    const entry next = staged_.front();
    staged_.pop_front();
    if (next.is_cancellation)
      kernel_.cancel(*this, *next.op);
    else
      kernel_.begin(*this, *next.op);
  }
  kernel_.step();
  if (limit.nanoseconds == core::wait_limit::no_wait)
    return;
  for (int i = 0; i < patience_of_a_wait && completions_.empty(); ++i)
    kernel_.step();
  // A wait ends with its limit, unless something ended it before.
  constexpr std::int64_t some_ns = 1000;
  const std::int64_t limit_ns = limit.nanoseconds > 0 ? limit.nanoseconds : some_ns;
  kernel_.time_passes(completions_.empty() ? limit_ns : limit_ns / (2 + kernel_.roll().below(8)));
}

unsigned simulated_driver::attempt_line(core::operation* const* line, unsigned count, int* results)
{
  unsigned over = 0;
  while (over < count && kernel_.attempt(*line[over], results[over]))
    ++over;
  return over;
}

std::optional<int> simulated_driver::attempt_cached_read(core::operation& op)
{
  int result = 0;
  if (kernel_.roll().percent(50) || !kernel_.attempt(op, result) || result != static_cast<int>(op.args_.buffer.size))
    return std::nullopt;
  return result;
}

void simulated_driver::collect(core::completion_sink& sink)
{
  while (!completions_.empty())
  {
    const completion next = completions_.front();
    completions_.pop_front();
    sink.completed(*next.op, next.result);
  }
}

void simulated_driver::forget(int fd, bool)
{
  if (names(fd))
    throw violation("a descriptor is to be forgotten while a staged request names it");
}

bool simulated_driver::has_completed(const core::operation& op) const
{
  const auto is_of_op = [&](const completion& c) { return c.op == &op; };
  return std::any_of(completions_.begin(), completions_.end(), is_of_op) ||
         std::any_of(held_back_.begin(), held_back_.end(), is_of_op);
}

bool simulated_driver::names(int fd) const
{
  return std::any_of(staged_.begin(), staged_.end(),
                     [&](const entry& e) { return !e.is_cancellation && e.op->fd_ == fd; });
}

} // namespace sim
