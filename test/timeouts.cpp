// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Cancellation that comes through a completion token: what loses against a timer ends, gives its buffer back and loses
// no bytes. And channels, which join coroutines to sockets.

#define BOOST_TEST_MODULE timeouts
#include <boost/test/included/unit_test.hpp>

#include "support/tokens.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/experimental/promise.hpp>
#include <boost/asio/experimental/use_promise.hpp>
#if BOOST_VERSION >= 108600
# include <boost/asio/cancel_after.hpp>
# include <boost/asio/cancel_at.hpp>
#endif
#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <vector>

using namespace test_support;
using namespace asio::experimental::awaitable_operators;
namespace experimental = asio::experimental;

BOOST_AUTO_TEST_SUITE(losers)

// What a read that lost against a timer leaves behind: its buffer is the caller's again, and the bytes are still there.
BOOST_AUTO_TEST_CASE(the_loser_gives_back_its_buffer_and_loses_no_bytes)
{
  place p;
  run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 50; ++i)
    {
      char lost[4] = {'.', '.', '.', '.'}, in[4] = {};
      p.timer.expires_after(200us);
      auto first =
        co_await (p.a.async_read_some(asio::buffer(lost), use_awaitable) || p.timer.async_wait(use_awaitable));
      BOOST_TEST(first.index() == 1u);
      co_await p.b.async_send(asio::buffer("abc", 3), use_awaitable);
      p.timer.expires_after(200us);
      co_await p.timer.async_wait(use_awaitable);
      BOOST_TEST(std::string(lost, 4) == "....");
      BOOST_TEST(co_await p.a.async_read_some(asio::buffer(in), use_awaitable) == 3u);
      BOOST_TEST(std::string(in) == "abc");
    }
  });
}

// Bytes numbered by the sender, a reader whose timer fires at about the same moment: none is lost, none is doubled.
BOOST_AUTO_TEST_CASE(every_byte_arrives_whoever_wins)
{
  place p;
  constexpr unsigned total = 1000;
  unsigned received = 0, wrong = 0, timed_out = 0;
  auto sender = [&]() -> asio::awaitable<void> {
    for (unsigned i = 0; i < total; ++i)
    {
      const auto byte = static_cast<unsigned char>(i);
      co_await p.b.async_send(asio::buffer(&byte, 1), use_awaitable);
      p.clock.expires_after(std::chrono::microseconds(i % 64));
      co_await p.clock.async_wait(use_awaitable);
    }
  };
  auto reader = [&]() -> asio::awaitable<void> {
    while (received < total)
    {
      auto in = std::make_unique<std::array<unsigned char, 16>>();
      p.timer.expires_after(std::chrono::microseconds(received % 32));
      auto first =
        co_await (p.a.async_read_some(asio::buffer(*in), use_awaitable) || p.timer.async_wait(use_awaitable));
      timed_out += first.index() == 1;
      if (first.index() == 0)
        for (std::size_t i = 0; i < std::get<0>(first); ++i)
          wrong += (*in)[i] != static_cast<unsigned char>(received++);
    }
  };
  asio::co_spawn(p.ctx, sender, asio::detached);
  run_coroutine(p.ctx, reader);
  BOOST_TEST(received == total);
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(timed_out > 0u);
}

BOOST_AUTO_TEST_CASE(a_composed_read_and_a_full_write_time_out)
{
  place p;
  run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
    p.b.send(asio::buffer("abc", 3));
    p.timer.expires_after(5ms);
    auto read =
      co_await (asio::async_read(p.a, asio::buffer(p.in), use_awaitable) || p.timer.async_wait(use_awaitable));
    BOOST_TEST(read.index() == 1u);
    BOOST_TEST(std::string(p.in) == "abc");
    const std::string block(16 << 20, 'x');
    p.timer.expires_after(5ms);
    auto written =
      co_await (asio::async_write(p.a, asio::buffer(block), use_awaitable) || p.timer.async_wait(use_awaitable));
    BOOST_TEST(written.index() == 1u);
    p.a.close();
    std::string rest;
    auto [ec, n] = co_await asio::async_read(p.b, asio::dynamic_buffer(rest), asio::as_tuple(use_awaitable));
    BOOST_TEST(ec == asio::error::eof);
    BOOST_TEST((n > 0 && n < block.size() && rest == std::string(n, 'x')));
  });
}

BOOST_AUTO_TEST_CASE(an_accept_and_a_datagram_time_out)
{
  place p;
  tcp::acceptor acceptor(p.ctx, loopback());
  udp::socket datagram(p.ctx, udp_loopback());
  run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 20; ++i)
    {
      p.timer.expires_after(100us);
      auto accepted = co_await (acceptor.async_accept(use_awaitable) || p.timer.async_wait(use_awaitable));
      BOOST_TEST(accepted.index() == 1u);
      p.timer.expires_after(100us);
      auto got =
        co_await (datagram.async_receive(asio::buffer(p.in), use_awaitable) || p.timer.async_wait(use_awaitable));
      BOOST_TEST(got.index() == 1u);
    }
    tcp::socket client(p.ctx);
    tcp::socket server =
      co_await (client.async_connect(acceptor.local_endpoint(), use_awaitable) && acceptor.async_accept(use_awaitable));
    BOOST_TEST(server.remote_endpoint() == client.local_endpoint());
  });
}

