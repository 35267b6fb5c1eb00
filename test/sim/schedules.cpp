// Random programs on a random kernel: every operation ends once and only by its own doing, no byte is lost or doubled, and
// nothing names a descriptor that is closed.
//
// ASIO_PROACTOR_SIM_SEEDS=N runs N schedules instead of the usual number, ASIO_PROACTOR_SIM_SEED=S only that of one seed.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "seeds.hpp"
#include "simulated_kernel.hpp"

#include <asio_proactor/core/proactor.hpp>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include <poll.h>

namespace {

using namespace sim;
using core::direction;
using core::opcode;
using core::proactor;

constexpr std::uint64_t usual_schedules = 20000;
constexpr int steps_of_a_program = 120;
constexpr int turns_to_the_end = 3000;
constexpr std::int64_t some_time = 1000;
constexpr std::uint64_t for_long = std::uint64_t{1} << 40;

struct connection
{
  int fd = -1;
  int generation = 0;
  core::io_object* object = nullptr;
  std::string fed;      // What the peer has sent.
  std::string received; // What operations have reported.
  std::size_t reported_sent = 0;
};

// Not by address, or a seed would not give the same program twice.
struct by_number
{
  bool operator()(const sim_operation* a, const sim_operation* b) const { return a->number < b->number; }
};

/// One program of random steps, and what it knows to be true.
class random_program
{
public:
  explicit random_program(std::uint64_t seed)
    : kernel_(seed, [](const core::operation& op) { return static_cast<const sim_operation&>(op).generation; }),
      engine_(std::make_unique<simulated_factory>(kernel_)),
      dice_(seed * 31 + 7)
  {}

  ~random_program()
  {
    core::operation_queue abandoned;
    engine_.abandon_all(held_, abandoned);
    while (core::operation* op = abandoned.pop())
      delete static_cast<sim_operation*>(op);
  }

  void run()
  {
    for (int i = 0; i < steps_of_a_program; ++i)
    {
      step();
      take_finished();
    }
    if (dice_.percent(30))
      end_by_abandoning();
    else
      end_by_waiting();
  }

private:
  void step()
  {
    const unsigned what = dice_.below(100);
    if (connections_.empty() || what < 4)
      open();
    else if (what < 40)
      start_something(any_connection());
    else if (what < 52)
      feed(any_connection());
    else if (what < 58)
      cancel_all(any_connection());
    else if (what < 64)
      cancel_one();
    else if (what < 68)
      close(dice_.below(static_cast<unsigned>(connections_.size())));
    else if (what < 71)
      engine_.consider_fast_driver(held_, for_long);
    else if (what < 74 && engine_.fast_driver_in_use())
      engine_.hand_over(held_);
    else if (what < 76)
      engine_.prepare_fork(held_);
    else if (what < 79)
      engine_.submit_now(held_);
    else
      turn(dice_.percent(50) ? core::wait_limit::no_wait : some_time);
  }

  connection& any_connection() { return *connections_[dice_.below(static_cast<unsigned>(connections_.size()))]; }

  void open()
  {
    auto c = std::make_unique<connection>();
    c->fd = kernel_.open();
    c->generation = kernel_.generation(c->fd);
    c->object = engine_.register_object(false);
    connections_.push_back(std::move(c));
  }

  void start_something(connection& c)
  {
    auto* op = new sim_operation;
    op->fd_ = c.fd;
    op->generation = c.generation;
    op->number = ++started_;
    op->cancellation_key_ = op;
    direction d = direction::read;
    switch (dice_.below(5))
    {
    case 0:
      op->code_ = opcode::poll;
      op->args_.events = POLLIN;
      d = direction::readiness;
      break;
    case 1:
    case 2:
      op->code_ = opcode::send;
      op->args_.buffer = {op->buffer, 1 + dice_.below(sim_operation::size), 0};
      d = direction::write;
      break;
    default:
      op->code_ = opcode::receive;
      op->args_.buffer = {op->buffer, 1 + dice_.below(sim_operation::size), 0};
      break;
    }
    live_.insert({op, &c});
    engine_.start(*c.object, d, *op);
  }

