//
// epoll/epoll_driver.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "epoll_driver.hpp"

#include "../core/retry.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace asio_proactor::epoll {

namespace {

constexpr int events_per_call = 128;

// Turns in a row that do not ask for events, because calls made at once have given them enough to do.
constexpr unsigned most_turns_without_asking = 3;

// A UNIX socket gets no event when there is room in its peer's backlog again, so the attempt is repeated.
constexpr std::int64_t backlog_retry_ns = std::int64_t{1000} * 1000;

// The event of the wake_event, which is no descriptor's.
constexpr std::uint64_t wake_up = ~std::uint64_t{0};

// Room for writing is asked for only where a write has waited: a UNIX socket reports it after each message that its peer takes.
constexpr std::uint32_t events_of_every_descriptor = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;

std::uint64_t event_key(int fd, std::uint32_t generation)
{
  return static_cast<std::uint64_t>(generation) << 32 | static_cast<std::uint32_t>(fd);
}

int descriptor_in(const ::epoll_event& event)
{
  return static_cast<int>(event.data.u64 & 0xffffffff);
}

bool is_wait(const core::operation& op)
{
  return op.code_ == core::opcode::poll || op.progress_ == core::progress::polling;
}

bool needs_non_blocking_mode(core::opcode code)
{
  return core::is_file_call(code) || code == core::opcode::accept || code == core::opcode::connect;
}

int ready_events(int fd, unsigned events)
{
  ::pollfd p = {fd, static_cast<short>(events), 0};
  const int count = ::poll(&p, 1, 0);
  return count < 0 ? -errno : (p.revents & POLLNVAL) ? -EBADF : count == 0 ? 0 : p.revents;
}

// A UNIX socket whose peer's backlog is full has not begun to connect, unlike one that answers EINPROGRESS.
bool is_turned_away(const core::operation& op, int result)
{
  return result == -EAGAIN && op.args_.address.address->sa_family == AF_UNIX;
}

// A connection attempt that was started before. Nothing while it goes on.
std::optional<int> outcome_of_connect(int fd)
{
  // An event may be left over from before the attempt, when the socket was hung up.
  if (ready_events(fd, POLLOUT) == 0)
    return std::nullopt;
  int error = 0;
  ::socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    return -errno;
  return -error;
}

} // namespace

epoll_driver::epoll_driver(core::wake_event& wake)
  : wake_(wake),
    epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)),
    files_(wake)
{
  ::epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = wake_up;
  if (epoll_fd_ < 0 || ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake.descriptor(), &event) != 0)
  {
    const int error = errno;
    if (epoll_fd_ >= 0)
      ::close(epoll_fd_);
    throw std::system_error(error, std::system_category(),
                            "asio_proactor: no epoll instance (if descriptors are short, raise RLIMIT_NOFILE)");
  }
}

epoll_driver::~epoll_driver()
{
  ::close(epoll_fd_);
}

// --- Starting --------------------------------------------------------------------------------------------------------

bool epoll_driver::submit(core::operation& op)
{
  if (op.fd_ < 0)
  {
    end(op, -EBADF);
    return true;
  }
  descriptor& d = descriptor_of(op.fd_);
  if (is_wait(op))
    start_wait(d, op);
  else if (core::is_file_call(op.code_))
    start_on_file_or_pipe(d, op);
  else
    start_transfer(d, op);
  return true;
}

epoll_driver::descriptor& epoll_driver::descriptor_of(int fd)
{
  if (descriptor* known = find_descriptor(fd))
    return *known;
  const std::size_t index = static_cast<std::size_t>(fd) / descriptors_in_block;
  if (descriptors_.size() <= index)
    descriptors_.resize(index + 1);
  descriptors_[index] = std::make_unique<descriptor[]>(descriptors_in_block);
  return *find_descriptor(fd);
}

// Null for one that has never had an operation here.
epoll_driver::descriptor* epoll_driver::find_descriptor(int fd) const
{
  const auto number = static_cast<std::size_t>(fd);
  const std::size_t index = number / descriptors_in_block;
  if (fd < 0 || descriptors_.size() <= index || !descriptors_[index])
    return nullptr;
  return &descriptors_[index][number % descriptors_in_block];
}

void epoll_driver::start_wait(descriptor& d, core::operation& op)
{
  const int ready = ready_events(op.fd_, core::readiness_of(op));
  if (ready != 0)
    end(op, ready);
  else
    keep(d, op);
}

