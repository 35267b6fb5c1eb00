// The engine without Asio: operations, their order, cancellation, descriptors that go away, moves between drivers.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/proactor.hpp>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <vector>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace asio_proactor::core;

namespace {

constexpr std::int64_t soon_ns = 2 * 1000 * 1000;

struct test_operation : extended_operation
{
  char buffer[8] = {};
  bool is_over = false;

  test_operation() = default;
};

// One engine, one lock, one connected pair of sockets, and turns as a loop takes them.
struct bench
{
  biased_mutex mutex;
  biased_mutex::guard held{mutex};
  proactor engine;
  int ends[2] = {-1, -1};
  io_object* object = nullptr;

  bench()
  {
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    object = engine.register_object(false);
  }

  ~bench()
  {
    operation_queue abandoned;
    engine.abandon_all(held, abandoned);
    close_if_open(ends[0]);
    close_if_open(ends[1]);
  }

  static void close_if_open(int fd)
  {
    if (fd >= 0)
      ::close(fd);
  }

  void turn(std::int64_t limit_ns = soon_ns)
  {
    wait_limit limit{limit_ns};
    driver& d = engine.prepare_turn(limit).of;
    held.unlock();
    d.enter(limit);
    held.lock();
    engine.collect(d);
    while (operation* op = engine.take_finished())
      static_cast<test_operation*>(op)->is_over = true;
  }

  template <class Condition>
  bool turns_until(Condition is_reached)
  {
    constexpr int enough = 1000;
    for (int i = 0; i < enough && !is_reached(); ++i)
      turn();
    return is_reached();
  }

  void receive(test_operation& op)
  {
    op.code_ = opcode::receive;
    op.fd_ = ends[0];
    op.args_.buffer = {op.buffer, sizeof op.buffer, 0};
    engine.start(*object, direction::read, op);
  }

  void send(test_operation& op)
  {
    op.code_ = opcode::send;
    op.fd_ = ends[0];
    op.args_.buffer = {op.buffer, sizeof op.buffer, 0};
    engine.start(*object, direction::write, op);
  }

  void wait_readable(test_operation& op)
  {
    op.code_ = opcode::poll;
    op.fd_ = ends[0];
    op.args_.events = POLLIN;
    engine.start(*object, direction::readiness, op);
  }

  void peer_sends(const char* text)
  {
    const std::string data = text;
    BOOST_TEST_REQUIRE(::send(ends[1], data.data(), data.size(), 0) == static_cast<ssize_t>(data.size()));
  }
};

using steady = std::chrono::steady_clock;

// A loop with a driver of its own that accepts.
struct accepting_bench : bench
{
  int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ::sockaddr_in address{};
  io_object* accepting = nullptr;

  accepting_bench()
  {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof address;
    BOOST_TEST_REQUIRE(::bind(listener, generic_address(), size) == 0);
    BOOST_TEST_REQUIRE(::listen(listener, 64) == 0);
    BOOST_TEST_REQUIRE(::getsockname(listener, generic_address(), &size) == 0);
    accepting = engine.register_object(false);
    engine.consider_fast_driver(held, 64);
  }

  ~accepting_bench() { close_if_open(listener); }

  ::sockaddr* generic_address() { return reinterpret_cast<::sockaddr*>(&address); }

  int connect()
  {
    const int made = ::socket(AF_INET, SOCK_STREAM, 0);
    BOOST_TEST_REQUIRE(::connect(made, generic_address(), sizeof address) == 0);
    return made;
  }

