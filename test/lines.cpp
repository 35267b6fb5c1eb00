// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Operations of one direction that stand in line on a socket: each gets its own share, in the order of their start.

#define BOOST_TEST_MODULE lines
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/running_threads.hpp"
#include "support/soon.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

constexpr std::size_t line_length = 75; // More than one system call takes.
constexpr std::size_t room = 16;

std::string text_of(std::size_t i)
{
  return "message " + std::to_string(i);
}

struct receipt : outcome
{
  std::array<char, room> buffer{};
  udp::endpoint from;

  std::string text() const { return {buffer.data(), bytes}; }
};

std::vector<std::unique_ptr<receipt>> receive_in_line(udp::socket& socket, std::size_t count)
{
  std::vector<std::unique_ptr<receipt>> line;
  for (std::size_t i = 0; i < count; ++i)
  {
    line.push_back(std::make_unique<receipt>());
    socket.async_receive_from(asio::buffer(line[i]->buffer), line[i]->from, line[i]->handler());
  }
  return line;
}

// The loop sleeps, or would, with the first of the line.
void settle(asio::io_context& ctx)
{
  ctx.run_for(2ms);
}

} // namespace

BOOST_AUTO_TEST_SUITE(datagrams)

BOOST_AUTO_TEST_CASE(are_received_in_the_order_of_the_receives)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback()), c(ctx, udp_loopback());
  const auto line = receive_in_line(c, line_length);
  settle(ctx);
  for (std::size_t i = 0; i < line_length; ++i)
    (i % 3 ? a : b).send_to(asio::buffer(text_of(i)), c.local_endpoint());
  ctx.run();
  for (std::size_t i = 0; i < line_length; ++i)
  {
    BOOST_TEST((line[i]->calls == 1 && !line[i]->ec));
    BOOST_TEST(line[i]->text() == text_of(i));
    BOOST_TEST(line[i]->from == (i % 3 ? a : b).local_endpoint());
  }
}

BOOST_AUTO_TEST_CASE(come_a_few_at_a_time)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  const auto line = receive_in_line(b, line_length);
  for (std::size_t sent = 0, round = 0; sent < line_length; ++round)
  {
    for (std::size_t i = 0; i <= round % 4 && sent < line_length; ++i)
      a.send_to(asio::buffer(text_of(sent++)), b.local_endpoint());
    BOOST_TEST(run_until(ctx, [&] { return line[sent - 1]->calls == 1; }));
    BOOST_TEST((sent == line_length || line[sent]->calls == 0));
  }
  for (std::size_t i = 0; i < line_length; ++i)
    BOOST_TEST(line[i]->text() == text_of(i));
}

BOOST_AUTO_TEST_CASE(too_long_ones_are_cut_and_empty_ones_count)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  const auto line = receive_in_line(b, 6);
  settle(ctx);
  const std::string lengthy(100, 'x');
  for (const std::string& text :
       {std::string("1"), lengthy, std::string(), std::string("4"), lengthy, std::string("6")})
    a.send_to(asio::buffer(text), b.local_endpoint());
  ctx.run();
  const std::string cut(room, 'x');
  const std::string expected[] = {"1", cut, "", "4", cut, "6"};
  for (std::size_t i = 0; i < 6; ++i)
  {
    BOOST_TEST((line[i]->calls == 1 && !line[i]->ec));
    BOOST_TEST(line[i]->text() == expected[i]);
  }
}

BOOST_AUTO_TEST_CASE(are_looked_at_and_taken_in_turn)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  std::vector<receipt> line(8);
  for (std::size_t i = 0; i < line.size(); ++i)
    b.async_receive_from(asio::buffer(line[i].buffer), line[i].from, i % 2 ? 0 : udp::socket::message_peek,
                         line[i].handler());
  settle(ctx);
  for (std::size_t i = 0; i < line.size() / 2; ++i)
    a.send_to(asio::buffer(text_of(i)), b.local_endpoint());
  ctx.run();
  for (std::size_t i = 0; i < line.size(); ++i)
    BOOST_TEST(line[i].text() == text_of(i / 2));
}

