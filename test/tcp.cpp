// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// TCP sockets and acceptors: every asynchronous member beside its synchronous twin, and transfers of
// every shape with the bytes checked.

#define BOOST_TEST_MODULE tcp
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

std::vector<char> pattern(std::size_t size, unsigned seed = 1)
{
  std::vector<char> data(size);
  std::minstd_rand random(seed);
  for (auto& c : data)
    c = static_cast<char>(random() >> 8);
  return data;
}

} // namespace

BOOST_AUTO_TEST_SUITE(connecting)

BOOST_AUTO_TEST_CASE(connect_and_every_form_of_accept)
{
  asio::io_context ctx, other;
  tcp::acceptor acceptor(ctx, loopback());
  const auto where = acceptor.local_endpoint();
  std::deque<tcp::socket> clients;
  int done = 0;
  auto connect = [&] {
    clients.emplace_back(ctx).async_connect(where, [&](error_code ec) {
      BOOST_TEST(!ec);
      ++done;
    });
    ctx.restart();
    ctx.run();
    BOOST_TEST(done == static_cast<int>(clients.size()));
  };
  auto matches = [&](const tcp::socket& server, const tcp::endpoint& peer) {
    BOOST_TEST(server.is_open());
    BOOST_TEST(peer == clients.back().local_endpoint());
    BOOST_TEST(server.remote_endpoint() == clients.back().local_endpoint());
    BOOST_TEST(server.local_endpoint() == where);
  };
  auto run = [&] {
    ctx.restart();
    ctx.run();
  };

  connect();
  tcp::socket server(ctx);
  outcome end;
  acceptor.async_accept(server, end.plain());
  run();
  BOOST_TEST((end.calls == 1 && !end.ec));
  matches(server, server.remote_endpoint());

  connect();
  tcp::endpoint peer;
  tcp::socket second(other); // Into a socket of another context.
  acceptor.async_accept(second, peer, end.plain());
  run();
  BOOST_TEST((end.calls == 2 && !end.ec));
  matches(second, peer);

  connect();
  std::optional<tcp::socket> moved;
  acceptor.async_accept([&](error_code ec, tcp::socket s) { end.ec = ec, moved.emplace(std::move(s)); });
  run();
  matches(*moved, moved->remote_endpoint());

  connect();
  moved.reset();
  acceptor.async_accept(other, [&](error_code ec, tcp::socket s) { end.ec = ec, moved.emplace(std::move(s)); });
  run();
  BOOST_TEST((moved->get_executor() == other.get_executor()));
  matches(*moved, moved->remote_endpoint());

  connect();
  moved.reset();
  peer = tcp::endpoint();
  acceptor.async_accept(
    asio::make_strand(other), peer,
    [&](error_code ec, tcp::socket::rebind_executor<asio::strand<asio::io_context::executor_type>>::other s) {
      end.ec = ec;
      matches(tcp::socket(std::move(s)), peer);
    });
  run();
  BOOST_TEST(!end.ec);

  connect();
  matches(acceptor.accept(), clients.back().local_endpoint());
  connect();
  acceptor.accept(peer);
  BOOST_TEST(peer == clients.back().local_endpoint());
}

BOOST_AUTO_TEST_CASE(accept_waits_for_the_connection)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  constexpr int wanted = 20;
  int accepted = 0;
  for (int i = 0; i < wanted; ++i)
    acceptor.async_accept([&](error_code ec, tcp::socket s) { accepted += !ec && s.is_open(); });
  ctx.run_for(2ms);
  BOOST_TEST(accepted == 0);
  std::thread connector([where = acceptor.local_endpoint()] {
    asio::io_context own;
    for (int i = 0; i < wanted; ++i)
      tcp::socket(own).connect(where);
  });
  ctx.run();
  connector.join();
  BOOST_TEST(accepted == wanted);
}