void epoll_driver::start_on_file_or_pipe(descriptor& d, core::operation& op)
{
  if (int error = ensure_watched(d, op); error < 0)
    return end(op, error);
  if (!d.is_file)
    return start_transfer(d, op);
  start_on_file(op);
}

void epoll_driver::start_on_file(core::operation& op)
{
  // A thread of the pool takes several times as long for what is in memory as the call itself.
  if (core::is_positional_read(op))
    if (const std::optional<int> result = attempt_cached_read(op))
      return end(op, *result);
  op.driver_state_ = in_file_pool;
  files_.submit(op);
}

void epoll_driver::start_transfer(descriptor& d, core::operation& op)
{
  if (!d.is_non_blocking && needs_non_blocking_mode(op.code_))
  {
    int on = 1;
    ::ioctl(op.fd_, FIONBIO, &on);
    d.is_non_blocking = true;
  }
  if (op.code_ == core::opcode::connect)
    start_connect(d, op);
  else if (!attempt_now(d, op))
    keep(d, op);
}

void epoll_driver::start_connect(descriptor& d, core::operation& op)
{
  const int result = core::attempt(op);
  if (is_turned_away(op, result))
  {
    op.driver_state_ = in_front_of_backlog;
    waiting_for_backlog_.push_back(&op);
    wake_who_waits(); // Its wait has no limit yet.
  }
  else if (core::wants_readiness(op, result))
    keep(d, op);
  else
    end(op, result);
}

void epoll_driver::try_backlogs_again()
{
  const auto has_ended = [this](core::operation* op) {
    const int result = core::attempt(*op);
    if (is_turned_away(*op, result))
      return false;
    end(*op, result);
    return true;
  };
  auto& all = waiting_for_backlog_;
  all.erase(std::remove_if(all.begin(), all.end(), has_ended), all.end());
}

// Returns whether the operation has ended.
bool epoll_driver::attempt_now(descriptor& d, core::operation& op)
{
  bool& may = d.may_call(core::readiness_of(op));
  if (!may)
    return false;
  const int result = core::attempt(op);
  if (!core::wants_readiness(op, result))
  {
    end(op, result);
    return true;
  }
  may = false;
  return false;
}

bool epoll_driver::hold_after_call(core::operation& op, std::uint32_t news_before)
{
  if (news_[slot_of(op.fd_)].load(std::memory_order_relaxed) != news_before)
    return false;
  descriptor& d = descriptor_of(op.fd_);
  d.may_call(core::readiness_of(op)) = false;
  if (!is_watched(d, op))
    return false;
  hold(d, op);
  return true;
}

inline bool epoll_driver::is_watched(const descriptor& d, const core::operation& op)
{
  return d.is_registered && (d.is_watched_for_writing || !(core::readiness_of(op) & EPOLLOUT));
}

int epoll_driver::ensure_watched(descriptor& d, const core::operation& op)
{
  if (d.is_file || is_watched(d, op))
    return 0;
  const bool is_for_writing = (core::readiness_of(op) & EPOLLOUT) != 0;
  ::epoll_event event{};
  event.events = events_of_every_descriptor | (is_for_writing ? EPOLLOUT : 0u);
  event.data.u64 = event_key(op.fd_, d.generation);
  int result = ::epoll_ctl(epoll_fd_, d.is_registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, op.fd_, &event);
  if (result != 0 && errno == EEXIST)
    result = ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, op.fd_, &event);
  if (result == 0)
  {
    d.is_registered = true;
    d.is_watched_for_writing = is_for_writing;
    return 0;
  }
  if (errno != EPERM)
    return -errno;
  d.is_file = true;
  return 0;
}

void epoll_driver::keep(descriptor& d, core::operation& op)
{
  if (int error = ensure_watched(d, op); error < 0)
    return end(op, error);
  hold(d, op);
}

inline void epoll_driver::hold(descriptor& d, core::operation& op)
{
  op.driver_state_ = with_descriptor;
  d.waiting.push(op);
  ++waiting_;
}

void epoll_driver::end(core::operation& op, int result)
{
  op.result_ = result;
  op.driver_state_ = done;
  done_.push(op);
  wake_who_waits();
}