BOOST_AUTO_TEST_CASE(pass_by_receives_that_are_cancelled)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  std::vector<receipt> line(9);
  std::vector<asio::cancellation_signal> signals(line.size());
  for (std::size_t i = 0; i < line.size(); ++i)
    b.async_receive_from(asio::buffer(line[i].buffer), line[i].from,
                         asio::bind_cancellation_slot(signals[i].slot(), line[i].handler()));
  settle(ctx);
  for (std::size_t i : {0u, 3u, 4u, 8u})
    signals[i].emit(asio::cancellation_type::total);
  settle(ctx);
  for (std::size_t i = 0; i < 5; ++i)
    a.send_to(asio::buffer(text_of(i)), b.local_endpoint());
  ctx.run();
  std::size_t received = 0;
  for (std::size_t i = 0; i < line.size(); ++i)
  {
    BOOST_TEST(line[i].calls == 1);
    if (i == 0 || i == 3 || i == 4 || i == 8)
      BOOST_TEST(line[i].ec == asio::error::operation_aborted);
    else
      BOOST_TEST(line[i].text() == text_of(received++));
  }
}

BOOST_AUTO_TEST_CASE(are_sent_in_order_but_for_those_that_cannot)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback()), c(ctx, udp_loopback());
  const std::string too_long(70'000, 'x');
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < line_length; ++i)
    texts.push_back(i == 5 || i == 40 ? too_long : text_of(i));
  std::vector<outcome> line(line_length);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < line_length; ++i)
    a.async_send_to(asio::buffer(texts[i]), (i % 2 ? b : c).local_endpoint(), [&, i](error_code ec, std::size_t size) {
      line[i].handler()(ec, size);
      order.push_back(i);
    });
  ctx.run();
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
  char in[room];
  for (std::size_t i = 0; i < line_length; ++i)
  {
    BOOST_TEST(line[i].calls == 1);
    if (texts[i] == too_long)
    {
      BOOST_TEST(line[i].ec == asio::error::message_size);
      continue;
    }
    BOOST_TEST((!line[i].ec && line[i].bytes == texts[i].size()));
    const std::size_t size = (i % 2 ? b : c).receive(asio::buffer(in));
    BOOST_TEST(std::string(in, size) == texts[i]);
  }
}

BOOST_AUTO_TEST_CASE(wait_for_room_in_the_receiver)
{
  using local = asio::local::datagram_protocol;
  asio::io_context ctx;
  local::socket a(ctx), b(ctx);
  asio::local::connect_pair(a, b);
  std::vector<outcome> line(1000);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < line.size(); ++i)
    texts.push_back(text_of(i));
  for (std::size_t i = 0; i < line.size(); ++i)
    a.async_send(asio::buffer(texts[i]), line[i].handler());
  settle(ctx);
  BOOST_TEST(line.back().calls == 0);
  std::size_t received = 0;
  char in[room];
  std::function<void()> receive = [&] {
    b.async_receive(asio::buffer(in), [&](error_code, std::size_t size) {
      BOOST_TEST(std::string(in, size) == texts[received]);
      if (++received < texts.size())
        receive();
    });
  };
  receive();
  ctx.run();
  BOOST_TEST(received == texts.size());
  for (const outcome& each : line)
    BOOST_TEST((each.calls == 1 && !each.ec));
}

