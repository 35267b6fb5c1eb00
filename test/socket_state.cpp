// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Sockets as objects: moved, assigned, released, switched to non-blocking, waited for, used
// synchronously beside asynchronously.

#define BOOST_TEST_MODULE socket_state
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <thread>
#include <vector>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace test_support;
using local = asio::local::stream_protocol;

BOOST_AUTO_TEST_SUITE(moving)

BOOST_AUTO_TEST_CASE(a_pending_read_moves_along)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[4];
  outcome read, wait;
  a.async_read_some(asio::buffer(in), read.handler());
  a.async_wait(tcp::socket::wait_read, wait.plain());
  ctx.run_for(1ms);
  auto moved = std::make_unique<tcp::socket>(std::move(a));
  BOOST_TEST(!a.is_open());
  tcp::socket assigned(ctx);
  assigned = std::move(*moved);
  moved.reset(); // Nothing pending hangs on the old object.
  b.send(asio::buffer("x", 1));
  ctx.run();
  BOOST_TEST((read.calls == 1 && !read.ec && read.bytes == 1));
  BOOST_TEST((wait.calls == 1 && !wait.ec));
  outcome again;
  assigned.async_read_some(asio::buffer(in), again.handler());
  assigned.cancel();
  ctx.restart();
  ctx.run();
  BOOST_TEST(again.ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(assigning_over_a_socket_aborts_its_operations)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  auto [c, d] = tcp_pair(ctx);
  char in[4];
  outcome old, kept;
  a.async_read_some(asio::buffer(in), old.handler());
  c.async_read_some(asio::buffer(in + 1, 1), kept.handler());
  ctx.run_for(1ms);
  a = std::move(c);
  BOOST_TEST(end_of(b) == asio::error::eof);
  d.send(asio::buffer("k", 1));
  ctx.run();
  BOOST_TEST(old.ec == asio::error::operation_aborted);
  BOOST_TEST((kept.calls == 1 && kept.bytes == 1));
}

BOOST_AUTO_TEST_CASE(a_moved_from_socket_can_be_used_again)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  tcp::socket socket(ctx);
  std::vector<tcp::socket> kept;
  for (int i = 0; i < 10; ++i)
  {
    outcome connect;
    socket.async_connect(acceptor.local_endpoint(), connect.plain());
    ctx.restart();
    ctx.run();
    BOOST_TEST(!connect.ec);
    kept.push_back(std::move(socket));
    BOOST_TEST(!socket.is_open());
    BOOST_TEST(acceptor.accept().is_open());
  }
  tcp::acceptor moved(std::move(acceptor));
  outcome accept, connect;
  moved.async_accept(socket, accept.plain());
  kept[0].close();
  kept[0].async_connect(moved.local_endpoint(), connect.plain());
  ctx.restart();
  ctx.run();
  BOOST_TEST((!accept.ec && !connect.ec));
}

BOOST_AUTO_TEST_CASE(converting_moves)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[4];
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  ctx.run_for(1ms);
  asio::generic::stream_protocol::socket generic(std::move(a));
  BOOST_TEST(generic.is_open());
  b.send(asio::buffer("x", 1));
  ctx.run();
  BOOST_TEST((read.calls == 1 && read.bytes == 1));
  read = outcome();
  generic.async_receive(asio::buffer(in), read.handler());
  b.send(asio::buffer("yz", 2));
  ctx.restart();
  ctx.run();
  BOOST_TEST(read.bytes == 2u);
  asio::generic::stream_protocol::socket assigned(ctx);
  assigned = std::move(b);
  asio::write(assigned, asio::buffer("g", 1));
  BOOST_TEST(generic.receive(asio::buffer(in)) == 1u);

  using strand_socket = asio::basic_stream_socket<tcp, asio::any_io_executor>;
  asio::basic_stream_socket<tcp, asio::io_context::executor_type> narrow(ctx);
  narrow.open(tcp::v4());
  strand_socket wide(std::move(narrow));
  BOOST_TEST(wide.is_open());
  udp::socket datagram(ctx, udp_loopback());
  asio::generic::datagram_protocol::socket generic_datagram(std::move(datagram));
  BOOST_TEST(generic_datagram.is_open());
}

