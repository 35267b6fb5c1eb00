// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// cancel() against everything it can race with: nothing lost, nothing reported twice, and no buffer
// touched after its handler has run.

#define BOOST_TEST_MODULE cancel
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/sanitizers.hpp"
#include "support/watchdog.hpp"
#include <array>
#include <atomic>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

constexpr int race_rounds = is_sanitized ? 1000 : 5000;

} // namespace

BOOST_AUTO_TEST_SUITE(one_thread)

BOOST_AUTO_TEST_CASE(all_operations_are_aborted_and_the_socket_lives_on)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[4];
  std::array<outcome, 3> reads;
  outcome wait;
  for (auto& read : reads)
    a.async_read_some(asio::buffer(in), read.handler());
  a.async_wait(tcp::socket::wait_error, wait.plain());
  ctx.run_for(2ms);
  a.cancel();
  for (auto& read : reads)
    BOOST_TEST(read.calls == 0); // Never inside cancel() itself.
  ctx.run();
  for (auto& read : reads)
    BOOST_TEST((read.calls == 1 && read.ec == asio::error::operation_aborted && read.bytes == 0));
  BOOST_TEST((wait.calls == 1 && wait.ec == asio::error::operation_aborted));
  outcome again;
  a.async_read_some(asio::buffer(in), again.handler());
  b.send(asio::buffer("ok", 2));
  ctx.restart();
  ctx.run();
  BOOST_TEST(again.bytes == 2u);
  BOOST_TEST(!again.ec);
}

BOOST_AUTO_TEST_CASE(cancel_before_the_loop_has_seen_the_operation)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[4];
  outcome read, late;
  a.async_read_some(asio::buffer(in), read.handler());
  a.cancel();
  a.async_read_some(asio::buffer(in), late.handler()); // Started after cancel(): not affected.
  b.send(asio::buffer("x", 1));
  ctx.run();
  BOOST_TEST(read.ec == asio::error::operation_aborted);
  BOOST_TEST(!late.ec);
  BOOST_TEST(late.bytes == 1u);
}

BOOST_AUTO_TEST_CASE(cancel_without_operations_is_harmless)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  a.cancel();
  b.send(asio::buffer("abc", 3));
  char in[4];
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  ctx.run();
  BOOST_TEST(read.bytes == 3u);
  a.cancel(); // Too late for the finished one.
  BOOST_TEST(read.calls == 1);
}

BOOST_AUTO_TEST_CASE(cancel_in_a_handler_spares_finished_operations)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  auto [c, d] = local_pair(ctx);
  char in[2];
  outcome second;
  b.send(asio::buffer("1", 1));
  d.send(asio::buffer("2", 1));
  a.async_read_some(asio::buffer(in, 1), [c = &c](error_code ec, std::size_t) {
    BOOST_TEST(!ec);
    c->cancel();
  });
  c.async_read_some(asio::buffer(in + 1, 1), second.handler());
  ctx.run();
  BOOST_TEST(second.calls == 1);
  char left[4];
  c.non_blocking(true);
  error_code ec;
  const std::size_t unread = c.read_some(asio::buffer(left), ec);
  BOOST_TEST(second.bytes + unread == 1u); // The byte is either reported or still there.
}

BOOST_AUTO_TEST_CASE(a_cancelled_buffer_is_not_written_any_more)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  for (int i = 0; i < 300; ++i)
  {
    std::array<char, 64> in;
    in.fill('-');
    outcome read;
    a.async_read_some(asio::buffer(in), read.handler());
    ctx.restart();
    if (i % 2)
      ctx.poll();
    a.cancel();
    ctx.restart();
    ctx.run();
    BOOST_TEST_REQUIRE(read.ec == asio::error::operation_aborted);
    b.send(asio::buffer("late", 4));
    ctx.restart();
    ctx.poll();
    BOOST_TEST(std::string(in.data(), in.size()) == std::string(in.size(), '-'));
    BOOST_TEST(a.read_some(asio::buffer(in)) == 4u);
  }
}