  // One that has just accepted, and so looks out before it sleeps.
  void accept_one()
  {
    const int peer = connect();
    test_operation op;
    op.code_ = opcode::accept;
    op.fd_ = listener;
    engine.start(*accepting, direction::read, op);
    BOOST_TEST_REQUIRE(turns_until([&] { return op.is_over; }));
    close_if_open(op.result_);
    close_if_open(peer);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(engine)

BOOST_AUTO_TEST_CASE(nothing_finishes_inside_start_or_before_it_can)
{
  bench b;
  test_operation op;
  b.receive(op);
  BOOST_TEST(!b.engine.take_finished());
  b.turn();
  BOOST_TEST(!op.is_over);
  b.peer_sends("abc");
  BOOST_TEST(b.turns_until([&] { return op.is_over; }));
  BOOST_TEST(op.result_ == 3);
  BOOST_TEST(std::string(op.buffer) == "abc");
}

BOOST_AUTO_TEST_CASE(one_direction_keeps_its_order)
{
  bench b;
  test_operation first, second, third;
  b.receive(first);
  b.receive(second);
  b.receive(third);
  b.peer_sends("11111111222222223333");
  BOOST_TEST(b.turns_until([&] { return third.is_over; }));
  BOOST_TEST(std::string(first.buffer, 8) == "11111111");
  BOOST_TEST(std::string(second.buffer, 8) == "22222222");
  BOOST_TEST(std::string(third.buffer, 4) == "3333");
}

BOOST_AUTO_TEST_CASE(who_stands_in_line_is_found_behind_other_directions)
{
  bench b;
  test_operation reads[3], sends[3], waits[3];
  for (int i = 0; i < 3; ++i)
  {
    b.receive(reads[i]);
    b.send(sends[i]);
    b.wait_readable(waits[i]);
  }
  b.peer_sends("11111111222222223333");
  BOOST_TEST(b.turns_until(
    [&] { return reads[2].is_over && sends[2].is_over && waits[0].is_over && waits[1].is_over && waits[2].is_over; }));
  BOOST_TEST(std::string(reads[0].buffer, 8) == "11111111");
  BOOST_TEST(std::string(reads[1].buffer, 8) == "22222222");
  BOOST_TEST(std::string(reads[2].buffer, 4) == "3333");
  for (const test_operation& each : sends)
    BOOST_TEST(each.result_ == static_cast<int>(sizeof each.buffer));
}

BOOST_AUTO_TEST_CASE(a_direction_goes_on_after_those_in_line_were_cancelled)
{
  bench b;
  test_operation first, cancelled, write, later;
  int key = 0;
  cancelled.cancellation_key_ = &key;
  b.receive(first);
  b.receive(cancelled);
  b.send(write);
  b.turn();
  b.engine.cancel_by_key(*b.object, &key);
  BOOST_TEST(b.turns_until([&] { return cancelled.is_over && write.is_over; }));
  BOOST_TEST(cancelled.result_ == -ECANCELED);
  BOOST_TEST(!first.is_over);
  b.peer_sends("x");
  BOOST_TEST(b.turns_until([&] { return first.is_over; }));
  b.receive(later);
  b.peer_sends("y");
  BOOST_TEST(b.turns_until([&] { return later.is_over; }));
  BOOST_TEST((later.result_ == 1 && later.buffer[0] == 'y'));
}

BOOST_AUTO_TEST_CASE(objects_are_used_again_and_stay_readable)
{
  constexpr std::size_t many = 300;
  bench b;
  std::vector<io_object*> first, second;
  for (std::size_t i = 0; i < many; ++i)
    first.push_back(b.engine.register_object(i % 2 != 0));
  for (io_object* each : first)
    b.engine.deregister(b.held, *each, -1, proactor::descriptor_fate::closed);
  int key = 0;
  for (io_object* each : first)
    b.engine.cancel_by_key(*each, &key);
  for (std::size_t i = 0; i < many; ++i)
  {
    second.push_back(b.engine.register_object(false));
    BOOST_TEST((!second.back()->overlapping_ && !second.back()->closing_ && !second.back()->first_));
  }
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  BOOST_TEST((first == second));
  BOOST_TEST((std::adjacent_find(first.begin(), first.end()) == first.end()));
}

BOOST_AUTO_TEST_CASE(one_event_serves_all_who_stand_in_line)
{
  bench b;
  if (b.engine.description().name != "epoll")
    return; // A ring gets the next request with the next turn.
  test_operation ops[3];
  for (test_operation& op : ops)
    b.receive(op);
  b.turn(wait_limit::no_wait);
  b.peer_sends("11111111222222223333");
  b.turn();
  for (const test_operation& op : ops)
    BOOST_TEST(op.is_over);
}

BOOST_AUTO_TEST_CASE(more_operations_than_any_queue_holds)
{
  constexpr int many = 9000;
  bench b;
  std::vector<std::unique_ptr<test_operation>> all;
  for (int i = 0; i < many; ++i)
    b.wait_readable(*all.emplace_back(std::make_unique<test_operation>()));
  b.turn();
  b.peer_sends("x");
  BOOST_TEST(b.turns_until([&] {
    for (auto& op : all)
      if (!op->is_over)
        return false;
    return true;
  }));
  int wrong = 0;
  for (auto& op : all)
    wrong += op->result_ != POLLIN;
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(cancel_ends_what_waits_and_what_stands_behind_it)
{
  bench b;
  test_operation first, second;
  b.receive(first);
  b.receive(second);
  b.turn();
  b.engine.cancel(*b.object);
  BOOST_TEST(b.turns_until([&] { return first.is_over && second.is_over; }));
  BOOST_TEST((first.result_ == -ECANCELED && second.result_ == -ECANCELED));
}

BOOST_AUTO_TEST_CASE(cancel_by_key_ends_only_one)
{
  bench b;
  test_operation chosen, other;
  int key = 0;
  chosen.cancellation_key_ = &key;
  b.wait_readable(other);
  b.wait_readable(chosen);
  b.turn();
  b.engine.cancel_by_key(*b.object, &key);
  BOOST_TEST(b.turns_until([&] { return chosen.is_over; }));
  BOOST_TEST(chosen.result_ == -ECANCELED);
  b.turn();
  BOOST_TEST(!other.is_over);
  b.peer_sends("x");
  BOOST_TEST(b.turns_until([&] { return other.is_over; }));
}

BOOST_AUTO_TEST_CASE(a_transfer_cancelled_before_its_turn_gets_one_attempt)
{
  bench b;
  test_operation with_data, without;
  b.peer_sends("abc");
  b.receive(with_data);
  b.engine.cancel(*b.object);
  BOOST_TEST(b.turns_until([&] { return with_data.is_over; }));
  BOOST_TEST(with_data.result_ == 3);
  b.receive(without);
  b.engine.cancel(*b.object);
  BOOST_TEST(b.turns_until([&] { return without.is_over; }));
  BOOST_TEST(without.result_ == -ECANCELED);
}

BOOST_AUTO_TEST_CASE(after_deregister_the_number_is_free)
{
  bench b;
  test_operation op;
  b.receive(op);
  b.turn();
  b.engine.deregister(b.held, *b.object, b.ends[0], proactor::descriptor_fate::closed);
  ::close(b.ends[0]);
  // The peer sees the end at once, whatever was in flight: nothing holds the file any more.
  char c;
  BOOST_TEST(::recv(b.ends[1], &c, 1, MSG_DONTWAIT) == 0);
  BOOST_TEST(b.turns_until([&] { return op.is_over; }));
  BOOST_TEST(op.result_ == -ECANCELED);
  ::close(b.ends[1]);
  // The same numbers again, with a new object.
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, b.ends) == 0);
  b.object = b.engine.register_object(false);
  test_operation again;
  b.receive(again);
  b.turn();
  b.peer_sends("new");
  BOOST_TEST(b.turns_until([&] { return again.is_over; }));
  BOOST_TEST(again.result_ == 3);
}

BOOST_AUTO_TEST_CASE(abandoned_operations_are_handed_over_once)
{
  bench b;
  test_operation in_kernel, behind, not_started;
  b.receive(in_kernel);
  b.receive(behind);
  b.turn();
  b.wait_readable(not_started);
  operation_queue abandoned;
  b.engine.abandon_all(b.held, abandoned);
  int count = 0;
  while (abandoned.pop())
    ++count;
  BOOST_TEST(count == 3);
}

BOOST_AUTO_TEST_CASE(a_driver_for_one_thread_comes_and_goes_without_a_loss)
{
  bench b;
  constexpr std::uint64_t for_long = 1 << 30;
  std::string expected, got;
  for (int round = 0; round < 20; ++round)
  {
    test_operation op;
    b.receive(op);
    b.turn(0);
    if (round % 2 == 0)
      b.engine.consider_fast_driver(b.held, for_long);
    else if (b.engine.fast_driver_in_use())
      b.engine.hand_over(b.held);
    const char digit[2] = {static_cast<char>('a' + round), 0};
    b.peer_sends(digit);
    BOOST_TEST(b.turns_until([&] { return op.is_over; }));
    expected += digit;
    got.append(op.buffer, static_cast<std::size_t>(op.result_));
  }
  BOOST_TEST(got == expected);
}

// Each on a driver of its own, because after a look in vain the next one is left out.
BOOST_AUTO_TEST_CASE(looking_out_is_part_of_the_limit_of_a_wait)
{
  constexpr std::chrono::microseconds limit{300}, tolerance{40};
  constexpr int fewest = 20;
  const auto wait_once = [=](bool looks_first) {
    accepting_bench b;
    b.accept_one();
    if (!looks_first)
      b.turn(std::chrono::nanoseconds(limit).count());
    const steady::time_point start = steady::now();
    b.turn(std::chrono::nanoseconds(limit).count());
    return steady::now() - start;
  };
  steady::duration shortest_look = std::chrono::hours(1), shortest = std::chrono::hours(1);
  const steady::time_point end = steady::now() + std::chrono::seconds(30);
  for (int i = 0; i < fewest || (shortest_look > shortest + tolerance && steady::now() < end); ++i)
  {
    shortest_look = std::min(shortest_look, wait_once(true));
    shortest = std::min(shortest, wait_once(false));
  }
  BOOST_TEST((shortest_look >= limit));
  BOOST_TEST((shortest_look <= shortest + tolerance));
}

BOOST_AUTO_TEST_SUITE_END()