BOOST_AUTO_TEST_CASE(assign_and_release_native_descriptors)
{
  asio::io_context ctx;
  int fds[2];
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  local::socket a(ctx), b(ctx, local(), fds[1]);
  a.assign(local(), fds[0]);
  BOOST_TEST(a.native_handle() == fds[0]);
  char in[4];
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  ctx.poll();
  BOOST_TEST(a.release() == fds[0]);
  BOOST_TEST(!a.is_open());
  ctx.restart();
  ctx.run();
  BOOST_TEST(read.ec == asio::error::operation_aborted);
  b.send(asio::buffer("s", 1));
  BOOST_TEST(::read(fds[0], in, sizeof in) == 1);
  // Into another context this time.
  asio::io_context other;
  local::socket c(other, local(), fds[0]);
  c.async_read_some(asio::buffer(in), read.handler());
  b.send(asio::buffer("t", 1));
  other.run();
  BOOST_TEST((read.calls == 2 && read.bytes == 1));
  error_code ec;
  c.assign(local(), fds[0], ec);
  BOOST_TEST(ec == asio::error::already_open);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(blocking)

BOOST_AUTO_TEST_CASE(synchronous_calls_beside_asynchronous_ones)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[8];
  // After an asynchronous read has completed, a synchronous one still blocks until data comes.
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  b.send(asio::buffer("1", 1));
  ctx.run();
  BOOST_TEST(!a.non_blocking());
  const auto start = steady::now();
  std::thread later([b = &b] {
    std::this_thread::sleep_for(5ms);
    b->send(asio::buffer("23", 2));
  });
  BOOST_TEST(a.read_some(asio::buffer(in)) == 2u);
  BOOST_TEST((steady::now() - start >= 4ms));
  later.join();
  // A synchronous accept and connect while operations are pending elsewhere.
  tcp::acceptor acceptor(ctx, loopback());
  a.async_read_some(asio::buffer(in), read.handler());
  std::thread connector([where = acceptor.local_endpoint()] {
    std::this_thread::sleep_for(5ms);
    asio::io_context own;
    tcp::socket(own).connect(where);
  });
  BOOST_TEST(acceptor.accept().is_open());
  connector.join();
  a.close();
  ctx.restart();
  ctx.run();
}

BOOST_AUTO_TEST_CASE(nothing_is_read_ahead)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[8];
  outcome read;
  a.async_read_some(asio::buffer(in, 2), read.handler());
  ctx.run_for(1ms);
  b.send(asio::buffer("abcdef", 6));
  ctx.run();
  BOOST_TEST(read.bytes == 2u);
  BOOST_TEST(a.available() == 4u);
  BOOST_TEST(::recv(a.native_handle(), in, sizeof in, MSG_DONTWAIT) == 4);
  // A wait takes nothing either.
  outcome wait;
  a.async_wait(tcp::socket::wait_read, wait.plain());
  b.send(asio::buffer("gh", 2));
  ctx.restart();
  ctx.run();
  BOOST_TEST(wait.calls == 1);
  BOOST_TEST(::recv(a.native_handle(), in, sizeof in, MSG_DONTWAIT) == 2);
}

