// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// What a program does right after it has started an operation: stock Asio makes a first attempt inside the initiating
// function, so the effect of a send is there before that of a close, a shutdown or a blocking call behind it.

#define BOOST_TEST_MODULE order
#include <boost/test/included/unit_test.hpp>
#include <boost/test/data/test_case.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <atomic>
#include <cstdlib>
#include <functional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <fcntl.h>

using namespace test_support;

namespace {

// How the loop is run around the steps of a test.
enum class setting
{
  before_run,
  in_first_handler,
  in_a_loop_that_runs_for_long,
  in_one_of_two_threads,
  from_another_thread
};

std::ostream& operator<<(std::ostream& out, setting s)
{
  return out << static_cast<int>(s);
}

const std::vector<setting> settings = {setting::before_run, setting::in_first_handler,
                                       setting::in_a_loop_that_runs_for_long, setting::in_one_of_two_threads,
                                       setting::from_another_thread};

// Where no second thread can be faster than the one that takes the steps.
const std::vector<setting> one_thread = {setting::before_run, setting::in_first_handler,
                                         setting::in_a_loop_that_runs_for_long};

// So many turns that whatever a loop does once it runs for long is done; a descriptor is watched, or there are no turns.
constexpr int many_turns = 300;

struct bouncer
{
  asio::io_context& ctx;
  std::function<void()> then;
  stream_pair pair = local_pair(ctx);
  int left = many_turns;
  char c = 0;

  void bounce()
  {
    if (--left == 0)
      return then();
    pair.first.async_send(asio::buffer("x", 1), [](error_code, std::size_t) {});
    pair.second.async_receive(asio::buffer(&c, 1), [this](error_code, std::size_t) { bounce(); });
  }
};

void run_steps(setting where, asio::io_context& ctx, std::function<void()> steps)
{
  bouncer around{ctx, steps};
  switch (where)
  {
  case setting::before_run: steps(); break;
  case setting::in_first_handler: asio::post(ctx, steps); break;
  case setting::in_a_loop_that_runs_for_long: around.bounce(); break;
  case setting::in_one_of_two_threads: {
    asio::post(ctx, [&] {
      std::this_thread::sleep_for(2ms);
      steps();
    });
    std::thread other([&] { ctx.run(); });
    ctx.run();
    other.join();
    break;
  }
  case setting::from_another_thread: {
    std::atomic<bool> begun{false};
    around.then = [&] { begun = true; };
    around.bounce();
    auto work = asio::make_work_guard(ctx);
    std::thread other([&] {
      while (!begun)
        std::this_thread::yield();
      steps();
      work.reset();
    });
    ctx.run();
    other.join();
    break;
  }
  }
  ctx.run();
}

// The controlling and the controlled side of a pseudo-terminal.
std::pair<asio::posix::stream_descriptor, asio::posix::stream_descriptor> terminal_pair(asio::io_context& ctx)
{
  const int controller = ::posix_openpt(O_RDWR | O_NOCTTY);
  BOOST_TEST_REQUIRE((controller >= 0 && ::grantpt(controller) == 0 && ::unlockpt(controller) == 0));
  const int terminal = ::open(::ptsname(controller), O_RDWR | O_NOCTTY);
  BOOST_TEST_REQUIRE(terminal >= 0);
  return {asio::posix::stream_descriptor(ctx, controller), asio::posix::stream_descriptor(ctx, terminal)};
}

// Blocking, and without Asio.
std::string everything_from(int descriptor)
{
  std::string got;
  char block[256];
  while (ready_for(descriptor, POLLIN))
  {
    const auto n = ::recv(descriptor, block, sizeof block, 0);
    if (n < 0)
      return got + " and an error";
    if (n == 0)
      return got + " and the end";
    got.append(block, static_cast<std::size_t>(n));
  }
  return got + " and no end";
}

} // namespace

BOOST_DATA_TEST_CASE(send_then_close, settings)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  outcome sent;
  run_steps(sample, ctx, [&, &a = a] {
    a.async_send(asio::buffer("last words", 10), sent.handler());
    a.close();
  });
  BOOST_TEST(everything_from(b.native_handle()) == "last words and the end");
  BOOST_TEST((sent.calls == 1 && !sent.ec && sent.bytes == 10));
}

BOOST_DATA_TEST_CASE(send_then_shutdown, settings)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  outcome sent;
  run_steps(sample, ctx, [&, &a = a] {
    a.async_send(asio::buffer("last words", 10), sent.handler());
    a.shutdown(tcp::socket::shutdown_send);
  });
  BOOST_TEST(everything_from(b.native_handle()) == "last words and the end");
  BOOST_TEST((sent.calls == 1 && !sent.ec && sent.bytes == 10));
}

BOOST_DATA_TEST_CASE(write_then_close_a_pipe, settings)
{
  asio::io_context ctx;
  int fds[2];
  BOOST_TEST_REQUIRE(::pipe(fds) == 0);
  asio::posix::stream_descriptor in(ctx, fds[0]), out(ctx, fds[1]);
  outcome written;
  run_steps(sample, ctx, [&] {
    out.async_write_some(asio::buffer("last words", 10), written.handler());
    out.close();
  });
  BOOST_TEST((written.calls == 1 && !written.ec && written.bytes == 10));
  char got[16];
  BOOST_TEST(in.read_some(asio::buffer(got)) == 10u);
}

