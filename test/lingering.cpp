// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Handlers that go on for long after they have started something, or wait for its effect: it does not wait for their end.

#define BOOST_TEST_MODULE lingering
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <array>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

constexpr auto time_to_linger = 12ms;
constexpr int rounds = 25;
constexpr auto short_while = 400us;
constexpr auto period = 800us; // So short that the loop seems busy all the time.
constexpr char quick = 'q', medium = 'm', slow = 's';

// Answers each byte and, if it is a slow one, does something else for long before it looks for the next.
class server
{
public:
  explicit server(tcp::socket socket) : socket_(std::move(socket)) { read(); }

private:
  void read()
  {
    socket_.async_read_some(asio::buffer(request_), [this](error_code ec, std::size_t) {
      if (ec)
        return;
      asio::async_write(socket_, asio::buffer(request_), [this](error_code failure, std::size_t) {
        if (!failure)
          read();
      });
      if (request_[0] == slow)
        std::this_thread::sleep_for(time_to_linger);
      else if (request_[0] == medium)
        std::this_thread::sleep_for(short_while);
    });
  }

  tcp::socket socket_;
  std::array<char, 1> request_{};
};

void ask(tcp::socket& client, char c)
{
  asio::write(client, asio::buffer(&c, 1));
  asio::read(client, asio::buffer(&c, 1));
}

// How many answers come while their handler goes on.
int count_early_answers(tcp::socket& client, int questions)
{
  int early = 0;
  for (int i = 0; i < questions; ++i)
  {
    const auto asked = steady::now();
    ask(client, slow);
    early += steady::now() - asked < time_to_linger / 2;
    // The server waits for the next request when it comes.
    std::this_thread::sleep_until(asked + time_to_linger + 3ms);
  }
  return early;
}

// A machine that does something else meanwhile delays a few.
void check_most(int early)
{
  BOOST_TEST(early > rounds * 2 / 3);
}

void talk_to_servers(std::size_t count)
{
  asio::io_context ctx, client_ctx;
  std::deque<server> servers;
  std::vector<tcp::socket> clients;
  for (std::size_t i = 0; i < count; ++i)
  {
    auto [here, there] = tcp_pair(ctx, client_ctx);
    servers.emplace_back(std::move(here));
    clients.push_back(std::move(there));
  }
  std::vector<std::thread> runners, talkers;
  std::vector<int> early(count);
  for (std::size_t i = 0; i < count; ++i)
  {
    runners.emplace_back([&ctx] { ctx.run(); });
    talkers.emplace_back([&, i] {
      // The first may be delayed: how long handlers take is not known yet.
      count_early_answers(clients[i], 5);
      early[i] = count_early_answers(clients[i], rounds);
      clients[i].close();
    });
  }
  for (std::thread& t : talkers)
    t.join();
  for (std::thread& t : runners)
    t.join();
  for (const int n : early)
    check_most(n);
}

} // namespace

BOOST_AUTO_TEST_CASE(an_answer_comes_before_its_handler_ends)
{
  talk_to_servers(1);
}

// Nobody is left to hand over what they start.
BOOST_AUTO_TEST_CASE(an_answer_comes_while_all_threads_are_in_handlers)
{
  talk_to_servers(2);
}

BOOST_AUTO_TEST_CASE(a_program_may_begin_to_linger_later)
{
  asio::io_context ctx, client_ctx;
  auto [here, there] = tcp_pair(ctx, client_ctx);
  server s(std::move(here));
  std::thread runner([&ctx] { ctx.run(); });
  for (int i = 0; i < 500; ++i)
    ask(there, quick);
  // It is noticed now and then only.
  count_early_answers(there, 60);
  check_most(count_early_answers(there, rounds));
  there.close();
  runner.join();
}

BOOST_AUTO_TEST_CASE(so_it_does_in_a_loop_without_a_pause)
{
  asio::io_context ctx, client_ctx;
  auto [here, there] = tcp_pair(ctx, client_ctx);
  server s(std::move(here));
  std::thread runner([&ctx] { ctx.run(); });
  constexpr int questions = 200;
  int early = 0;
  // The first round is for learning, and a machine that does something else meanwhile gets some more.
  for (int round = 0; round < 4 && early <= questions / 3; ++round)
  {
    early = 0;
    for (int i = 0; i < questions; ++i)
    {
      const auto asked = steady::now();
      ask(there, medium);
      early += round > 0 && steady::now() - asked < short_while * 3 / 4;
      // The server waits for the next request when it comes.
      std::this_thread::sleep_until(asked + period);
    }
  }
  BOOST_TEST(early > questions / 3);
  there.close();
  runner.join();
}

namespace {

// Starts a write in a handler that comes after a while, and waits there until it has arrived. Returns whether it has.
bool arrives_in_its_handler(asio::io_context& ctx, stream_pair& sockets, steady::duration after)
{
  asio::steady_timer timer(ctx, after);
  bool has_arrived = false;
  outcome written;
  timer.async_wait([&](error_code) {
    sockets.first.async_write_some(asio::buffer("x", 1), written.handler());
    has_arrived = readable(sockets.second, 500ms);
  });
  ctx.restart();
  ctx.run();
  BOOST_TEST((written.calls == 1 && !written.ec));
  char c = 0;
  asio::read(sockets.second, asio::buffer(&c, 1));
  return has_arrived;
}

// Bytes that go round in short handlers.
void keep_busy(asio::io_context& ctx, stream_pair& sockets, int rounds_left)
{
  std::array<char, 1> c{};
  std::function<void()> next = [&] {
    asio::async_write(sockets.first, asio::buffer("x", 1), [](error_code ec, std::size_t) { BOOST_TEST(!ec); });
    asio::async_read(sockets.second, asio::buffer(c), [&](error_code ec, std::size_t) {
      BOOST_TEST(!ec);
      if (--rounds_left != 0)
        next();
    });
  };
  next();
  ctx.restart();
  ctx.run();
}

} // namespace

BOOST_AUTO_TEST_CASE(the_first_handlers_may_wait_for_what_they_have_started)
{
  asio::io_context ctx;
  stream_pair sockets = local_pair(ctx);
  for (int i = 0; i < 10; ++i)
    BOOST_TEST_REQUIRE(arrives_in_its_handler(ctx, sockets, 0ms));
}

BOOST_AUTO_TEST_CASE(so_may_those_that_come_now_and_then)
{
  asio::io_context ctx;
  stream_pair sockets = local_pair(ctx);
  for (int i = 0; i < 5; ++i)
  {
    keep_busy(ctx, sockets, 500);
    BOOST_TEST_REQUIRE(arrives_in_its_handler(ctx, sockets, 20ms));
  }
}