BOOST_AUTO_TEST_CASE(errors_of_connect)
{
  asio::io_context ctx;
  tcp::endpoint nobody;
  {
    tcp::acceptor gone(ctx, loopback());
    nobody = gone.local_endpoint();
  }
  outcome refused, unreachable, denied, range;
  tcp::socket a(ctx), b(ctx), c(ctx);
  a.async_connect(nobody, refused.plain());
  ctx.run();
  BOOST_TEST(refused.ec == asio::error::connection_refused);

  error_code sync;
  tcp::socket same(ctx);
  const tcp::endpoint broadcast(asio::ip::address_v4::broadcast(), 9);
  same.connect(broadcast, sync);
  b.async_connect(broadcast, unreachable.plain());
  ctx.restart();
  ctx.run();
  BOOST_TEST(sync);
  BOOST_TEST(unreachable.ec == sync); // As the synchronous call says: ENETUNREACH or EACCES.

  // A second connect on a connected socket.
  tcp::acceptor acceptor(ctx, loopback());
  c.connect(acceptor.local_endpoint());
  c.async_connect(acceptor.local_endpoint(), denied.plain());
  ctx.restart();
  ctx.run();
  BOOST_TEST(denied.ec == asio::error::already_connected);

  // Range connect tries the endpoints one after the other.
  tcp::socket d(ctx);
  const std::array<tcp::endpoint, 2> candidates = {nobody, acceptor.local_endpoint()};
  tcp::endpoint chosen;
  asio::async_connect(d, candidates, [&](error_code ec, tcp::endpoint e) { range.ec = ec, chosen = e; });
  ctx.restart();
  ctx.run();
  BOOST_TEST(!range.ec);
  BOOST_TEST(chosen == candidates[1]);
}

BOOST_AUTO_TEST_CASE(errors_of_accept)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx);
  outcome closed, open_peer, not_listening;
  acceptor.async_accept([&](error_code ec, tcp::socket) { ++closed.calls, closed.ec = ec; });
  BOOST_TEST(closed.calls == 0);
  ctx.run();
  BOOST_TEST(closed.ec == asio::error::bad_descriptor);

  acceptor.open(tcp::v4());
  acceptor.bind(loopback());
  acceptor.async_accept([&](error_code ec, tcp::socket) { ++not_listening.calls, not_listening.ec = ec; });
  ctx.restart();
  ctx.run();
  BOOST_TEST(not_listening.ec == asio::error::invalid_argument);

  acceptor.listen();
  tcp::socket already(ctx, tcp::v4());
  acceptor.async_accept(already, open_peer.plain());
  BOOST_TEST(open_peer.calls == 0);
  ctx.restart();
  ctx.run();
  BOOST_TEST(open_peer.ec == asio::error::already_open);
}

BOOST_AUTO_TEST_CASE(accepted_sockets_are_plain_descriptors)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  tcp::socket client(ctx), server(ctx);
  client.connect(acceptor.local_endpoint());
  acceptor.async_accept(server, [](error_code) {});
  ctx.run();
  BOOST_TEST(!server.non_blocking());
  server.set_option(tcp::no_delay(true));
  tcp::no_delay got;
  server.get_option(got);
  BOOST_TEST(got.value());
  // A plain system call blocks on neither, and sees what Asio's own calls see.
  BOOST_TEST(::send(client.native_handle(), "raw", 3, 0) == 3);
  char in[4] = {};
  BOOST_TEST(readable(server));
  BOOST_TEST(server.available() == 3u);
  BOOST_TEST(server.read_some(asio::buffer(in)) == 3u);
  BOOST_TEST(std::string(in) == "raw");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(transferring)

BOOST_AUTO_TEST_CASE(receive_send_and_flags)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[16] = {};
  outcome send, receive, peek, send_flags;
  a.async_send(asio::buffer("hello", 5), send.handler());
  ctx.run();
  b.async_receive(asio::buffer(in, 3), tcp::socket::message_peek, peek.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(send.bytes == 5u);
  BOOST_TEST(peek.bytes == 3u);
  b.async_receive(asio::buffer(in), receive.handler()); // Peeking has taken nothing.
  ctx.restart();
  ctx.run();
  BOOST_TEST(receive.bytes == 5u);
  BOOST_TEST(std::string(in, 5) == "hello");
  a.async_send(asio::buffer("more", 4), tcp::socket::message_do_not_route, send_flags.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(send_flags.bytes == 4u);
  BOOST_TEST(b.receive(asio::buffer(in)) == 4u);
}

BOOST_AUTO_TEST_CASE(zero_length_operations_complete_at_once)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  outcome read, write, read_all, empty_sequence;
  a.async_read_some(asio::buffer(static_cast<char*>(nullptr), 0), read.handler());
  a.async_write_some(asio::const_buffer(), write.handler());
  asio::async_read(a, asio::mutable_buffer(), read_all.handler());
  a.async_receive(std::vector<asio::mutable_buffer>(), empty_sequence.handler());
  BOOST_TEST(read.calls + write.calls + read_all.calls + empty_sequence.calls == 0);
  ctx.run();
  for (auto* end : {&read, &write, &read_all, &empty_sequence})
    BOOST_TEST((end->calls == 1 && !end->ec && end->bytes == 0));
  BOOST_TEST(a.read_some(asio::mutable_buffer()) == 0u);
}