// io_uring leaves even the first attempt at a terminal to a worker thread, which a cancellation can overtake.
BOOST_DATA_TEST_CASE(write_then_cancel_on_a_terminal, settings)
{
  asio::io_context ctx;
  auto [controller, terminal] = terminal_pair(ctx);
  outcome written;
  run_steps(sample, ctx, [&, &terminal = terminal] {
    terminal.async_write_some(asio::buffer("last words", 10), written.handler());
    terminal.cancel();
  });
  BOOST_TEST((written.calls == 1 && !written.ec && written.bytes == 10));
  char got[16];
  BOOST_TEST_REQUIRE(ready_for(controller.native_handle(), POLLIN));
  BOOST_TEST(controller.read_some(asio::buffer(got)) == 10u);
}

BOOST_DATA_TEST_CASE(read_then_cancel_on_a_terminal_with_data_there, settings)
{
  asio::io_context ctx;
  auto [controller, terminal] = terminal_pair(ctx);
  controller.write_some(asio::buffer("data\n", 5));
  BOOST_TEST_REQUIRE(ready_for(terminal.native_handle(), POLLIN));
  char in[16] = {};
  outcome received;
  run_steps(sample, ctx, [&, &terminal = terminal] {
    terminal.async_read_some(asio::buffer(in), received.handler());
    terminal.cancel();
  });
  BOOST_TEST((received.calls == 1 && !received.ec && received.bytes == 5));
}

BOOST_DATA_TEST_CASE(receive_then_cancel_with_data_there, settings)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  b.send(asio::buffer("data", 4));
  BOOST_TEST_REQUIRE(readable(a));
  char in[8] = {};
  outcome received, behind;
  run_steps(sample, ctx, [&, &a = a] {
    a.async_receive(asio::buffer(in), received.handler());
    a.async_receive(asio::buffer(in), behind.handler());
    a.cancel();
  });
  BOOST_TEST((received.calls == 1 && !received.ec && received.bytes == 4));
  BOOST_TEST((behind.calls == 1 && behind.ec == asio::error::operation_aborted));
}

BOOST_DATA_TEST_CASE(receive_then_cancel_without_data, settings)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[8] = {};
  outcome received;
  run_steps(sample, ctx, [&, &a = a] {
    a.async_receive(asio::buffer(in), received.handler());
    a.cancel();
  });
  BOOST_TEST((received.calls == 1 && received.ec == asio::error::operation_aborted));
}

BOOST_DATA_TEST_CASE(accept_then_cancel_with_a_connection_there, settings)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  tcp::socket client(ctx), server(ctx);
  client.connect(acceptor.local_endpoint());
  BOOST_TEST_REQUIRE(readable(acceptor));
  outcome accepted;
  run_steps(sample, ctx, [&] {
    acceptor.async_accept(server, accepted.plain());
    acceptor.cancel();
  });
  BOOST_TEST((accepted.calls == 1 && !accepted.ec && server.is_open()));
}

// Of a wait stock makes no attempt that could succeed at once.
BOOST_DATA_TEST_CASE(wait_then_cancel_while_ready, one_thread)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  outcome waited;
  run_steps(sample, ctx, [&, &a = a] {
    a.async_wait(tcp::socket::wait_write, waited.plain());
    a.cancel();
  });
  BOOST_TEST((waited.calls == 1 && waited.ec == asio::error::operation_aborted));
}

BOOST_DATA_TEST_CASE(connect_then_blocking_accept, settings)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  tcp::socket client(ctx);
  outcome connected;
  bool accepted = false;
  run_steps(sample, ctx, [&] {
    client.async_connect(acceptor.local_endpoint(), connected.plain());
    accepted = acceptor.accept().is_open();
  });
  BOOST_TEST(accepted);
  BOOST_TEST((connected.calls == 1 && !connected.ec));
}

BOOST_DATA_TEST_CASE(send_then_blocking_receive_of_the_answer, settings)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  std::thread peer([&b = b] {
    char question[8];
    error_code ec;
    const std::size_t n = b.read_some(asio::buffer(question), ec);
    asio::write(b, asio::buffer(question, n), ec);
  });
  outcome sent;
  char answer[8] = {};
  std::size_t got = 0;
  run_steps(sample, ctx, [&, &a = a] {
    a.async_send(asio::buffer("why?", 4), sent.handler());
    got = a.read_some(asio::buffer(answer));
  });
  peer.join();
  BOOST_TEST((sent.calls == 1 && !sent.ec));
  BOOST_TEST(std::string(answer, got) == "why?");
}

// What is shut down from outside has to be handed over by whoever can do it at that moment, also while the loop changes
// from its ring for any thread to the one for a thread that runs alone, and back.
BOOST_AUTO_TEST_CASE(shut_down_from_outside_while_the_loop_settles)
{
  constexpr int runs = 150;
  asio::io_context ctx;
  std::atomic<bool> is_over{false};
  std::atomic<int> sent{0}, wrong{0};
  auto work = asio::make_work_guard(ctx);
  std::thread outside([&] {
    while (!is_over)
    {
      auto [a, b] = local_pair(ctx);
      std::atomic<bool> called{false};
      a.async_send(asio::buffer("last words", 10), [&](error_code ec, std::size_t n) {
        wrong += ec || n != 10;
        called = true;
      });
      a.shutdown(asio::local::stream_protocol::socket::shutdown_send);
      while (!called)
        std::this_thread::yield();
      wrong += everything_from(b.native_handle()) != "last words and the end";
      ++sent;
    }
    work.reset();
  });
  for (int i = 0; i < runs; ++i)
  {
    bouncer around{ctx, [&] { ctx.stop(); }};
    around.bounce();
    ctx.run();
    ctx.restart();
  }
  is_over = true;
  ctx.run();
  outside.join();
  BOOST_TEST(sent > 0);
  BOOST_TEST(wrong == 0);
}
