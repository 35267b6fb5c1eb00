//
// uring/uring_driver.hpp: operations on an io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_URING_URING_DRIVER_HPP
#define ASIO_PROACTOR_SRC_URING_URING_DRIVER_HPP

#include "look_out.hpp"
#include "ring.hpp"

#include <asio_proactor/core/driver.hpp>
#include <atomic>
#include <chrono>

namespace asio_proactor::uring {

/// One ring. An operation is one submission entry, its address is the entry's user_data.
class uring_driver final : public core::driver
{
public:
  explicit uring_driver(core::wake_event& wake) : wake_(wake) {}

  /// Returns 0 or -errno.
  int open(core::driver_use use);

  bool submit(core::operation& op) override;
  bool cancel(core::operation& op) override;
  unsigned staged() const override { return ring_.staged(); }
  bool has_news() const override { return ring_.staged() != 0 || ring_.has_completions(); }
  void prepare_enter() override;
  void enter(core::wait_limit limit) override;
  void flush() override;
  void rest() override;
  void collect(core::completion_sink& sink) override;
  bool calls_in_submit() const override { return false; }
  bool requests_hold_files() const override { return true; }
  void forget(int, bool) override {}
  void mode_changed(int) override {}
  void prepare_fork() override {}
  std::error_code register_buffers(const ::iovec* buffers, unsigned count) override;
  void unregister_buffers() override;

  const ring& native_ring() const { return ring_; }

private:
  using clock = std::chrono::steady_clock;

  // user_data values that are no operation's address.
  static constexpr std::uint64_t nobody = 0;
  static constexpr std::uint64_t wake_up = 1;

  void wait(core::wait_limit limit);
  bool look_first(core::wait_limit& limit);
  bool look_until(clock::time_point end) const;
  void arm_wake_up();
  void woken_up(const ::io_uring_cqe& cqe);
  void pass_wake_up_on();

  core::wake_event& wake_;
  ring ring_;
  std::atomic<int> entering_{0}; // Threads between prepare_enter() and the end of enter().
  look_out look_out_;
  bool may_look_out_ = false; // One thread enters, and it has nothing better to do.
  bool wake_is_armed_ = false;
  bool multishot_poll_ = true; // Until the kernel says it does not know it (before 5.13).
};

} // namespace asio_proactor::uring

#endif // ASIO_PROACTOR_SRC_URING_URING_DRIVER_HPP
