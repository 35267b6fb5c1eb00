//
// asio_proactor/service/steady_timers.hpp: the waits for all steady timers of a context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_STEADY_TIMERS_HPP
#define ASIO_PROACTOR_SERVICE_STEADY_TIMERS_HPP

#include <asio_proactor/service/asio_internals.hpp>
#include <asio_proactor/core/timer_wheel.hpp>
#include <boost/asio/detail/timer_queue_base.hpp>
#include <boost/asio/detail/wait_op.hpp>
#include <boost/asio/error.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>

namespace asio_proactor::service {

/// What Asio expects of a timer_queue. Expects the lock of the context.
template <class Allocator>
class steady_timers : public asio_detail::timer_queue_base
{
public:
  using time_type = std::chrono::steady_clock::time_point;
  using duration_type = std::chrono::steady_clock::duration;
  using operation = asio_detail::scheduler_operation;
  using wait_op = asio_detail::wait_op;
  using queue = asio_detail::op_queue<operation>;

  class per_timer_data : private core::timer_entry
  {
    friend class steady_timers;

    asio_detail::op_queue<wait_op> waits_; // Not empty as long as it is in the wheel.
  };

  explicit steady_timers(const Allocator& allocator = Allocator(), std::size_t room = 0)
    : wheel_(ns_of(std::chrono::steady_clock::now()), allocator, room)
  {}

  /// Add a wait. Returns whether a thread that sleeps for the earliest timer would wake up too late for it.
  bool enqueue_timer(const time_type& time, per_timer_data& timer, wait_op* op)
  {
    const bool is_new = !timer.is_in();
    if (is_new)
      wheel_.insert(timer, ns_of(time));
    timer.waits_.push(op);
    return is_new && timer.time_ns() < sleeps_until_ns_;
  }

  bool empty() const override { return wheel_.empty(); }

  long wait_duration_msec(long longest) const override { return wait_duration<std::chrono::milliseconds>(longest); }

  long wait_duration_usec(long longest) const override { return wait_duration<std::chrono::microseconds>(longest); }

  void get_ready_timers(queue& ops) override
  {
    const std::int64_t now_ns = ns_of(std::chrono::steady_clock::now());
    while (core::timer_entry* due = wheel_.pop_due(now_ns))
      while (!timer_of(*due).waits_.empty())
        end_first(timer_of(*due), boost::system::error_code(), ops);
    note_removal();
  }

  void get_all_timers(queue& ops) override
  {
    while (core::timer_entry* any = wheel_.pop_any())
      ops.push(timer_of(*any).waits_);
    note_removal();
  }

  std::size_t cancel_timer(per_timer_data& timer, queue& ops,
                           std::size_t most = (std::numeric_limits<std::size_t>::max)())
  {
    std::size_t count = 0;
    for (; count != most && !timer.waits_.empty(); ++count)
      end_first(timer, boost::asio::error::operation_aborted, ops);
    remove_if_idle(timer);
    return count;
  }

  void cancel_timer_by_key(per_timer_data* timer, queue& ops, void* key)
  {
    asio_detail::op_queue<wait_op> others;
    while (wait_op* op = timer->waits_.front())
      if (op->cancellation_key_ == key)
        end_first(*timer, boost::asio::error::operation_aborted, ops);
      else
      {
        timer->waits_.pop();
        others.push(op);
      }
    timer->waits_.push(others);
    remove_if_idle(*timer);
  }

  /// To a timer without waits.
  void move_timer(per_timer_data& target, per_timer_data& source)
  {
    target.waits_.push(source.waits_);
    if (source.is_in())
      wheel_.replace(source, target);
  }

private:
  static std::int64_t ns_of(time_type time)
  {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  }

  static per_timer_data& timer_of(core::timer_entry& e) { return static_cast<per_timer_data&>(e); }

  // Rounded up, as who wakes up too early has to sleep again.
  template <class Unit>
  long wait_duration(long longest) const
  {
    sleeps_until_ns_ = wheel_.next_ns();
    const std::int64_t now_ns = ns_of(std::chrono::steady_clock::now());
    if (sleeps_until_ns_ <= now_ns)
      return 0;
    // No overflow, as the clock began at 0.
    const auto left = std::chrono::ceil<Unit>(std::chrono::nanoseconds(sleeps_until_ns_ - now_ns));
    return (std::min)(static_cast<long>(left.count()), longest);
  }

  static void end_first(per_timer_data& timer, const boost::system::error_code& error, queue& ops)
  {
    wait_op* op = timer.waits_.front();
    timer.waits_.pop();
    op->ec_ = error;
    ops.push(op);
  }

  void remove_if_idle(per_timer_data& timer)
  {
    if (!timer.is_in() || !timer.waits_.empty())
      return;
    wheel_.erase(timer);
    note_removal();
  }

  // Nobody asks an empty queue how long to sleep.
  void note_removal()
  {
    if (wheel_.empty())
      sleeps_until_ns_ = wheel::never;
  }

  using wheel = core::timer_wheel<Allocator>;

  mutable wheel wheel_;                                 // Finds out lazily which is the earliest.
  mutable std::int64_t sleeps_until_ns_ = wheel::never; // Nobody sleeps longer.
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_STEADY_TIMERS_HPP