BOOST_AUTO_TEST_CASE(of_a_refusing_peer_end_one_receive)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback());
  {
    udp::socket closed(ctx, udp_loopback());
    a.connect(closed.local_endpoint());
  }
  std::vector<receipt> line(5);
  for (receipt& each : line)
    a.async_receive_from(asio::buffer(each.buffer), each.from, each.handler());
  settle(ctx);
  a.send(asio::buffer("x", 1));
  BOOST_TEST(run_until(ctx, [&] { return line[0].calls == 1; }));
  settle(ctx);
  BOOST_TEST(line[0].ec == asio::error::connection_refused);
  for (std::size_t i = 1; i < line.size(); ++i)
    BOOST_TEST(line[i].calls == 0);
  a.close();
  ctx.restart();
  ctx.run();
  for (std::size_t i = 1; i < line.size(); ++i)
    BOOST_TEST((line[i].calls == 1 && line[i].ec == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(streams)

BOOST_AUTO_TEST_CASE(are_written_and_read_in_order)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  constexpr std::size_t size = 300'000, count = 20;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i)
    out.emplace_back(size, static_cast<char>('a' + i));
  std::vector<outcome> writes(count);
  for (std::size_t i = 0; i < count; ++i)
    a.async_write_some(asio::buffer(out[i]), writes[i].handler());
  std::vector<std::string> in(100 * count, std::string(size / 20, ' '));
  std::vector<outcome> reads(in.size());
  for (std::size_t i = 0; i < in.size(); ++i)
    b.async_read_some(asio::buffer(in[i]), reads[i].handler());
  std::size_t written = 0, arrived = 0;
  BOOST_TEST(run_until(ctx, [&] {
    written = arrived = 0;
    for (const outcome& each : writes)
      written += each.bytes;
    for (const outcome& each : reads)
      arrived += each.bytes;
    return writes.back().calls == 1 && arrived == written;
  }));
  b.close();
  ctx.restart();
  ctx.run();
  std::string expected, received;
  for (std::size_t i = 0; i < count; ++i)
    expected.append(out[i], 0, writes[i].bytes);
  for (std::size_t i = 0; i < in.size(); ++i)
  {
    BOOST_TEST((reads[i].calls == 1 && (!reads[i].ec || reads[i].ec == asio::error::operation_aborted)));
    received.append(in[i], 0, reads[i].bytes);
  }
  BOOST_TEST((received == expected));
}

// On epoll a thread alone makes large transfers when they are started and small ones later: neither overtakes the other.
BOOST_AUTO_TEST_CASE(keep_the_order_of_large_and_small)
{
  constexpr std::size_t large = 64 * 1024, writes = 40, reads_in_line = 6;
  asio::io_context ctx;
  using local_socket = asio::local::stream_protocol::socket;
  local_socket reader(ctx), writer(ctx);
  asio::local::connect_pair(reader, writer);
  // What each of them moved, in the order in which they were started.
  std::deque<std::string> sent, received;
  bool is_starting = false;
  std::size_t ended_inside = 0, writes_ended = 0;
  const auto size_of = [](std::size_t i) { return i % 3 == 1 ? large : i % 3 + 1; };
  std::function<void()> read = [&] {
    std::string& bytes = received.emplace_back(size_of(received.size()), '\0');
    is_starting = true;
    reader.async_read_some(asio::buffer(bytes), [&](error_code ec, std::size_t n) {
      ended_inside += is_starting;
      bytes.resize(n);
      // Stock Asio tells the end to the first of several reads only.
      ec ? reader.cancel() : read();
    });
    is_starting = false;
  };
  const auto write = [&](std::size_t i) {
    std::string& bytes = sent.emplace_back(size_of(i), static_cast<char>('0' + i));
    is_starting = true;
    writer.async_write_some(asio::buffer(bytes), [&](error_code, std::size_t n) {
      ended_inside += is_starting;
      bytes.resize(n);
      if (++writes_ended == writes)
        writer.shutdown(local_socket::shutdown_send);
    });
    is_starting = false;
  };
  asio::post(ctx, [&] {
    for (std::size_t i = 0; i < reads_in_line; ++i)
      read();
    for (std::size_t i = 0; i < writes; ++i)
      write(i);
  });
  ctx.run();
  const auto all = [](const std::deque<std::string>& pieces) {
    return std::accumulate(pieces.begin(), pieces.end(), std::string());
  };
  BOOST_TEST(ended_inside == 0u);
  BOOST_TEST(all(sent).size() > large);
  BOOST_TEST((all(received) == all(sent)));
}

BOOST_AUTO_TEST_CASE(are_closed_under_a_line)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  std::vector<std::array<char, 4>> in(6);
  std::vector<outcome> reads(in.size());
  // There is data for two, and the handler of the first closes the socket.
  b.async_read_some(asio::buffer(in[0]), [&, &b = b](error_code ec, std::size_t size) {
    reads[0].handler()(ec, size);
    b.close();
  });
  for (std::size_t i = 1; i < in.size(); ++i)
    b.async_read_some(asio::buffer(in[i]), reads[i].handler());
  settle(ctx);
  a.send(asio::buffer("12345678", 8));
  ctx.run();
  BOOST_TEST((reads[0].calls == 1 && reads[0].bytes == 4));
  BOOST_TEST(reads[1].calls == 1);
  for (std::size_t i = 2; i < in.size(); ++i)
    BOOST_TEST((reads[i].calls == 1 && reads[i].ec == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(with_several_threads)

namespace {

// Operations of one direction, started one behind the other, and what each of them moved.
struct line
{
  static constexpr std::size_t size = 3000;
  struct entry
  {
    std::array<char, size> data;
    std::size_t moved = 0;
    std::atomic<bool> is_over{false};
  };
  std::vector<entry> entries;
  std::atomic<std::size_t> unfinished{0}, called_twice{0};

  explicit line(std::size_t count) : entries(count), unfinished(count) {}

  auto at(std::size_t i)
  {
    return [this, i](error_code, std::size_t n) {
      called_twice += entries[i].is_over.exchange(true);
      entries[i].moved = n;
      --unfinished;
    };
  }

  std::string all() const
  {
    std::string made;
    for (const entry& each : entries)
      made.append(each.data.data(), each.moved);
    return made;
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(bytes_keep_their_order)
{
  for (int round = 0; round < 40; ++round)
  {
    asio::io_context ctx;
    auto [reader, writer] = local_pair(ctx);
    writer.set_option(asio::socket_base::send_buffer_size(4000));
    line writes(60), reads(60);
    char next = 0;
    for (auto& each : writes.entries)
      for (char& c : each.data)
        c = next = static_cast<char>((next + 1) % 101);
    {
      running_threads threads(ctx, 3);
      std::thread other([&, &reader = reader] {
        for (std::size_t i = 0; i < reads.entries.size(); ++i)
          reader.async_read_some(asio::buffer(reads.entries[i].data), reads.at(i));
      });
      for (std::size_t i = 0; i < writes.entries.size(); ++i)
        writer.async_write_some(asio::buffer(writes.entries[i].data), writes.at(i));
      other.join();
      soon([&] { return writes.unfinished == 0; });
      // Reads that found no bytes to read find the end.
      writer.shutdown(asio::socket_base::shutdown_send);
    }
    const std::string sent = writes.all(), received = reads.all();
    BOOST_TEST_REQUIRE(reads.unfinished == 0u);
    BOOST_TEST_REQUIRE(reads.called_twice + writes.called_twice == 0u);
    BOOST_TEST_REQUIRE(received.size() <= sent.size());
    BOOST_TEST_REQUIRE(received == sent.substr(0, received.size()));
  }
}

// Their limits, too.
BOOST_AUTO_TEST_CASE(datagrams_keep_their_order)
{
  constexpr std::size_t count = 60;
  for (int round = 0; round < 40; ++round)
  {
    asio::io_context ctx;
    asio::local::datagram_protocol::socket in(ctx), out(ctx);
    asio::local::connect_pair(in, out);
    std::vector<std::array<char, 8>> received(count);
    std::vector<asio::local::datagram_protocol::endpoint> peers(count);
    std::vector<ending> got(count);
    std::atomic<std::size_t> finished{0};
    {
      running_threads threads(ctx, 3);
      for (std::size_t i = 0; i < count; ++i)
        in.async_receive_from(asio::buffer(received[i]), peers[i], [&, i](error_code ec, std::size_t n) {
          got[i].handler()(ec, n);
          ++finished;
        });
      for (std::size_t i = 0; i < count; ++i)
      {
        const char number = static_cast<char>(i);
        out.send(asio::buffer(&number, 1));
      }
      BOOST_TEST_REQUIRE(soon([&] { return finished == count; }));
    }
    for (std::size_t i = 0; i < count; ++i)
    {
      BOOST_TEST_REQUIRE(got[i].calls == 1);
      BOOST_TEST_REQUIRE(got[i].bytes == 1u);
      BOOST_TEST_REQUIRE(received[i][0] == static_cast<char>(i));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