void epoll_driver::wake_who_waits()
{
  if (is_announced_)
  {
    is_announced_ = false;
    wake_.signal();
  }
}

bool epoll_driver::cancel(core::operation& op)
{
  if (op.driver_state_ == with_descriptor)
  {
    descriptor_of(op.fd_).waiting.remove(op);
    --waiting_;
    end(op, -ECANCELED);
  }
  else if (op.driver_state_ == in_front_of_backlog)
  {
    auto& all = waiting_for_backlog_;
    all.erase(std::find(all.begin(), all.end(), &op));
    end(op, -ECANCELED);
  }
  else if (op.driver_state_ == in_file_pool && files_.withdraw(op))
    end(op, -ECANCELED);
  return true;
}

// --- Waiting ---------------------------------------------------------------------------------------------------------

bool epoll_driver::has_news() const
{
  // What has become of an operation that waits only the kernel can tell.
  return has_more() || waiting_ != 0 || !waiting_for_backlog_.empty() || files_.has_done();
}

bool epoll_driver::is_to_enter()
{
  const bool asks = !has_more() || turns_without_asking_ == most_turns_without_asking;
  turns_without_asking_ = asks ? 0 : turns_without_asking_ + 1;
  return asks;
}

void epoll_driver::prepare_enter()
{
  is_announced_ = true;
  entering_.fetch_add(1, std::memory_order_relaxed);
  const std::int64_t longest = has_more()                      ? core::wait_limit::no_wait
                               : !waiting_for_backlog_.empty() ? backlog_retry_ns
                                                               : core::wait_limit::forever;
  longest_wait_ns_.store(longest, std::memory_order_relaxed);
}

void epoll_driver::enter(core::wait_limit limit)
{
  const std::int64_t longest = longest_wait_ns_.load(std::memory_order_relaxed);
  if (longest >= 0 && (limit.nanoseconds < 0 || limit.nanoseconds > longest))
    limit.nanoseconds = longest;
  ::epoll_event events[events_per_call];
  const int count = wait_for_events(events, limit);
  const bool others_are_here = entering_.fetch_sub(1, std::memory_order_relaxed) > 1;
  if (count <= 0)
    return;
  // The wake-up may be meant for another thread, and an edge is seen once.
  const auto is_wake_up = [](const ::epoll_event& event) { return event.data.u64 == wake_up; };
  if (others_are_here && std::any_of(events, events + count, is_wake_up))
    wake_.signal();
  const std::lock_guard<core::light_mutex> held(events_mutex_);
  events_.insert(events_.end(), events, events + count);
  events_have_come_.store(true, std::memory_order_relaxed);
}

int epoll_driver::wait_for_events(::epoll_event* events, core::wait_limit limit)
{
  constexpr std::int64_t ns_per_ms = std::int64_t{1000} * 1000;
  constexpr std::int64_t ns_per_s = 1000 * ns_per_ms;
  if (limit.nanoseconds > 0 && has_poll_in_nanoseconds_.load(std::memory_order_relaxed))
  {
    const ::timespec time = {limit.nanoseconds / ns_per_s, limit.nanoseconds % ns_per_s};
    const int count = ::epoll_pwait2(epoll_fd_, events, events_per_call, &time, nullptr);
    if (count >= 0 || errno == EINTR)
      return count;
    // Before Linux 5.11, or hidden by a seccomp profile.
    has_poll_in_nanoseconds_.store(false, std::memory_order_relaxed);
  }
  constexpr std::int64_t longest_ms = std::int64_t{60} * 60 * 1000;
  const std::int64_t ms = limit.nanoseconds > 0 ? (limit.nanoseconds + ns_per_ms - 1) / ns_per_ms : limit.nanoseconds;
  return ::epoll_wait(epoll_fd_, events, events_per_call, static_cast<int>(std::min(ms, longest_ms)));
}

// --- Ending ----------------------------------------------------------------------------------------------------------

