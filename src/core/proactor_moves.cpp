//
// core/proactor_moves.cpp: the moments that cannot wait for the loop: closing, handing over, forking, shutting down.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/proactor.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

namespace asio_proactor::core {

namespace {

using clock = std::chrono::steady_clock;

// One wait for completions of requests that were just cancelled; they normally come within microseconds.
constexpr wait_limit drain_step{std::int64_t{10} * 1000 * 1000};

// A request that cannot be cancelled (a disk that does not answer) must not hold close() for ever.
constexpr std::chrono::milliseconds drain_patience{1000};

// How long close() waits for a loop thread that alone may enter its driver, and how often it looks.
constexpr std::chrono::milliseconds loop_thread_patience{50};
constexpr std::chrono::microseconds first_look{20};
constexpr std::chrono::microseconds longest_look{1000};

constexpr std::uint64_t maximum_fast_after_turns = 1 << 20;

// What has been sent has been sent, and what is still to get its first attempt may succeed. Anything else that ends from
// now on is of no use any more, as it would be with stock Asio, whose reactor looks at no closed descriptor.
bool is_moot_once_closed(const operation& op)
{
  const bool is_transfer_out = op.direction_ == direction::write && op.code_ != opcode::connect;
  return op.progress_ != progress::pending && !is_transfer_out;
}

} // namespace

void proactor::enter_and_collect(guard& held, ring_index ring, wait_limit limit)
{
  driver& d = *driver_at(ring);
  d.prepare_enter();
  held.unlock();
  d.enter(limit);
  held.lock();
  d.collect(*this);
}

void proactor::detach_pending(io_object& object)
{
  for_each_operation(object, [this](operation& op) {
    // It stays in pending_ and finishes as cancelled from there; its object may be gone by then.
    if (op.progress_ == progress::pending)
      unlink(op);
  });
}

bool proactor::all_within_reach(const io_object& object) const
{
  return !any_operation(object, [this](const operation& op) {
    return is_with_driver(op) && !may_enter(static_cast<ring_index>(op.ring_));
  });
}

void proactor::forget_sent_cancellations(io_object& object)
{
  for_each_operation(object, [](operation& op) { op.cancel_sent_ = false; });
}

template <class Condition>
void proactor::wait_for_loop_thread(guard& held, Condition is_over)
{
  const clock::time_point end = clock::now() + loop_thread_patience;
  std::chrono::microseconds look = first_look;
  while (!is_over() && clock::now() < end)
  {
    held.unlock();
    wake();
    std::this_thread::sleep_for(look);
    look = std::min(look * 2, longest_look);
    held.lock();
  }
}

bool proactor::has_attempts_to_make(const io_object& object) const
{
  return any_operation(object, [](const operation& op) {
    return op.progress_ == progress::pending && op.direction_ != direction::readiness;
  });
}

bool proactor::is_in_call(const io_object& object) const
{
  return any_operation(object, [](const operation& op) { return op.progress_ == progress::in_call; });
}

void proactor::submit_operations_of(guard& held, io_object& object)
{
  // A request that is written down already, but with which its thread has not entered the kernel yet, counts as well.
  const auto is_unsent = [&] {
    const driver* d = fast_ ? fast_.get() : home_.get();
    return has_attempts_to_make(object) || (object.in_kernel_ != 0 && d && d->staged() != 0);
  };
  if (!is_unsent())
    return;
  if (may_submit())
    submit_now(held);
  else
    wait_for_loop_thread(held, [&] { return !is_unsent(); });
}

void proactor::deregister(guard& held, io_object& object, int fd, descriptor_fate fate)
{
  if (fate == descriptor_fate::closed)
    for_each_operation(object, [](operation& op) { op.result_is_moot_ = is_moot_once_closed(op); });
  cancel(object);
  submit_operations_of(held, object);
  detach_pending(object);
  if (object.in_kernel_ != 0)
  {
    if (all_within_reach(object))
      drain(held, object);
    else
      wait_for_loop_thread(held, [&] { return object.in_kernel_ == 0; });
    if (object.in_kernel_ != 0 && !object.overlapping_)
      ::shutdown(fd, SHUT_RDWR);
  }
  for (ring_index ring : {home_ring, fast_ring})
    if (driver_at(ring) && object.in_kernel_ == 0)
      driver_at(ring)->forget(fd, fate == descriptor_fate::closed);
  object.closing_ = true;
  give_back_if_over(object);
}

void proactor::drain(guard& held, io_object& object)
{
  const clock::time_point end = clock::now() + drain_patience;
  // Closing a file promises nothing about operations under way, except that no request is sent afterwards, or reaches another file.
  const bool waits = !object.overlapping_ || !home().requests_hold_files();
  const wait_limit limit = waits ? drain_step : wait_limit{};
  do
  {
    if (is_in_call(object))
    {
      // It does not block.
      held.unlock();
      std::this_thread::yield();
      held.lock();
      continue;
    }
    const bool all_staged = stage_cancellations();
    for (ring_index ring : {home_ring, fast_ring})
      if (driver_at(ring) && may_enter(ring) && in_kernel_[ring] != 0)
        enter_and_collect(held, ring, all_staged ? limit : wait_limit{});
    if (object.in_kernel_ != 0)
    {
      forget_sent_cancellations(object);
      queue_cancellation(object);
    }
  } while (object.in_kernel_ != 0 && waits && clock::now() < end);
}

void proactor::empty_driver(guard& held, ring_index ring)
{
  while (in_kernel_[ring] != 0)
  {
    const bool all_asked = stage_recall(ring);
    enter_and_collect(held, ring, all_asked ? drain_step : wait_limit{});
    if (all_asked)
      objects_.for_each([this](io_object& object) { forget_sent_cancellations(object); });
  }
}

bool proactor::stage_recall(ring_index ring)
{
  return !objects_.any_of([&](const io_object& object) {
    return any_operation(
      object, [&](operation& op) { return op.ring_ == ring && is_with_driver(op) && !stage_cancellation(op); });
  });
}

void proactor::abandon_all(guard& held, operation_queue& abandoned)
{
  objects_.for_each([this](io_object& object) { cancel(object); });
  for (ring_index ring : {fast_ring, home_ring})
    if (driver_at(ring) && may_enter(ring))
      while (in_kernel_[ring] != 0)
      {
        const bool all_staged = stage_cancellations();
        enter_and_collect(held, ring, all_staged ? drain_step : wait_limit{});
      }
  while (operation* op = pending_.pop())
    finish(*op, -ECANCELED);
  while (operation* op = finished_.pop())
    abandoned.push(*op);
  // A watch belongs to the object that set it up, which frees it.
  while (fired_watches_.pop())
  {}
}

void proactor::consider_fast_driver(guard& held, std::uint64_t turn)
{
  if ((turn < fast_after_turns_ && !fast_is_asked_for_) || fast_ || fast_is_refused_)
    return;
  fast_is_asked_for_ = false;
  std::unique_ptr<driver> d = factory_->create(driver_use::one_thread, wake_event_);
  if (d && tell_registered_buffers(*d))
    d.reset();
  if (!d)
  {
    fast_is_refused_ = true;
    return;
  }
  // Once more if another thread has submitted something while the lock was free: nobody collects from the home driver then.
  if (home_)
    do
    {
      empty_driver(held, home_ring);
      home_->rest();
      enter_and_collect(held, home_ring, wait_limit{});
    } while (in_kernel_[home_ring] != 0);
  fast_ = std::move(d);
  fast_owner_ = &thread_marker;
}

void proactor::ask_for_fast_driver()
{
  // Not of one that has had to move before.
  fast_is_asked_for_ = fast_after_turns_ == initial_fast_after_turns;
}

void proactor::hand_over(guard& held)
{
  // Who moves a lot often would spend its time moving.
  if (in_kernel_[fast_ring] != 0)
    fast_after_turns_ = std::min(fast_after_turns_ * 2, maximum_fast_after_turns);
  home();
  empty_driver(held, fast_ring);
  fast_owner_ = nullptr;
  fast_.reset();
}

void proactor::prepare_fork(guard& held)
{
  // Nothing is in the kernel while the process splits, so parent and child both start from complete knowledge.
  for (ring_index ring : {fast_ring, home_ring})
    if (driver_at(ring) && may_enter(ring))
    {
      empty_driver(held, ring);
      driver_at(ring)->prepare_fork();
    }
}

void proactor::mode_changed(int fd)
{
  for (ring_index ring : {home_ring, fast_ring})
    if (driver_at(ring))
      driver_at(ring)->mode_changed(fd);
}

void proactor::after_fork_in_child()
{
  wake_event_.recreate();
  const bool had_home = home_ != nullptr;
  fast_owner_ = nullptr;
  fast_.reset();
  home_.reset();
  if (had_home)
    home();
}

} // namespace asio_proactor::core
