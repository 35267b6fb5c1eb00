// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// UDP, UNIX-domain, seqpacket, raw and generic sockets.

#define BOOST_TEST_MODULE datagram
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace test_support;

namespace {

// A path below /tmp that goes away with the test.
struct socket_path
{
  std::string name;
  explicit socket_path(const char* what) : name("/tmp/asio_proactor_" + std::to_string(::getpid()) + what)
  {
    ::unlink(name.c_str());
  }
  ~socket_path() { ::unlink(name.c_str()); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(udp_sockets)

BOOST_AUTO_TEST_CASE(send_to_and_receive_from)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  char in[16] = {};
  udp::endpoint from;
  outcome sent, received;
  b.async_receive_from(asio::buffer(in), from, received.handler());
  BOOST_TEST(ctx.run_for(1ms) == 0u);
  a.async_send_to(asio::buffer("hello", 5), b.local_endpoint(), sent.handler());
  ctx.run();
  BOOST_TEST((sent.calls == 1 && sent.bytes == 5));
  BOOST_TEST((received.calls == 1 && received.bytes == 5));
  BOOST_TEST(from == a.local_endpoint());
  BOOST_TEST(std::string(in) == "hello");
}

BOOST_AUTO_TEST_CASE(truncation_and_empty_datagrams)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  char in[4] = {};
  udp::endpoint from;
  outcome received, next, empty;
  b.async_receive_from(asio::buffer(in, 3), from, received.handler());
  b.async_receive_from(asio::buffer(in, 3), from, next.handler());
  b.async_receive_from(asio::buffer(in, 3), from, empty.handler());
  a.send_to(asio::buffer("truncated", 9), b.local_endpoint());
  a.send_to(asio::buffer("ab", 2), b.local_endpoint());
  a.send_to(asio::const_buffer(), b.local_endpoint());
  ctx.run();
  BOOST_TEST((!received.ec && received.bytes == 3)); // The rest of a datagram is gone.
  BOOST_TEST((!next.ec && next.bytes == 2));
  BOOST_TEST((empty.calls == 1 && !empty.ec && empty.bytes == 0));
}

BOOST_AUTO_TEST_CASE(connected_sockets_and_scattered_buffers)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  outcome connect, sent, received, peek;
  a.async_connect(b.local_endpoint(), connect.plain());
  b.connect(a.local_endpoint());
  ctx.run();
  BOOST_TEST(!connect.ec);
  const std::array<asio::const_buffer, 3> out = {asio::buffer("one", 3), asio::buffer("two", 3),
                                                 asio::buffer("three", 5)};
  char first[4] = {}, second[8] = {};
  const std::array<asio::mutable_buffer, 2> in = {asio::buffer(first, 4), asio::buffer(second, 7)};
  b.async_receive(in, udp::socket::message_peek, peek.handler());
  a.async_send(out, sent.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(peek.bytes == 11u);
  b.async_receive(in, received.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(received.bytes == 11u);
  BOOST_TEST(std::string(first, 4) == "onet");
  BOOST_TEST(std::string(second) == "wothree");
}

BOOST_AUTO_TEST_CASE(a_closed_port_refuses)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback());
  {
    udp::socket gone(ctx, udp_loopback());
    a.connect(gone.local_endpoint());
  }
  a.send(asio::buffer("x", 1));
  char in;
  outcome received;
  a.async_receive(asio::buffer(&in, 1), received.handler());
  ctx.run();
  BOOST_TEST(received.ec == asio::error::connection_refused);
  udp::socket closed(ctx);
  udp::endpoint from;
  closed.async_receive_from(asio::buffer(&in, 1), from, received.handler());
  closed.async_send_to(asio::buffer("x", 1), udp_loopback(9), received.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(received.calls == 3);
  BOOST_TEST(received.ec == asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(too_large_a_datagram)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  const std::vector<char> huge(70000);
  outcome sent;
  a.async_send_to(asio::buffer(huge), b.local_endpoint(), sent.handler());
  ctx.run();
  BOOST_TEST(sent.ec == asio::error::message_size);
}

BOOST_AUTO_TEST_CASE(many_datagrams_keep_their_order)
{
  asio::io_context ctx;
  udp::socket a(ctx, udp_loopback()), b(ctx, udp_loopback());
  constexpr int count = 100;
  std::array<int, count> out, in = {};
  std::array<udp::endpoint, count> from;
  int received = 0;
  for (int i = 0; i < count; ++i)
    b.async_receive_from(asio::buffer(&in[i], sizeof(int)), from[i],
                         [&](error_code ec, std::size_t n) { received += !ec && n == sizeof(int); });
  ctx.run_for(1ms);
  for (int i = 0; i < count; ++i)
  {
    out[i] = i * 7;
    a.async_send_to(asio::buffer(&out[i], sizeof(int)), b.local_endpoint(), [](error_code, std::size_t) {});
  }
  ctx.run();
  BOOST_TEST(received == count);
  BOOST_TEST((in == out));
  for (auto& endpoint : from)
    BOOST_TEST((endpoint == a.local_endpoint()));
}

BOOST_AUTO_TEST_CASE(ipv6_where_there_is_one)
{
  asio::io_context ctx;
  error_code ec;
  udp::socket a(ctx), b(ctx);
  const udp::endpoint any(asio::ip::address_v6::loopback(), 0);
  a.open(udp::v6(), ec);
  if (!ec)
    a.bind(any, ec);
  if (ec)
  {
    BOOST_TEST_MESSAGE("no IPv6 loopback here");
    return;
  }
  b.open(udp::v6());
  b.bind(any);
  char in[4];
  udp::endpoint from;
  outcome received;
  b.async_receive_from(asio::buffer(in), from, received.handler());
  a.send_to(asio::buffer("six", 3), b.local_endpoint());
  ctx.run();
  BOOST_TEST(received.bytes == 3u);
  BOOST_TEST(from == a.local_endpoint());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(local_sockets)

BOOST_AUTO_TEST_CASE(stream_acceptor_and_connect)
{
  using local = asio::local::stream_protocol;
  asio::io_context ctx;
  socket_path path("stream");
  local::acceptor acceptor(ctx, local::endpoint(path.name));
  local::socket client(ctx), server(ctx);
  local::endpoint peer;
  outcome accept, connect, write, read;
  acceptor.async_accept(server, peer, accept.plain());
  ctx.run_for(1ms);
  client.async_connect(acceptor.local_endpoint(), connect.plain());
  ctx.run();
  BOOST_TEST((accept.calls == 1 && !accept.ec));
  BOOST_TEST((connect.calls == 1 && !connect.ec));
  BOOST_TEST(client.remote_endpoint().path() == path.name);
  BOOST_TEST(peer.path().empty());
  const std::vector<char> out(1 << 20, 'u');
  std::vector<char> in(out.size());
  asio::async_write(client, asio::buffer(out), write.handler());
  asio::async_read(server, asio::buffer(in), read.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST((write.bytes == out.size() && read.bytes == in.size()));
  BOOST_TEST((in == out));
  local::socket nobody(ctx);
  nobody.async_connect(local::endpoint("/nonexistent/socket"), connect.plain());
  ctx.restart();
  ctx.run();
  BOOST_TEST(connect.ec == boost::system::errc::no_such_file_or_directory);
}

// Stock Asio on epoll reports success here, of sockets that are not connected.
#if defined(ASIO_PROACTOR_DROP_IN)
BOOST_AUTO_TEST_CASE(a_connect_waits_for_room_in_the_backlog)
{
  using local = asio::local::stream_protocol;
  constexpr int many = 4;
  asio::io_context ctx;
  socket_path path("backlog");
  local::acceptor acceptor(ctx, local::endpoint(path.name));
  acceptor.listen(0);
  std::vector<local::socket> clients;
  outcome connects[many];
  for (outcome& connect : connects)
    clients.emplace_back(ctx).async_connect(acceptor.local_endpoint(), connect.plain());
  ctx.run_for(20ms);
  const auto finished = [&] {
    return std::count_if(connects, connects + many, [](const outcome& connect) { return connect.calls != 0; });
  };
  BOOST_TEST(finished() == 1);
  const auto last = std::find_if(connects, connects + many, [](const outcome& connect) { return connect.calls == 0; });
  clients[static_cast<std::size_t>(last - connects)].cancel();
  ctx.run_for(20ms);
  BOOST_TEST(last->calls == 1);
  BOOST_TEST(last->ec == asio::error::operation_aborted);

  std::vector<local::socket> servers;
  for (int i = 1; i < many; ++i)
  {
    servers.push_back(acceptor.accept());
    ctx.restart();
    ctx.run_for(20ms);
  }
  BOOST_TEST(finished() == many);
  for (int i = 0; i < many; ++i)
    if (connects + i != last)
    {
      BOOST_TEST(!connects[i].ec);
      BOOST_TEST(clients[static_cast<std::size_t>(i)].send(asio::buffer("x", 1)) == 1u);
    }
}

BOOST_AUTO_TEST_CASE(a_connect_of_one_thread_waits_while_another_sleeps)
{
  using local = asio::local::stream_protocol;
  constexpr int rounds = 20;
  asio::io_context ctx;
  auto work = asio::make_work_guard(ctx);
  std::thread threads[2];
  for (std::thread& each : threads)
    each = std::thread([&] { ctx.run(); });
  for (int i = 0; i < rounds; ++i)
  {
    socket_path path("backlog3");
    local::acceptor acceptor(ctx, local::endpoint(path.name));
    acceptor.listen(0);
    local::socket first(ctx), second(ctx);
    first.connect(acceptor.local_endpoint());
    std::promise<error_code> connected;
    asio::post(
      ctx, [&] { second.async_connect(acceptor.local_endpoint(), [&](error_code ec) { connected.set_value(ec); }); });
    std::this_thread::sleep_for(2ms);
    local::socket server = acceptor.accept();
    BOOST_TEST(!connected.get_future().get());
  }
  work.reset();
  for (std::thread& each : threads)
    each.join();
}

BOOST_AUTO_TEST_CASE(a_socket_that_waits_for_room_in_the_backlog_closes)
{
  using local = asio::local::stream_protocol;
  asio::io_context ctx;
  socket_path path("backlog2");
  local::acceptor acceptor(ctx, local::endpoint(path.name));
  acceptor.listen(0);
  local::socket first(ctx), second(ctx);
  outcome in_line, ahead;
  first.async_connect(acceptor.local_endpoint(), ahead.plain());
  ctx.run();
  second.async_connect(acceptor.local_endpoint(), in_line.plain());
  ctx.restart();
  ctx.run_for(5ms);
  BOOST_TEST(in_line.calls == 0);
  second.close();
  ctx.run();
  BOOST_TEST(in_line.calls == 1);
  BOOST_TEST(in_line.ec == asio::error::operation_aborted);
}
#endif

BOOST_AUTO_TEST_CASE(datagrams_between_paths_and_in_pairs)
{
  using local = asio::local::datagram_protocol;
  asio::io_context ctx;
  socket_path here("dgram1"), there("dgram2");
  local::socket a(ctx, local::endpoint(here.name)), b(ctx, local::endpoint(there.name));
  char in[16] = {};
  local::endpoint from;
  outcome sent, received;
  b.async_receive_from(asio::buffer(in), from, received.handler());
  a.async_send_to(asio::buffer("named", 5), local::endpoint(there.name), sent.handler());
  ctx.run();
  BOOST_TEST((sent.bytes == 5 && received.bytes == 5));
  BOOST_TEST(from.path() == here.name);

  local::socket c(ctx), d(ctx);
  asio::local::connect_pair(c, d);
  d.async_receive(asio::buffer(in), received.handler());
  c.async_send(asio::buffer("pair", 4), sent.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST((sent.bytes == 4 && received.bytes == 4));
}

BOOST_AUTO_TEST_CASE(sequenced_packets)
{
  using seqpacket = asio::generic::seq_packet_protocol;
  asio::io_context ctx;
  int fds[2];
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
  seqpacket::socket a(ctx, seqpacket(AF_UNIX, 0), fds[0]), b(ctx, seqpacket(AF_UNIX, 0), fds[1]);
  char in[8] = {};
  asio::socket_base::message_flags flags = 0;
  outcome sent, received, flagged, ended;
  a.async_send(asio::buffer("record", 6), 0, sent.handler());
  b.async_receive(asio::buffer(in, 3), flags, received.handler());
  ctx.run();
  BOOST_TEST(sent.bytes == 6u);
  BOOST_TEST(received.bytes == 3u);
  BOOST_TEST((flags & MSG_EOR) == 0); // Only three bytes of the record.
  BOOST_TEST((flags & MSG_TRUNC) != 0);
  a.send(asio::buffer("two", 3), 0);
  flags = 0;
  b.async_receive(asio::buffer(in), 0, flags, flagged.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(flagged.bytes == 3u);
  BOOST_TEST((flags & MSG_TRUNC) == 0);
  a.close();
  b.async_receive(asio::buffer(in), flags, ended.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(ended.calls == 1);
}

#if BOOST_VERSION >= 108200
BOOST_AUTO_TEST_CASE(local_sequenced_packets)
{
  using local = asio::local::seq_packet_protocol;
  asio::io_context ctx;
  socket_path path("seqpacket");
  asio::basic_socket_acceptor<local> acceptor(ctx, local::endpoint(path.name));
  local::socket client(ctx), server(ctx);
  outcome accept, connect, received;
  acceptor.async_accept(server, accept.plain());
  client.async_connect(local::endpoint(path.name), connect.plain());
  ctx.run();
  BOOST_TEST((!accept.ec && !connect.ec));
  char in[8];
  asio::socket_base::message_flags flags = 0;
  client.send(asio::buffer("abc", 3), 0);
  server.async_receive(asio::buffer(in), flags, received.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(received.bytes == 3u);
}
#endif

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(other_sockets)

BOOST_AUTO_TEST_CASE(generic_protocols)
{
  asio::io_context ctx;
  using stream = asio::generic::stream_protocol;
  tcp::acceptor acceptor(ctx, loopback());
  stream::socket client(ctx, stream(AF_INET, IPPROTO_TCP));
  outcome connect, accept, sent, received;
  client.async_connect(stream::endpoint(acceptor.local_endpoint()), connect.plain());
  tcp::socket server(ctx);
  acceptor.async_accept(server, accept.plain());
  ctx.run();
  BOOST_TEST((!connect.ec && !accept.ec));
  char in[8];
  client.async_send(asio::buffer("gen", 3), sent.handler());
  server.async_receive(asio::buffer(in), received.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST((sent.bytes == 3 && received.bytes == 3));

  using datagram = asio::generic::datagram_protocol;
  datagram::socket d(ctx, datagram(AF_INET, IPPROTO_UDP));
  udp::socket u(ctx, udp_loopback());
  d.async_send_to(asio::buffer("dg", 2), datagram::endpoint(u.local_endpoint()), sent.handler());
  datagram::endpoint from;
  udp::endpoint udp_from;
  u.async_receive_from(asio::buffer(in), udp_from, received.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST((sent.bytes == 2 && received.bytes == 2));
  u.send_to(asio::buffer("back", 4), udp_from);
  d.async_receive_from(asio::buffer(in), from, received.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(received.bytes == 4u);
  BOOST_TEST((from == datagram::endpoint(u.local_endpoint())));
}

BOOST_AUTO_TEST_CASE(icmp_echo_where_permitted)
{
  using icmp = asio::ip::icmp;
  asio::io_context ctx;
  icmp::socket socket(ctx);
  error_code ec;
  socket.open(icmp::v4(), ec);
  if (ec)
  {
    BOOST_TEST_MESSAGE("raw sockets are not permitted here: " << ec.message());
    return;
  }
  icmphdr request = {};
  request.type = ICMP_ECHO;
  request.un.echo.id = htons(static_cast<unsigned short>(::getpid()));
  request.checksum = static_cast<unsigned short>(~((ICMP_ECHO) + request.un.echo.id));
  outcome sent, received;
  std::array<char, 256> in;
  icmp::endpoint from;
  std::size_t seen = 0;
  std::function<void()> receive = [&] {
    socket.async_receive_from(asio::buffer(in), from, [&](error_code e, std::size_t n) {
      seen += !e && n >= 20 + sizeof(icmphdr);
      received.ec = e;
      icmphdr header = {};
      std::memcpy(&header, in.data() + 20, sizeof header);
      if (!e && header.type != ICMP_ECHOREPLY)
        receive();
      else
        received.calls = 1;
    });
  };
  receive();
  socket.async_send_to(asio::buffer(&request, sizeof request), icmp::endpoint(asio::ip::address_v4::loopback(), 0),
                       sent.handler());
  BOOST_TEST(run_until(ctx, [&] { return sent.calls == 1 && (seen > 0 || received.calls == 1); }));
  BOOST_TEST(sent.bytes == sizeof request);
  BOOST_TEST(seen > 0u);
  BOOST_TEST(from.address().is_loopback());
  socket.close();
  ctx.restart();
  ctx.run();
}

BOOST_AUTO_TEST_SUITE_END()