BOOST_AUTO_TEST_CASE(user_non_blocking_mode)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  a.non_blocking(true);
  BOOST_TEST(a.non_blocking());
  char in[8];
  error_code ec;
  BOOST_TEST(a.read_some(asio::buffer(in), ec) == 0u);
  BOOST_TEST(ec == asio::error::would_block);
  // Asynchronous operations wait all the same.
  outcome read, write;
  a.async_read_some(asio::buffer(in), read.handler());
  BOOST_TEST(ctx.run_for(2ms) == 0u);
  b.send(asio::buffer("x", 1));
  ctx.run();
  BOOST_TEST((read.bytes == 1 && !read.ec));
  const std::vector<char> big(4 << 20);
  std::vector<char> got(big.size());
  asio::async_write(a, asio::buffer(big), write.handler());
  asio::async_read(b, asio::buffer(got), read.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(write.bytes == big.size());
  BOOST_TEST(read.bytes == got.size());
  a.non_blocking(false);
  BOOST_TEST(!a.non_blocking());

  tcp::acceptor acceptor(ctx, loopback());
  acceptor.non_blocking(true);
  tcp::socket server(ctx), client(ctx);
  acceptor.accept(server, ec);
  BOOST_TEST(ec == asio::error::would_block);
  outcome accept;
  acceptor.async_accept(server, accept.plain());
  BOOST_TEST((ctx.restart(), ctx.run_for(2ms)) == 0u);
  client.connect(acceptor.local_endpoint());
  ctx.run();
  BOOST_TEST((accept.calls == 1 && !accept.ec));
}

BOOST_AUTO_TEST_CASE(native_non_blocking_mode)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  a.native_non_blocking(true);
  BOOST_TEST(a.native_non_blocking());
  BOOST_TEST((::fcntl(a.native_handle(), F_GETFL) & O_NONBLOCK) != 0);
  char in[8];
  BOOST_TEST(::recv(a.native_handle(), in, sizeof in, 0) < 0);
  BOOST_TEST((errno == EAGAIN || errno == EWOULDBLOCK));
  // Asio's synchronous read still blocks, and an asynchronous one still waits.
  outcome read;
  a.async_read_some(asio::buffer(in), read.handler());
  BOOST_TEST(ctx.run_for(2ms) == 0u);
  b.send(asio::buffer("x", 1));
  ctx.run();
  BOOST_TEST(read.bytes == 1u);
  std::thread later([b = &b] {
    std::this_thread::sleep_for(3ms);
    b->send(asio::buffer("y", 1));
  });
  error_code ec;
  BOOST_TEST(a.read_some(asio::buffer(in), ec) == 1u);
  BOOST_TEST(!ec);
  later.join();
  a.native_non_blocking(false);
  BOOST_TEST((::fcntl(a.native_handle(), F_GETFL) & O_NONBLOCK) == 0);
}

BOOST_AUTO_TEST_CASE(a_descriptor_made_non_blocking_behind_our_back)
{
  asio::io_context ctx;
  int fds[2];
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  local::socket a(ctx, local(), fds[0]), b(ctx, local(), fds[1]);
  const std::vector<char> big(2 << 20);
  std::vector<char> got(big.size());
  outcome read, write;
  asio::async_read(a, asio::buffer(got), read.handler());
  BOOST_TEST(ctx.run_for(2ms) == 0u);
  asio::async_write(b, asio::buffer(big), write.handler());
  ctx.run();
  BOOST_TEST((read.bytes == got.size() && !read.ec));
  BOOST_TEST((write.bytes == big.size() && !write.ec));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(waiting)

BOOST_AUTO_TEST_CASE(wait_for_each_direction)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  outcome read, write, blocked;
  a.async_wait(local::socket::wait_write, write.plain());
  ctx.run();
  BOOST_TEST((write.calls == 1 && !write.ec));
  a.async_wait(local::socket::wait_read, read.plain());
  ctx.restart();
  ctx.run_for(2ms);
  BOOST_TEST(read.calls == 0);
  b.send(asio::buffer("x", 1));
  ctx.run();
  BOOST_TEST((read.calls == 1 && !read.ec));
  const std::size_t queued = fill(a);
  a.async_wait(local::socket::wait_write, blocked.plain());
  ctx.restart();
  ctx.run_for(2ms);
  BOOST_TEST(blocked.calls == 0);
  std::vector<char> sink(queued);
  asio::read(b, asio::buffer(sink));
  ctx.run();
  BOOST_TEST((blocked.calls == 1 && !blocked.ec));
}