  void feed(connection& c)
  {
    if (dice_.percent(8))
      return kernel_.peer_ends(c.fd);
    std::string bytes(1 + dice_.below(20), '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(next_byte_++);
    c.fed += bytes;
    kernel_.peer_sends(c.fd, bytes);
  }

  void allow_cancellation(const connection& c)
  {
    for (auto& [op, of] : live_)
      if (of == &c)
        op->may_be_cancelled = true;
  }

  void cancel_all(connection& c)
  {
    allow_cancellation(c);
    engine_.cancel(*c.object);
  }

  void cancel_one()
  {
    if (live_.empty())
      return;
    auto chosen = live_.begin();
    std::advance(chosen, dice_.below(static_cast<unsigned>(live_.size())));
    chosen->first->may_be_cancelled = true;
    engine_.cancel_by_key(*chosen->second->object, chosen->first);
  }

  void close(unsigned index)
  {
    connection& c = *connections_[index];
    allow_cancellation(c);
    const bool is_released = dice_.percent(30);
    engine_.deregister(held_, *c.object, c.fd,
                       is_released ? proactor::descriptor_fate::released : proactor::descriptor_fate::closed);
    for (auto& [op, of] : live_)
      if (of == &c && kernel_.owns(*op))
        throw violation("the kernel still has an operation of a descriptor that is gone");
    take_finished();
    check_bytes(c, is_released);
    kernel_.close(c.fd);
    closed_.push_back(std::move(connections_[index]));
    connections_.erase(connections_.begin() + index);
  }

  // A closed descriptor's unread bytes are nobody's, but what was sent has been reported, and a released one has lost nothing.
  void check_bytes(const connection& c, bool all_counts)
  {
    for (auto& [op, of] : live_)
      if (of == &c)
        return; // Its own report is still to come.
    if (kernel_.sent(c.fd).size() != c.reported_sent)
      throw violation("bytes were sent that no operation has reported");
    const std::string& unread = c.fed;
    if (all_counts && unread.size() - c.received.size() != kernel_.unread(c.fd))
      throw violation("bytes were received that no operation has reported");
  }

  void turn(std::int64_t limit_ns)
  {
    core::wait_limit limit{limit_ns};
    core::driver& d = engine_.prepare_turn(limit).of;
    held_.unlock();
    d.enter(limit);
    held_.lock();
    engine_.collect(d);
    take_finished();
  }

  void take_finished()
  {
    while (core::operation* op = engine_.take_finished())
      finished(static_cast<sim_operation*>(op));
  }

  void finished(sim_operation* op)
  {
    const auto found = live_.find(op);
    if (found == live_.end())
      throw violation("an operation ends twice");
    if (kernel_.owns(*op))
      throw violation("an operation ends while the kernel may still write to it");
    connection& c = *found->second;
    if (op->result_ == -ECANCELED && !op->may_be_cancelled)
      throw violation("a cancellation that nobody asked for is reported");
    if (op->result_ == -EINTR)
      throw violation("an interruption is reported");
    if (op->code_ == opcode::receive && op->result_ > 0)
      c.received.append(op->buffer, static_cast<std::size_t>(op->result_));
    if (op->code_ == opcode::send && op->result_ > 0)
      c.reported_sent += static_cast<std::size_t>(op->result_);
    if (c.fed.compare(0, c.received.size(), c.received) != 0)
      throw violation("bytes are lost, doubled or in another order");
    live_.erase(found);
    delete op;
  }

  void end_by_waiting()
  {
    // Either is enough: what is cancelled ends although its peer says nothing, and nothing else helps it.
    kernel_.become_calm();
    for (auto& c : connections_)
      if (dice_.percent(50))
        cancel_all(*c);
      else
        kernel_.peer_ends(c->fd);
    for (int i = 0; i < turns_to_the_end && !live_.empty(); ++i)
      turn(some_time);
    if (!live_.empty())
      throw violation("an operation never ends");
    for (auto& c : connections_)
      check_bytes(*c, true);
  }

  void end_by_abandoning()
  {
    core::operation_queue abandoned;
    engine_.abandon_all(held_, abandoned);
    while (core::operation* op = abandoned.pop())
    {
      auto* mine = static_cast<sim_operation*>(op);
      if (kernel_.owns(*mine))
        throw violation("an operation is abandoned while the kernel may still write to it");
      if (live_.erase(mine) != 1)
        throw violation("an operation is abandoned twice");
      delete mine;
    }
    if (!live_.empty())
      throw violation("an operation is lost when all are abandoned");
  }

  simulated_kernel kernel_;
  core::biased_mutex mutex_;
  proactor::guard held_{mutex_};
  proactor engine_;
  dice dice_;
  unsigned char next_byte_ = 0;
  std::uint64_t started_ = 0;
  std::vector<std::unique_ptr<connection>> connections_;
  std::vector<std::unique_ptr<connection>> closed_; // Operations that end late still point at them.
  std::map<sim_operation*, connection*, by_number> live_;
};

} // namespace

BOOST_AUTO_TEST_CASE(every_promise_holds_under_every_schedule)
{
  for_each_seed(usual_schedules, [](std::uint64_t seed) { random_program(seed).run(); });
}
