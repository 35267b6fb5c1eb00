//
// A kernel that is decided by a seed: what the core sees of it is legal, and as unkind as it can be.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_TEST_SIM_SIMULATED_KERNEL_HPP
#define ASIO_PROACTOR_TEST_SIM_SIMULATED_KERNEL_HPP

#include <asio_proactor/core/driver.hpp>
#include <asio_proactor/core/operation.hpp>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace sim {

namespace core = asio_proactor::core;

/// A promise of the core, or of a driver's use, that was broken.
class violation : public std::logic_error
{
  using logic_error::logic_error;
};

/// Random decisions. The same seed, the same decisions.
class dice
{
public:
  explicit dice(std::uint64_t seed) : engine_(seed) {}

  /// A number from 0 to limit - 1.
  unsigned below(unsigned limit) { return static_cast<unsigned>(engine_() % limit); }
  bool percent(unsigned chance) { return below(100) < chance; }

private:
  std::mt19937_64 engine_;
};

struct sim_operation : core::extended_operation
{
  static constexpr std::size_t size = 12;
  char buffer[size] = {};
  std::uint64_t number = 0;
  int generation = 0; // Of its descriptor when it was started.
  bool may_be_cancelled = false;
};

class simulated_driver;

/// Which owner of its descriptor's number an operation was started for, where the program knows.
using generation_reader = int (*)(const core::operation&);

/// The descriptors, and the requests that are under way.
class simulated_kernel
{
public:
  explicit simulated_kernel(std::uint64_t seed, generation_reader generation_of = nullptr)
    : dice_(seed),
      generation_of_(generation_of)
  {}

  // --- What the program and its peers do ------------------------------------------------------------------------

  int open();

  /// Simulate what happens to a real descriptor, whose number the program has.
  void adopt(int fd);

  int generation(int fd) { return sockets_[fd].generation; }
  void peer_sends(int fd, const std::string& bytes) { sockets_[fd].incoming += bytes; }
  void peer_ends(int fd) { sockets_[fd].is_ended = true; }
  std::size_t unread(int fd) { return sockets_[fd].incoming.size(); }
  const std::string& sent(int fd) { return sockets_[fd].sent; }
  int unaccepted(int fd) { return sockets_[fd].waiting_to_be_accepted; }
  void peer_connects(int fd) { ++sockets_[fd].waiting_to_be_accepted; }
  const std::string& content(int fd) { return sockets_[fd].content; }

  std::int64_t now_ns() const { return now_ns_; }
  void time_passes(std::int64_t ns) { now_ns_ += ns; }

  /// The number can be used again. No request may name it any more.
  void close(int fd);

  /// From now on nothing ends by accident.
  void become_calm() { is_calm_ = true; }

  bool owns(const core::operation& op) const;
  dice& roll() { return dice_; }

  // --- What drivers do ------------------------------------------------------------------------------------------

  void attach(simulated_driver& d) { drivers_.push_back(&d); }
  void detach(simulated_driver& d);
  void begin(simulated_driver& d, core::operation& op);
  void cancel(simulated_driver& d, core::operation& op);

  /// A call that does not block. Returns false when it would.
  bool attempt(core::operation& op, int& result);

  /// Let some requests end, in any order.
  void step();

private:
  struct socket
  {
    int generation = 0;
    std::string incoming;
    std::string sent;
    bool is_ended = false;
    int waiting_to_be_accepted = 0;
    std::string content; // Of a file.
  };

  struct request
  {
    simulated_driver* driver;
    core::operation* op;
    bool is_cancelled;
  };

  bool try_to_end(request& r);
  int transfer(core::operation& op, socket& s);
  int transfer_at(core::operation& op, socket& s);
  bool can_end(const core::operation& op, const socket& s) const;
  void take_or_return_memory(core::operation& op, bool is_taken);

  bool happens(unsigned chance) { return !is_calm_ && dice_.percent(chance); }

  dice dice_;
  generation_reader generation_of_;
  bool is_calm_ = false;
  std::int64_t now_ns_ = 0;
  std::map<int, socket> sockets_;
  std::vector<int> free_numbers_;
  int next_number_ = 1000; // No descriptors of this process.
  std::vector<request> requests_;
  std::vector<simulated_driver*> drivers_;
};

/// Two queues of a few entries, so that they are full often.
class simulated_driver final : public core::driver
{
public:
  simulated_driver(simulated_kernel& kernel, core::driver_use use);
  ~simulated_driver() override { kernel_.detach(*this); }

  bool submit(core::operation& op) override { return stage(op, false); }
  bool cancel(core::operation& op) override { return stage(op, true); }
  unsigned staged() const override { return static_cast<unsigned>(staged_.size()); }
  bool has_news() const override { return !staged_.empty() || !completions_.empty() || !held_back_.empty(); }
  void prepare_enter() override { published_ = staged_.size(); }
  void enter(core::wait_limit limit) override;
  void rest() override {}
  void collect(core::completion_sink& sink) override;
  bool calls_in_submit() const override { return false; }
  unsigned attempt_line(core::operation* const* line, unsigned count, int* results) override;
  std::optional<int> attempt_cached_read(core::operation& op) override;
  bool requests_hold_files() const override { return false; }
  void forget(int fd, bool) override;
  void mode_changed(int) override {}
  void prepare_fork() override {}
  std::error_code register_buffers(const ::iovec*, unsigned) override { return {}; }
  void unregister_buffers() override {}

  void complete(core::operation& op, int result);
  bool has_completed(const core::operation& op) const;
  bool names(int fd) const;

private:
  struct entry
  {
    core::operation* op;
    bool is_cancellation;
  };
  struct completion
  {
    core::operation* op;
    int result;
  };

  bool stage(core::operation& op, bool is_cancellation);
  void deliver_what_was_held_back();

  simulated_kernel& kernel_;
  std::size_t capacity_;
  std::size_t completion_capacity_;
  std::deque<entry> staged_;
  std::size_t published_ = 0;
  std::deque<completion> completions_;
  std::deque<completion> held_back_; // They found no room, and wait for an enter() that finds some.
};

class simulated_factory final : public core::driver_factory
{
public:
  explicit simulated_factory(simulated_kernel& kernel) : kernel_(kernel) {}

  std::unique_ptr<core::driver> create(core::driver_use use, core::wake_event&) override
  {
    return std::make_unique<simulated_driver>(kernel_, use);
  }
  core::driver_description describe() const override { return {"simulated", "a seed"}; }

private:
  simulated_kernel& kernel_;
};

} // namespace sim

#endif // ASIO_PROACTOR_TEST_SIM_SIMULATED_KERNEL_HPP