BOOST_AUTO_TEST_CASE(wait_again_while_data_is_left)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  b.send(asio::buffer("abc", 3));
  for (int i = 0; i < 3; ++i)
  {
    outcome wait;
    a.async_wait(tcp::socket::wait_read, wait.plain());
    ctx.restart();
    ctx.run();
    BOOST_TEST(wait.calls == 1);
    char c;
    BOOST_TEST(a.read_some(asio::buffer(&c, 1)) == 1u);
  }
}

BOOST_AUTO_TEST_CASE(wait_on_an_acceptor_and_synchronous_wait)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  outcome wait;
  acceptor.async_wait(tcp::acceptor::wait_read, wait.plain());
  BOOST_TEST(ctx.run_for(2ms) == 0u);
  tcp::socket client(ctx);
  client.connect(acceptor.local_endpoint());
  ctx.run();
  BOOST_TEST((wait.calls == 1 && !wait.ec));
  tcp::socket server = acceptor.accept();
  std::thread later([&] {
    std::this_thread::sleep_for(3ms);
    client.send(asio::buffer("x", 1));
  });
  server.wait(tcp::socket::wait_read);
  later.join();
  BOOST_TEST(server.available() == 1u);
}

BOOST_AUTO_TEST_CASE(wait_sees_the_peer_leave)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  outcome read, error;
  a.async_wait(tcp::socket::wait_read, read.plain());
  ctx.run_for(1ms);
  b.set_option(tcp::socket::linger(true, 0));
  a.async_wait(tcp::socket::wait_error, error.plain());
  b.close();
  ctx.run();
  BOOST_TEST((read.calls == 1 && !read.ec));
  BOOST_TEST((error.calls == 1 && !error.ec));
}

BOOST_AUTO_TEST_CASE(a_read_and_waits_side_by_side)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[4];
  outcome read, write;
  a.async_read_some(asio::buffer(in), read.handler());
  a.async_wait(tcp::socket::wait_write, write.plain());
  ctx.run_for(2ms);
  BOOST_TEST(write.calls == 1);
  BOOST_TEST(read.calls == 0);
  b.send(asio::buffer("x", 1));
  ctx.run();
  BOOST_TEST(read.calls == 1);
}

// The old way to wait: nothing is transferred.
BOOST_AUTO_TEST_CASE(null_buffers_wait)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  udp::socket receiver(ctx, udp_loopback()), sender(ctx, udp_loopback());
  outcome readable, writable, datagram;
  udp::endpoint from;
  a.async_receive(asio::null_buffers(), readable.handler());
  a.async_send(asio::null_buffers(), writable.handler());
  receiver.async_receive_from(asio::null_buffers(), from, datagram.handler());
  ctx.run_for(2ms);
  BOOST_TEST((writable.calls == 1 && !writable.ec && writable.bytes == 0));
  BOOST_TEST((readable.calls == 0 && datagram.calls == 0));
  b.send(asio::buffer("abc", 3));
  sender.send_to(asio::buffer("d", 1), receiver.local_endpoint());
  ctx.run();
  BOOST_TEST((readable.calls == 1 && !readable.ec && readable.bytes == 0));
  BOOST_TEST((datagram.calls == 1 && !datagram.ec && datagram.bytes == 0));
  char in[8];
  BOOST_TEST(a.receive(asio::buffer(in)) == 3u);
  BOOST_TEST(receiver.receive(asio::buffer(in)) == 1u);
  outcome cancelled;
  a.async_receive(asio::null_buffers(), cancelled.handler());
  ctx.restart();
  ctx.run_for(1ms);
  a.cancel();
  ctx.restart();
  ctx.run();
  BOOST_TEST(cancelled.ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_SUITE_END()
