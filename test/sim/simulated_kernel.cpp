//
// sim/simulated_kernel.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "simulated_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>

namespace sim {

namespace {

// In percent, for each time that a request is looked at.
constexpr unsigned interrupted = 3;
constexpr unsigned taken_back = 4; // The thread that issued it has exited.
constexpr unsigned broken = 1;
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
  const int generation = sockets_[fd].generation + 1;
  sockets_[fd] = socket();
  sockets_[fd].generation = generation;
  return fd;
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
  auto& started = static_cast<sim_operation&>(op);
  if (owns(op))
    throw violation("an operation is submitted twice");
  if (sockets_[op.fd_].generation != started.generation)
    throw violation("a request reaches a descriptor that has its number only by chance");
  requests_.push_back({&d, &started, false});
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

bool simulated_kernel::can_end(const sim_operation& op, const socket& s) const
{
  switch (op.code_)
  {
  case core::opcode::receive:
  case core::opcode::poll: return !s.incoming.empty() || s.is_ended;
  default: return true;
  }
}

bool simulated_kernel::try_to_end(request& r)
{
  sim_operation& op = *r.op;
  socket& s = sockets_[op.fd_];
  int result = 0;
  if (happens(taken_back))
    result = -ECANCELED;
  else if (happens(interrupted))
    result = -EINTR;
  else if (can_end(op, s))
    result = happens(broken) ? -EIO : transfer(op, s);
  else if (r.is_cancelled)
    result = -ECANCELED;
  else
    return false;
  r.driver->complete(op, result);
  return true;
}

int simulated_kernel::transfer(sim_operation& op, socket& s)
{
  auto& a = op.args_.buffer;
  switch (op.code_)
  {
  case core::opcode::receive: {
    if (s.incoming.empty())
      return 0;
    const std::size_t most = std::min(a.size, s.incoming.size());
    const std::size_t n = 1 + dice_.below(static_cast<unsigned>(most));
    s.incoming.copy(static_cast<char*>(a.data), n);
    s.incoming.erase(0, n);
    return static_cast<int>(n);
  }
  case core::opcode::send: {
    const std::size_t n = 1 + dice_.below(static_cast<unsigned>(a.size));
    s.sent.append(static_cast<const char*>(a.data), n);
    return static_cast<int>(n);
  }
  case core::opcode::poll: return POLLIN;
  case core::opcode::connect: return op.restarted_ && dice_.percent(50) ? -EISCONN : 0;
  default: return static_cast<int>(a.size);
  }
}

// --- A driver --------------------------------------------------------------------------------------------------------

simulated_driver::simulated_driver(simulated_kernel& kernel, core::driver_use)
  : kernel_(kernel),
    capacity_(1 + kernel.roll().below(largest_queue))
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

void simulated_driver::enter(core::wait_limit limit)
{
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
  if (limit.nanoseconds != core::wait_limit::no_wait)
    for (int i = 0; i < patience_of_a_wait && completions_.empty(); ++i)
      kernel_.step();
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
  return std::any_of(completions_.begin(), completions_.end(), [&](const completion& c) { return c.op == &op; });
}

bool simulated_driver::names(int fd) const
{
  return std::any_of(staged_.begin(), staged_.end(),
                     [&](const entry& e) { return !e.is_cancellation && e.op->fd_ == fd; });
}

} // namespace sim