BOOST_AUTO_TEST_CASE(scatter_and_gather)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  for (std::size_t pieces : {2u, 3u, 16u, 63u, 64u, 65u, 200u})
  {
    BOOST_TEST_CONTEXT(pieces << " buffers")
    {
      auto out = pattern(pieces * 7), in = std::vector<char>(out.size());
      std::vector<asio::const_buffer> from;
      std::vector<asio::mutable_buffer> to;
      for (std::size_t i = 0; i < pieces; ++i)
      {
        from.push_back(asio::buffer(&out[i * 7], 7));
        to.push_back(asio::buffer(&in[i * 7], 7));
      }
      outcome write, read;
      // The buffers are Asio's copies from here on, so ours may go.
      asio::async_write(a, from, write.handler());
      asio::async_read(b, to, read.handler());
      from.clear();
      to.clear();
      ctx.restart();
      ctx.run();
      BOOST_TEST(write.bytes == out.size());
      BOOST_TEST(read.bytes == out.size());
      BOOST_TEST((in == out));
    }
  }
  std::array<char, 1> x{'x'}, y{'y'};
  char in[4] = {};
  const std::array<asio::const_buffer, 4> some_empty = {asio::const_buffer(), asio::buffer(x), asio::const_buffer(),
                                                        asio::buffer(y)};
  outcome write;
  a.async_write_some(some_empty, write.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(write.bytes == 2u);
  BOOST_TEST(b.read_some(asio::buffer(in)) == 2u);
  BOOST_TEST(std::string(in) == "xy");
}

BOOST_AUTO_TEST_CASE(megabytes_through_small_socket_buffers)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  a.set_option(tcp::socket::send_buffer_size(16384));
  b.set_option(tcp::socket::receive_buffer_size(65536));
  const auto out = pattern(4 << 20), out_back = pattern(3 << 20, 2);
  std::vector<char> in(out.size()), in_back(out_back.size());
  outcome ends[4];
  asio::async_write(a, asio::buffer(out), ends[0].handler());
  asio::async_read(b, asio::buffer(in), ends[1].handler());
  asio::async_write(b, asio::buffer(out_back), ends[2].handler());
  asio::async_read(a, asio::buffer(in_back), ends[3].handler());
  ctx.run();
  for (auto& end : ends)
    BOOST_TEST((end.calls == 1 && !end.ec));
  BOOST_TEST((in == out));
  BOOST_TEST((in_back == out_back));
}

namespace {

// The read has waited before the write finds no room, so whoever watches the socket has to begin to watch for that.
template <class Socket>
void write_beside_a_waiting_read(asio::io_context& ctx, Socket& a, Socket& b, int threads)
{
  const auto out = pattern(4 << 20);
  std::vector<char> in(out.size());
  char answer = 0;
  outcome read, written, taken;
  a.async_read_some(asio::buffer(&answer, 1), read.handler());
  ctx.restart();
  work_guard work(ctx.get_executor());
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i)
    running.emplace_back([&] { ctx.run(); });
  std::this_thread::sleep_for(2ms);
  asio::post(ctx, [&] { asio::async_write(a, asio::buffer(out), written.handler()); });
  std::this_thread::sleep_for(5ms);
  asio::post(ctx, [&] {
    asio::async_read(b, asio::buffer(in), [&](error_code ec, std::size_t n) {
      taken.handler()(ec, n);
      b.write_some(asio::buffer("x", 1));
    });
    work.reset();
  });
  for (auto& each : running)
    each.join();
  BOOST_TEST((written.calls == 1 && !written.ec));
  BOOST_TEST((taken.calls == 1 && !taken.ec));
  BOOST_TEST((read.calls == 1 && !read.ec && answer == 'x'));
  BOOST_TEST((in == out));
}

} // namespace

BOOST_AUTO_TEST_CASE(a_write_waits_for_room_beside_a_read_that_waits)
{
  for (int threads : {1, 2})
    BOOST_TEST_CONTEXT(threads << " threads")
    {
      asio::io_context ctx;
      auto [a, b] = tcp_pair(ctx);
      write_beside_a_waiting_read(ctx, a, b, threads);
      auto [c, d] = local_pair(ctx);
      write_beside_a_waiting_read(ctx, c, d, threads);
    }
}

BOOST_AUTO_TEST_CASE(reads_queued_on_one_socket_fill_in_order)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  constexpr int count = 20;
  std::array<char, count> in = {};
  std::vector<int> order;
  for (int i = 0; i < count; ++i)
    a.async_read_some(asio::buffer(&in[i], 1), [&, i](error_code ec, std::size_t) {
      BOOST_TEST(!ec);
      order.push_back(i);
    });
  ctx.run_for(2ms);
  std::array<char, count> out;
  for (int i = 0; i < count; ++i)
    out[i] = static_cast<char>('a' + i);
  b.send(asio::buffer(out));
  ctx.run();
  BOOST_TEST((in == out));
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
}