BOOST_AUTO_TEST_CASE(connect_and_accept_and_write_can_be_cancelled)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  outcome accept, write;
  acceptor.async_accept([&](error_code ec, tcp::socket) { ++accept.calls, accept.ec = ec; });
  auto [a, b] = local_pair(ctx);
  fill(a);
  a.async_write_some(asio::buffer("x", 1), write.handler());
  ctx.run_for(2ms);
  acceptor.cancel();
  a.cancel();
  ctx.run();
  BOOST_TEST((accept.calls == 1 && accept.ec == asio::error::operation_aborted));
  BOOST_TEST((write.calls == 1 && write.ec == asio::error::operation_aborted));
  // The acceptor still serves.
  tcp::socket client(ctx);
  outcome connect;
  client.async_connect(acceptor.local_endpoint(), connect.plain());
  acceptor.async_accept([&](error_code ec, tcp::socket) { ++accept.calls, accept.ec = ec; });
  ctx.restart();
  ctx.run();
  BOOST_TEST(!accept.ec);
  BOOST_TEST(!connect.ec);
}

BOOST_AUTO_TEST_CASE(composed_operations_stop_half_way)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  std::vector<char> big(8 << 20, 'b'), small(100);
  outcome write, read;
  asio::async_write(a, asio::buffer(big), write.handler());
  b.send(asio::buffer("12345", 5));
  asio::async_read(a, asio::buffer(small), read.handler());
  while (ctx.run_for(20ms) > 0) // Until nothing moves any more.
    ;
  a.cancel();
  ctx.run();
  BOOST_TEST(write.ec == asio::error::operation_aborted);
  BOOST_TEST(write.bytes > 0u);
  BOOST_TEST(write.bytes < big.size());
  BOOST_TEST(read.ec == asio::error::operation_aborted);
  BOOST_TEST(read.bytes == 5u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(racing)

// One byte values count up on the wire while reads are cancelled at random moments by the thread that
// owns the socket and completed by another: every byte must be reported exactly once, in order.
BOOST_AUTO_TEST_CASE(no_byte_is_lost_or_reported_twice)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  work_guard work(ctx.get_executor());
  std::thread runner([&] { ctx.run(); });
  std::thread writer([&, b = &b] {
    unsigned char value = 0;
    for (int i = 0; i < race_rounds; ++i)
    {
      b->send(asio::buffer(&value, 1));
      ++value;
      if (i % 8 == 0)
        std::this_thread::yield();
    }
  });
  int received = 0, aborted = 0, wrong = 0;
  std::mt19937 random(7);
  while (received < race_rounds)
  {
    std::array<unsigned char, 3> in;
    std::atomic<bool> done{false};
    error_code ec;
    std::size_t n = 0;
    a.async_read_some(asio::buffer(in), [&](error_code e, std::size_t bytes) {
      ec = e;
      n = bytes;
      done = true;
    });
    for (auto spin = random() % 200; spin > 0; --spin)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    // A backend may well cancel every read before it has looked for data, so some are left alone.
    if (random() % 4 != 0)
      a.cancel();
    while (!done)
      std::this_thread::yield();
    aborted += ec == asio::error::operation_aborted;
    wrong += (ec && n != 0) || (ec && ec != asio::error::operation_aborted);
    for (std::size_t i = 0; i < n; ++i, ++received)
      wrong += in[i] != static_cast<unsigned char>(received);
  }
  writer.join();
  work.reset();
  runner.join();
  BOOST_TEST(received == race_rounds);
  BOOST_TEST(wrong == 0);
  BOOST_TEST_MESSAGE(aborted << " reads were aborted");
}