inline void epoll_driver::take_events()
{
  // Who has brought some comes here itself, at the latest.
  if (!events_have_come_.load(std::memory_order_relaxed))
    return;
  const std::lock_guard<core::light_mutex> held(events_mutex_);
  events_have_come_.store(false, std::memory_order_relaxed);
  for (const ::epoll_event& event : events_)
  {
    std::atomic<std::uint32_t>& news = news_[slot_of(descriptor_in(event))];
    news.store(news.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  if (has_events())
    events_in_hand_.insert(events_in_hand_.end(), events_.begin(), events_.end());
  else
  {
    events_in_hand_.swap(events_);
    handled_ = 0;
  }
  events_.clear();
  // Half of them, so that two threads have equal shares.
  share_ = std::min<std::size_t>((events_in_hand_.size() - handled_ + 1) / 2, core::due_calls::most);
}

inline void epoll_driver::pass_on_done(core::completion_sink& sink)
{
  if (!waiting_for_backlog_.empty())
    try_backlogs_again();
  files_.take_done(done_);
  while (core::operation* op = done_.pop())
    sink.completed(*op, op->result_);
}

void epoll_driver::collect(core::completion_sink& sink)
{
  is_announced_ = false;
  take_events();
  while (has_events())
    handle(events_in_hand_[handled_++], nullptr);
  pass_on_done(sink);
}

void epoll_driver::take_due_calls(core::due_calls& calls)
{
  is_announced_ = false;
  take_events();
  const std::size_t end_of_share = std::min(handled_ + share_, events_in_hand_.size());
  while (handled_ != end_of_share && calls.count != core::due_calls::most)
    handle(events_in_hand_[handled_++], &calls);
  for (unsigned i = 0; i != calls.count; ++i)
    calls.news_before[i] = news_of(calls.ops[i]->fd_);
}

void epoll_driver::collect_calls(const core::due_calls& calls, core::completion_sink& sink)
{
  for (unsigned i = 0; i != calls.count; ++i)
  {
    core::operation& op = *calls.ops[i];
    if (!core::wants_readiness(op, calls.results[i]))
    {
      sink.completed(op, calls.results[i]);
      continue;
    }
    if (!hold_after_call(op, calls.news_before[i]))
      start_transfer(descriptor_of(op.fd_), op);
  }
  pass_on_done(sink);
}

void epoll_driver::handle(const ::epoll_event& event, core::due_calls* calls)
{
  if (event.data.u64 == wake_up)
    return;
  descriptor& d = *find_descriptor(descriptor_in(event));
  if (d.generation != event.data.u64 >> 32)
    return;
  constexpr unsigned both_ways = EPOLLERR | EPOLLHUP;
  if (event.events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | both_ways))
    d.may_read = true;
  if (event.events & (EPOLLOUT | both_ways))
    d.may_write = true;
  // The oldest first; what goes on waiting keeps its place.
  core::operation_queue candidates = std::exchange(d.waiting, {});
  while (core::operation* op = candidates.pop())
    if (try_to_end(d, *op, event.events, calls))
      --waiting_;
    else
      d.waiting.push(*op);
}

// Returns whether the operation waits no more.
bool epoll_driver::try_to_end(descriptor& d, core::operation& op, unsigned events, core::due_calls* calls)
{
  const unsigned of_interest = core::readiness_of(op) | EPOLLERR | EPOLLHUP;
  if ((events & (of_interest | EPOLLRDHUP)) == 0)
    return false;
  if (is_wait(op))
  {
    // Not asked again: a read that ended by the same event has taken what there was, and the wait was still satisfied.
    const bool is_over = (events & of_interest) != 0;
    if (is_over)
      end(op, static_cast<int>(events & of_interest));
    return is_over;
  }
  if (op.code_ == core::opcode::connect)
  {
    const std::optional<int> outcome = outcome_of_connect(op.fd_);
    if (outcome)
      end(op, *outcome);
    return outcome.has_value();
  }
  // An event that makes more than one call due may find the last place.
  if (!calls || calls->count == core::due_calls::most)
    return attempt_now(d, op);
  calls->ops[calls->count++] = &op;
  return true;
}

void epoll_driver::forget(int fd, bool is_closed)
{
  descriptor* found = find_descriptor(fd);
  if (!found)
    return;
  descriptor& d = *found;
  assert(d.waiting.empty());
  // Closing takes it out of the epoll set, except where a duplicate is left; its events are of an old generation then.
  if (d.is_registered && !is_closed)
    ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  ++d.generation;
  d.is_registered = d.is_watched_for_writing = d.is_file = d.is_non_blocking = false;
  d.may_read = d.may_write = true;
}

void epoll_driver::mode_changed(int fd)
{
  if (descriptor* d = find_descriptor(fd))
    d->is_non_blocking = false;
}

} // namespace asio_proactor::epoll