BOOST_AUTO_TEST_CASE(writes_queued_on_one_socket_keep_their_order)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  constexpr std::size_t count = 100;
  const auto out = pattern(count * 50);
  std::vector<char> in(out.size());
  std::size_t sent = 0;
  for (std::size_t i = 0; i < count; ++i)
    a.async_write_some(asio::buffer(&out[i * 50], 50), [&](error_code, std::size_t n) { sent += n; });
  outcome read;
  asio::async_read(b, asio::buffer(in), read.handler());
  ctx.run();
  BOOST_TEST(sent == out.size());
  BOOST_TEST((in == out));
}

BOOST_AUTO_TEST_CASE(read_until_and_dynamic_buffers)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  std::string line;
  outcome read, rest;
  asio::async_write(a, asio::buffer("first\nsecond\nthird", 18), [a = &a](error_code, std::size_t) { a->close(); });
  asio::async_read_until(b, asio::dynamic_buffer(line), '\n', read.handler());
  ctx.run();
  BOOST_TEST(read.bytes == 6u);
  asio::streambuf more;
  asio::async_read(b, more, rest.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(rest.ec == asio::error::eof);
  BOOST_TEST(line.size() + rest.bytes == 18u);
}

BOOST_AUTO_TEST_CASE(out_of_band_data)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[8] = {};
  outcome send, urgent, wait, at_mark;
  b.async_wait(tcp::socket::wait_error, wait.plain());
  a.async_send(asio::buffer("!", 1), tcp::socket::message_out_of_band, send.handler());
  ctx.run();
  BOOST_TEST(send.bytes == 1u);
  BOOST_TEST((wait.calls == 1 && !wait.ec));
  BOOST_TEST(b.at_mark());
  b.async_receive(asio::buffer(in), tcp::socket::message_out_of_band, urgent.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(urgent.bytes == 1u);
  BOOST_TEST(in[0] == '!');
  a.send(asio::buffer("plain", 5));
  b.async_receive(asio::buffer(in), at_mark.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(at_mark.bytes == 5u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(ending)

BOOST_AUTO_TEST_CASE(end_of_file)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[8];
  outcome read;
  asio::async_read(b, asio::buffer(in), read.handler());
  a.send(asio::buffer("part", 4));
  ctx.run_for(2ms);
  a.shutdown(tcp::socket::shutdown_send);
  ctx.run();
  BOOST_TEST(read.ec == asio::error::eof);
  BOOST_TEST(read.bytes == 4u);
  // The other direction is still open.
  BOOST_TEST(b.send(asio::buffer("yes", 3)) == 3u);
  a.async_read_some(asio::buffer(in), read.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST((!read.ec && read.bytes == 3u));
}

BOOST_AUTO_TEST_CASE(reset_and_broken_pipe)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[8];
  outcome read, write;
  b.async_read_some(asio::buffer(in), read.handler());
  ctx.run_for(2ms);
  a.set_option(tcp::socket::linger(true, 0));
  a.close();
  ctx.run();
  BOOST_TEST(read.ec == asio::error::connection_reset);
  b.async_write_some(asio::buffer("x", 1), write.handler()); // No SIGPIPE either.
  ctx.restart();
  ctx.run();
  BOOST_TEST(write.ec == asio::error::broken_pipe);
}

BOOST_AUTO_TEST_CASE(a_write_in_flight_learns_of_the_reset)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  const std::vector<char> big(32 << 20);
  outcome write;
  asio::async_write(b, asio::buffer(big), write.handler());
  ctx.run_for(5ms);
  BOOST_TEST(write.calls == 0);
  a.close(); // With unread data: a reset.
  ctx.run();
  BOOST_TEST((write.ec == asio::error::connection_reset || write.ec == asio::error::broken_pipe));
  BOOST_TEST(write.bytes < big.size());
}

BOOST_AUTO_TEST_CASE(shutdown_of_sending_breaks_own_writes)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  a.shutdown(tcp::socket::shutdown_send);
  outcome write;
  a.async_write_some(asio::buffer("x", 1), write.handler());
  ctx.run();
  BOOST_TEST(write.ec == asio::error::broken_pipe);
  tcp::socket unconnected(ctx, tcp::v4());
  outcome read, send;
  char in;
  unconnected.async_read_some(asio::buffer(&in, 1), read.handler());
  unconnected.async_write_some(asio::buffer("x", 1), send.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(read.ec == asio::error::not_connected);
  BOOST_TEST(send.ec == asio::error::broken_pipe);
}

BOOST_AUTO_TEST_SUITE_END()
