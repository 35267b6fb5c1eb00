//
// epoll/epoll_driver.hpp: operations as system calls, made when epoll says that they would not block.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_EPOLL_EPOLL_DRIVER_HPP
#define ASIO_PROACTOR_SRC_EPOLL_EPOLL_DRIVER_HPP

#include "file_pool.hpp"

#include <asio_proactor/core/driver.hpp>
#include <asio_proactor/core/light_mutex.hpp>
#include <atomic>
#include <memory>
#include <vector>
#include <sys/epoll.h>

namespace asio_proactor::epoll {

/// One epoll instance.
/**
 * submit() makes the call at once where that cannot block, and otherwise keeps the operation with its descriptor until
 * an event comes. Descriptors are registered once, edge-triggered, the first time one of their operations has to wait.
 */
class epoll_driver final : public core::driver
{
public:
  /// @throws std::system_error when the process has no descriptor to spare.
  explicit epoll_driver(core::wake_event& wake);
  ~epoll_driver() override;

  epoll_driver(const epoll_driver&) = delete;
  epoll_driver& operator=(const epoll_driver&) = delete;

  bool submit(core::operation& op) override;
  bool cancel(core::operation& op) override;
  unsigned staged() const override { return 0; }
  bool has_news() const override;
  bool is_to_enter() override;
  void prepare_enter() override;
  void enter(core::wait_limit limit) override;
  void rest() override {}
  void collect(core::completion_sink& sink) override;
  bool calls_in_submit() const override { return true; }
  std::uint32_t news_of(int fd) const override { return news_[slot_of(fd)].load(std::memory_order_acquire); }
  bool hold_after_call(core::operation& op, std::uint32_t news_before) override;
  void take_due_calls(core::due_calls& calls) override;
  void collect_calls(const core::due_calls& calls, core::completion_sink& sink) override;
  bool requests_hold_files() const override { return false; } // A thread of the pool has the number and nothing else.
  void forget(int fd, bool is_closed) override;
  void mode_changed(int fd) override;
  void prepare_fork() override { files_.stop(); }
  std::error_code register_buffers(const ::iovec*, unsigned) override { return {}; }
  void unregister_buffers() override {}

private:
  // Where an operation is, in operation::driver_state_.
  enum place : std::uint8_t
  {
    with_descriptor,
    in_front_of_backlog,
    in_file_pool,
    done
  };

  struct descriptor
  {
    core::operation_queue waiting;
    std::uint32_t generation = 0; // Tells the events of a descriptor from those of one that had its number before.
    bool may_read = true;         // Nothing has said yet that a read would block.
    bool may_write = true;
    bool is_registered : 1;
    bool is_watched_for_writing : 1;
    bool is_file : 1;         // epoll takes no regular files: they are always ready, and block all the same.
    bool is_non_blocking : 1; // Made so here, for calls that know no MSG_DONTWAIT.

    descriptor() : is_registered(false), is_watched_for_writing(false), is_file(false), is_non_blocking(false) {}

    bool& may_call(unsigned readiness) { return (readiness & EPOLLOUT) ? may_write : may_read; }
  };

  // Descriptors share the counts of their events, so that these can be read without a lock.
  static constexpr std::size_t news_slots = 64;
  static std::size_t slot_of(int fd) { return static_cast<unsigned>(fd) % news_slots; }

  // Each process has few descriptors, or many with small numbers; blocks stay where they are when others come.
  static constexpr std::size_t descriptors_in_block = 128;
  using block = std::unique_ptr<descriptor[]>;

  descriptor* find_descriptor(int fd) const;
  descriptor& descriptor_of(int fd);
  void start_wait(descriptor& d, core::operation& op);
  void start_transfer(descriptor& d, core::operation& op);
  void start_connect(descriptor& d, core::operation& op);
  void start_on_file_or_pipe(descriptor& d, core::operation& op);
  void start_on_file(core::operation& op);
  bool attempt_now(descriptor& d, core::operation& op);
  bool try_to_end(descriptor& d, core::operation& op, unsigned events, core::due_calls* calls);
  static bool is_watched(const descriptor& d, const core::operation& op);
  int ensure_watched(descriptor& d, const core::operation& op);
  void keep(descriptor& d, core::operation& op);
  void hold(descriptor& d, core::operation& op);
  void try_backlogs_again();
  void end(core::operation& op, int result);
  void wake_who_waits();
  void pass_on_done(core::completion_sink& sink);
  void take_events();
  bool has_events() const { return handled_ != events_in_hand_.size(); }
  bool has_more() const { return !done_.empty() || has_events(); }
  void handle(const ::epoll_event& event, core::due_calls* calls);
  int wait_for_events(::epoll_event* events, core::wait_limit limit);

  core::wake_event& wake_;
  int epoll_fd_;
  std::vector<block> descriptors_;
  std::vector<core::operation*> waiting_for_backlog_; // Connects to UNIX sockets whose backlogs are full.
  core::operation_queue done_;
  std::size_t waiting_ = 0;
  bool is_announced_ = false; // Somebody may be waiting, and does not know of what has come since.
  unsigned turns_without_asking_ = 0;
  std::atomic<std::int64_t> longest_wait_ns_{core::wait_limit::forever}; // Decided in prepare_enter().
  std::atomic<int> entering_{0}; // Threads between prepare_enter() and the end of enter().
  std::atomic<bool> has_poll_in_nanoseconds_{true};
  core::light_mutex events_mutex_; // enter() is called without the lock of the context.
  std::vector<::epoll_event> events_;
  std::atomic<bool> events_have_come_{false}; // Written with that mutex held.
  std::vector<::epoll_event> events_in_hand_;
  std::size_t share_ = 1;                            // Of those, for one thread.
  std::size_t handled_ = 0;                          // Of those.
  std::atomic<std::uint32_t> news_[news_slots] = {}; // Written with the lock held.
  file_pool files_;
};

} // namespace asio_proactor::epoll

#endif // ASIO_PROACTOR_SRC_EPOLL_EPOLL_DRIVER_HPP