BOOST_AUTO_TEST_CASE(cancel_from_other_threads_completes_exactly_once)
{
  asio::io_context ctx;
  work_guard work(ctx.get_executor());
  std::vector<std::thread> runners;
  for (int i = 0; i < 2; ++i)
    runners.emplace_back([&] { ctx.run(); });
  auto [a, b] = local_pair(ctx);
  const int peer = b.native_handle();
  std::atomic<int> go{0};
  std::thread sender([&] {
    for (int seen = 0; seen < race_rounds;)
      if (go.load() > seen)
      {
        ++seen;
        if (::send(peer, "x", 1, 0) != 1)
          break;
      }
      else
        std::this_thread::yield();
  });
  std::size_t total = 0;
  int calls_wrong = 0;
  for (int i = 0; i < race_rounds; ++i)
  {
    std::atomic<int> calls{0};
    std::atomic<std::size_t> bytes{0};
    char in[16];
    a.async_read_some(asio::buffer(in), [&](error_code, std::size_t n) {
      bytes = n;
      ++calls;
    });
    ++go;
    if (i % 3)
      std::this_thread::yield();
    a.cancel();
    while (calls == 0)
      std::this_thread::yield();
    total += bytes;
    calls_wrong += calls != 1;
  }
  // What the aborted reads left behind is still in the socket.
  while (total < static_cast<std::size_t>(race_rounds) && readable(a))
  {
    char rest[256];
    total += a.read_some(asio::buffer(rest));
  }
  sender.join();
  work.reset();
  for (auto& runner : runners)
    runner.join();
  BOOST_TEST(calls_wrong == 0);
  BOOST_TEST(total == static_cast<std::size_t>(race_rounds));
}

BOOST_AUTO_TEST_CASE(cancelled_accepts_lose_no_connection)
{
  constexpr int connections = 300;
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  const auto where = acceptor.local_endpoint();
  std::thread connector([where] {
    asio::io_context own;
    for (int i = 0; i < connections; ++i)
    {
      tcp::socket socket(own);
      socket.connect(where);
      char c;
      error_code ec;
      socket.read_some(asio::buffer(&c, 1), ec); // Until the server has accepted and closed it.
    }
  });
  int accepted = 0, aborted = 0;
  while (accepted < connections)
  {
    bool done = false;
    acceptor.async_accept([&](error_code ec, tcp::socket) {
      done = true;
      accepted += !ec;
      aborted += ec == asio::error::operation_aborted;
    });
    if (aborted % 2)
    {
      ctx.restart();
      ctx.poll();
    }
    acceptor.cancel();
    ctx.restart();
    ctx.run();
    BOOST_TEST_REQUIRE(done);
  }
  connector.join();
  BOOST_TEST(accepted == connections);
}

BOOST_AUTO_TEST_CASE(close_racing_completion)
{
  asio::io_context ctx;
  work_guard work(ctx.get_executor());
  std::thread runner([&] { ctx.run(); });
  int wrong = 0;
  constexpr int rounds = race_rounds / 5;
  for (int i = 0; i < rounds; ++i)
  {
    auto [a, b] = local_pair(ctx);
    std::array<char, 8> in;
    std::atomic<int> calls{0};
    error_code ec;
    a.async_read_some(asio::buffer(in), [&](error_code e, std::size_t) {
      ec = e;
      ++calls;
    });
    b.send(asio::buffer("x", 1));
    a.close();
    while (calls == 0)
      std::this_thread::yield();
    wrong += calls != 1 || (ec && ec != asio::error::operation_aborted);
  }
  work.reset();
  runner.join();
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(timers_cancelled_while_they_fire)
{
  asio::io_context ctx;
  work_guard work(ctx.get_executor());
  std::thread runner([&] { ctx.run(); });
  int wrong = 0;
  asio::steady_timer timer(ctx);
  for (int i = 0; i < race_rounds / 5; ++i)
  {
    std::atomic<int> calls{0};
    error_code ec;
    timer.expires_after(std::chrono::microseconds(i % 50));
    timer.async_wait([&](error_code e) {
      ec = e;
      ++calls;
    });
    for (int spin = (i * 37) % 3000; spin > 0; --spin)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    const auto cancelled = timer.cancel();
    while (calls == 0)
      std::this_thread::yield();
    wrong += calls != 1 || (cancelled == 1) != (ec == asio::error::operation_aborted);
  }
  work.reset();
  runner.join();
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_SUITE_END()