BOOST_AUTO_TEST_CASE(an_error_of_one_side_of_and_cancels_the_other)
{
  place p;
  seen first;
  run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
    try
    {
      co_await (p.closed.async_read_some(asio::mutable_buffer(p.in + 4, 4), use_awaitable) &&
                p.a.async_read_some(asio::buffer(p.in, 4), use_awaitable));
    }
    catch (const asio::multiple_exceptions& errors) // The cancelled one has failed too.
    {
      first.note(errors.first_exception());
    }
    p.b.send(asio::buffer("x", 1));
    BOOST_TEST(co_await p.a.async_read_some(asio::buffer(p.in), use_awaitable) == 1u);
  });
  BOOST_TEST(first.ec == asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(the_first_success_of_many_reads_cancels_the_rest)
{
  asio::io_context ctx;
  std::vector<std::pair<tcp::socket, tcp::socket>> pairs;
  std::array<char, 8> in = {};
  for (std::size_t i = 0; i < in.size(); ++i)
    pairs.push_back(tcp_pair(ctx));
  auto read = [&](std::size_t i) { return pairs[i].first.async_read_some(asio::buffer(&in[i], 1), asio::deferred); };
  for (std::size_t winner = 0; winner < in.size(); ++winner)
  {
    std::vector<decltype(read(0))> reads;
    for (std::size_t i = 0; i < in.size(); ++i)
      reads.push_back(read(i));
    bool done = false;
    experimental::make_parallel_group(std::move(reads))
      .async_wait(experimental::wait_for_one_success(),
                  [&](std::vector<std::size_t> order, std::vector<error_code> ec, std::vector<std::size_t> n) {
                    BOOST_TEST(order[0] == winner);
                    BOOST_TEST((!ec[winner] && n[winner] == 1));
                    BOOST_TEST(std::count(ec.begin(), ec.end(), error_code(asio::error::operation_aborted)) == 7);
                    done = true;
                  });
    pairs[winner].second.send(asio::buffer("w", 1));
    ctx.restart();
    ctx.run();
    BOOST_TEST(done);
  }
  BOOST_TEST(std::string(in.data(), in.size()) == "wwwwwwww");
}

#if BOOST_VERSION >= 108600
BOOST_AUTO_TEST_CASE(cancel_after_and_cancel_at)
{
  place p;
  for (int i = 0; i < 50; ++i)
  {
    seen after, at, wait, next;
    p.a.async_read_some(asio::buffer(p.in), asio::cancel_after(100us, recorder(after)));
    p.b.async_read_some(asio::buffer(p.in), asio::cancel_at(steady::now() + 100us, recorder(at)));
    p.timer.async_wait(asio::cancel_after(p.clock, 100us, recorder(wait)));
    p.ctx.restart();
    p.ctx.run();
    for (auto* s : {&after, &at, &wait})
      BOOST_TEST((s->calls == 1 && s->ec == asio::error::operation_aborted && s->bytes == 0));
    p.b.send(asio::buffer("abc", 3));
    p.a.async_read_some(asio::buffer(p.in), asio::cancel_after(1h, recorder(next)));
    p.ctx.restart();
    p.ctx.run();
    BOOST_TEST((!next.ec && next.bytes == 3));
  }
}
#endif

BOOST_AUTO_TEST_CASE(a_promise_is_cancelled)
{
  place p;
  seen s;
  auto promise = p.a.async_read_some(asio::buffer(p.in), experimental::use_promise);
  promise.cancel();
  promise(recorder(s));
  p.ctx.run();
  BOOST_TEST((s.calls == 1 && s.ec == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(channels)

BOOST_AUTO_TEST_CASE(a_channel_between_coroutines_and_a_timer)
{
  place p;
  experimental::channel<void(error_code, int)> channel(p.ctx, 2);
  int sum = 0;
  auto producer = [&]() -> asio::awaitable<void> {
    for (int i = 1; i <= 100; ++i)
      co_await channel.async_send({}, i, use_awaitable);
  };
  asio::co_spawn(p.ctx, producer, asio::detached);
  run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
    for (int i = 1; i <= 100; ++i)
      sum += co_await channel.async_receive(use_awaitable);
    p.timer.expires_after(1ms);
    auto first = co_await (channel.async_receive(use_awaitable) || p.timer.async_wait(use_awaitable));
    BOOST_TEST(first.index() == 1u);
    channel.close();
    auto [ec, value] = co_await channel.async_receive(asio::as_tuple(use_awaitable));
    BOOST_TEST(ec == experimental::error::channel_closed);
  });
  BOOST_TEST(sum == 5050);
}

BOOST_AUTO_TEST_CASE(a_concurrent_channel_feeds_a_socket_from_other_threads)
{
  asio::io_context ctx, elsewhere;
  auto [a, b] = tcp_pair(ctx);
  experimental::concurrent_channel<void(error_code, int)> channel(ctx, 1);
  constexpr int each = 300;
  auto producer = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < each; ++i)
      co_await channel.async_send({}, 1, use_awaitable);
  };
  for (int i = 0; i < 2; ++i)
    asio::co_spawn(elsewhere, producer, asio::detached);
  std::thread first([&] { elsewhere.run(); }), second([&] { elsewhere.run(); });
  std::string in;
  run_coroutine(ctx, [&, a = &a, b = &b]() -> asio::awaitable<void> {
    for (int i = 0; i < 2 * each; ++i)
    {
      const int value = co_await channel.async_receive(use_awaitable);
      co_await a->async_send(asio::buffer(std::string(value, 'x')), use_awaitable);
    }
    a->close();
    co_await asio::async_read(*b, asio::dynamic_buffer(in), asio::as_tuple(use_awaitable));
  });
  first.join();
  second.join();
  BOOST_TEST(in == std::string(2 * each, 'x'));
}

BOOST_AUTO_TEST_SUITE_END()
