// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// close() really closes, with operations in flight or not even started; a descriptor number that is
// used again belongs to its new owner alone.

#define BOOST_TEST_MODULE close
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

using namespace test_support;

namespace {

// Whether the operations had a turn of the loop to reach the kernel before the close.
enum class when
{
  at_once,
  after_poll,
  in_handler
};
constexpr when every_when[] = {when::at_once, when::after_poll, when::in_handler};

std::ostream& operator<<(std::ostream& out, when w)
{
  return out << (w == when::at_once ? "at once" : w == when::after_poll ? "after poll" : "in a handler");
}

// Starts and closes as asked, then leaves the context without having run it any further.
template <typename Start, typename Close>
void start_and_close(asio::io_context& ctx, when w, Start start, Close close)
{
  if (w == when::in_handler)
  {
    asio::post(ctx, [&] {
      start();
      close();
    });
    ctx.poll_one();
    return;
  }
  start();
  if (w == when::after_poll)
    ctx.run_for(2ms);
  close();
}

void listen_without_reuse(tcp::acceptor& acceptor, tcp::endpoint where)
{
  acceptor.open(where.protocol());
  acceptor.bind(where);
  acceptor.listen();
}

} // namespace

BOOST_AUTO_TEST_SUITE(rebinding)

BOOST_AUTO_TEST_CASE(accept_in_flight_then_bind_the_same_port)
{
  for (when w : every_when)
  {
    BOOST_TEST_CONTEXT(w)
    {
      asio::io_context ctx;
      tcp::acceptor first(ctx);
      listen_without_reuse(first, loopback());
      const auto where = first.local_endpoint();
      std::array<error_code, 4> ends;
      start_and_close(
        ctx, w,
        [&] {
          for (auto& end : ends)
            first.async_accept([&end](error_code ec, tcp::socket) { end = ec; });
        },
        [&] { first.close(); });
      tcp::acceptor second(ctx);
      BOOST_CHECK_NO_THROW(listen_without_reuse(second, where));
      ctx.restart();
      ctx.run();
      for (auto& end : ends)
        BOOST_TEST(end == asio::error::operation_aborted);
    }
  }
}

BOOST_AUTO_TEST_CASE(destroyed_acceptor_frees_its_port)
{
  asio::io_context ctx;
  std::optional<tcp::acceptor> first(std::in_place, ctx);
  listen_without_reuse(*first, loopback());
  const auto where = first->local_endpoint();
  outcome end;
  first->async_accept([&](error_code ec, tcp::socket) { ++end.calls, end.ec = ec; });
  ctx.run_for(2ms);
  first.reset();
  tcp::acceptor second(ctx);
  BOOST_CHECK_NO_THROW(listen_without_reuse(second, where));
  ctx.run();
  BOOST_TEST(end.ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(a_connection_after_close_is_refused)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  const auto where = acceptor.local_endpoint();
  acceptor.async_accept([](error_code, tcp::socket) {});
  ctx.run_for(2ms);
  acceptor.close();
  tcp::socket client(ctx);
  error_code ec;
  client.connect(where, ec);
  BOOST_TEST(ec == asio::error::connection_refused);
  ctx.run();
}

BOOST_AUTO_TEST_CASE(datagram_port_is_free_at_once)
{
  for (when w : every_when)
  {
    BOOST_TEST_CONTEXT(w)
    {
      asio::io_context ctx;
      udp::socket first(ctx, udp_loopback());
      const auto where = first.local_endpoint();
      udp::endpoint from;
      char in[8];
      outcome read, wait;
      start_and_close(
        ctx, w,
        [&] {
          first.async_receive_from(asio::buffer(in), from, read.handler());
          first.async_wait(udp::socket::wait_read, wait.plain());
        },
        [&] { first.close(); });
      udp::socket second(ctx, udp::v4());
      error_code ec;
      second.bind(where, ec);
      BOOST_TEST(!ec);
      ctx.restart();
      ctx.run();
      BOOST_TEST(read.ec == asio::error::operation_aborted);
      BOOST_TEST(wait.ec == asio::error::operation_aborted);
    }
  }
}

BOOST_AUTO_TEST_CASE(abstract_local_name_is_free_at_once)
{
  using local = asio::local::stream_protocol;
  const local::endpoint where(std::string("\0asio_proactor_test_", 20) + std::to_string(::getpid()));
  asio::io_context ctx;
  for (int i = 0; i < 20; ++i)
  {
    local::acceptor acceptor(ctx);
    acceptor.open();
    error_code ec;
    acceptor.bind(where, ec);
    BOOST_TEST_REQUIRE(!ec);
    acceptor.listen();
    outcome end;
    acceptor.async_accept([&](error_code e, local::socket) { ++end.calls, end.ec = e; });
    ctx.restart();
    ctx.poll();
    acceptor.close();
    ctx.restart();
    ctx.run();
    BOOST_TEST(end.ec == asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(peer)

BOOST_AUTO_TEST_CASE(sees_the_end_while_a_read_is_in_flight)
{
  for (bool reset : {false, true})
    for (when w : every_when)
    {
      BOOST_TEST_CONTEXT(w << (reset ? ", linger 0" : ""))
      {
        asio::io_context ctx;
        auto [a, b] = tcp_pair(ctx);
        if (reset)
          a.set_option(tcp::socket::linger(true, 0));
        char in[8];
        outcome read, wait;
        start_and_close(
          ctx, w,
          [&, a = &a] {
            a->async_read_some(asio::buffer(in), read.handler());
            a->async_wait(tcp::socket::wait_read, wait.plain());
          },
          [a = &a] { a->close(); });
        // Nothing is run here: the peer must not depend on our loop.
        const error_code expected = reset ? error_code(asio::error::connection_reset) : error_code(asio::error::eof);
        error_code ec = asio::error::would_block;
        if (readable(b))
        {
          char c;
          b.read_some(asio::buffer(&c, 1), ec);
        }
        BOOST_TEST(ec == expected);
        ctx.restart();
        ctx.run();
        BOOST_TEST(read.calls == 1);
        BOOST_TEST(read.ec == asio::error::operation_aborted);
        BOOST_TEST(wait.ec == asio::error::operation_aborted);
      }
    }
}

BOOST_AUTO_TEST_CASE(sees_the_end_when_the_socket_is_destroyed)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  auto socket = std::make_unique<tcp::socket>(std::move(a));
  char in[8];
  outcome read;
  socket->async_read_some(asio::buffer(in), read.handler());
  ctx.run_for(2ms);
  socket.reset();
  BOOST_TEST(readable(b));
  ctx.run();
  BOOST_TEST(read.ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(gets_everything_written_before_close)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  std::string text(100000, 'w'), got(200000, ' ');
  asio::async_write(a, asio::buffer(text), [a = &a](error_code ec, std::size_t) {
    BOOST_TEST(!ec);
    a->close();
  });
  outcome read;
  asio::async_read(b, asio::buffer(got), read.handler());
  ctx.run();
  BOOST_TEST(read.ec == asio::error::eof);
  BOOST_TEST(read.bytes == text.size());
  BOOST_TEST((got.compare(0, text.size(), text) == 0));
}

BOOST_AUTO_TEST_CASE(shutdown_ends_a_read_in_flight)
{
  for (auto how : {tcp::socket::shutdown_receive, tcp::socket::shutdown_both})
  {
    asio::io_context ctx;
    auto [a, b] = tcp_pair(ctx);
    char in[8];
    outcome read;
    a.async_read_some(asio::buffer(in), read.handler());
    ctx.run_for(2ms);
    a.shutdown(how);
    ctx.run();
    BOOST_TEST(read.ec == asio::error::eof);
    BOOST_TEST(read.bytes == 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(own_handlers)

BOOST_AUTO_TEST_CASE(every_pending_operation_is_aborted_once)
{
  for (when w : every_when)
  {
    BOOST_TEST_CONTEXT(w)
    {
      asio::io_context ctx;
      auto [a, b] = local_pair(ctx);
      fill(a);
      constexpr int each = 20;
      std::array<outcome, each> reads, writes;
      std::array<outcome, 2> waits;
      char in[each];
      start_and_close(
        ctx, w,
        [&, a = &a] {
          for (int i = 0; i < each; ++i)
          {
            a->async_read_some(asio::buffer(in + i, 1), reads[i].handler());
            a->async_write_some(asio::buffer("x", 1), writes[i].handler());
          }
          a->async_wait(asio::socket_base::wait_read, waits[0].plain());
          a->async_wait(asio::socket_base::wait_error, waits[1].plain());
        },
        [&, a = &a] {
          a->close();
          for (auto& read : reads) // Aborted, but not before close() has returned.
            BOOST_TEST(read.calls == 0);
        });
      ctx.restart();
      ctx.run();
      for (auto* group : {&reads, &writes})
        for (auto& end : *group)
        {
          BOOST_TEST(end.calls == 1);
          BOOST_TEST(end.ec == asio::error::operation_aborted);
          BOOST_TEST(end.bytes == 0u);
        }
      for (auto& end : waits)
        BOOST_TEST((end.calls == 1 && end.ec == asio::error::operation_aborted));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_closed_socket_answers_bad_descriptor)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  a.close();
  error_code ec;
  a.close(ec);
  BOOST_TEST(!ec);
  a.cancel(ec);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  char in[4];
  outcome read, write, wait;
  a.async_read_some(asio::buffer(in), read.handler());
  a.async_write_some(asio::buffer("x", 1), write.handler());
  a.async_wait(tcp::socket::wait_read, wait.plain());
  BOOST_TEST(read.calls + write.calls + wait.calls == 0);
  ctx.run();
  for (auto* end : {&read, &write, &wait})
  {
    BOOST_TEST(end->calls == 1);
    BOOST_TEST(end->ec == asio::error::bad_descriptor);
  }
}

BOOST_AUTO_TEST_CASE(open_again_after_close)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  tcp::socket client(ctx);
  for (int i = 0; i < 50; ++i)
  {
    char in[1];
    outcome read, connect;
    client.async_connect(acceptor.local_endpoint(), connect.plain());
    tcp::socket server = acceptor.accept();
    ctx.restart();
    ctx.run();
    BOOST_TEST(!connect.ec);
    client.async_read_some(asio::buffer(in), read.handler());
    if (i % 2)
    {
      ctx.restart();
      ctx.poll();
    }
    client.close();
    ctx.restart();
    ctx.run();
    BOOST_TEST(read.ec == asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reused_descriptor)

// Starts a read and a write on one socket, closes it, and opens another that gets the same number:
// neither may the read take the newcomer's data nor the write add to it.
BOOST_AUTO_TEST_CASE(operations_just_started_do_not_touch_the_newcomer)
{
  for (when w : every_when)
  {
    BOOST_TEST_CONTEXT(w)
    {
      asio::io_context ctx;
      std::optional<stream_pair> old(local_pair(ctx));
      const int number = old->first.native_handle();
      std::array<int, 2> fresh;
      BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fresh.data()) == 0);
      char in[16] = "---------------";
      outcome read, write, wait;
      start_and_close(
        ctx, w,
        [&] {
          old->first.async_read_some(asio::buffer(in), read.handler());
          old->first.async_write_some(asio::buffer("stray", 5), write.handler());
          old->first.async_wait(asio::socket_base::wait_read, wait.plain());
        },
        [&] {
          old->first.close();
          BOOST_TEST_REQUIRE(::dup2(fresh[0], number) == number);
          BOOST_TEST(::send(fresh[1], "mine", 4, 0) == 4);
        });
      ctx.restart();
      ctx.run();
      BOOST_TEST(read.ec == asio::error::operation_aborted);
      BOOST_TEST(wait.ec == asio::error::operation_aborted);
      BOOST_TEST(write.calls == 1);
      BOOST_TEST(std::string(in) == "---------------");
      char got[16] = {};
      BOOST_TEST(::recv(number, got, sizeof got, MSG_DONTWAIT) == 4);
      BOOST_TEST(std::string(got) == "mine");
      BOOST_TEST(::recv(fresh[1], got, sizeof got, MSG_DONTWAIT) < 0);
      for (int fd : {number, fresh[0], fresh[1]})
        ::close(fd);
    }
  }
}

BOOST_AUTO_TEST_CASE(through_asio_objects_many_times)
{
  asio::io_context ctx;
  int rounds = 0;
  constexpr int total_rounds = 500;
  std::function<void()> round = [&] {
    auto old = local_pair(ctx);
    char in[8];
    static outcome ignored;
    old.first.async_read_some(asio::buffer(in), ignored.handler());
    old.first.async_write_some(asio::buffer("stray", 5), ignored.handler());
    old.first.close();
    old.second.close();
    auto fresh = std::make_shared<stream_pair>(local_pair(ctx));
    auto got = std::make_shared<std::string>(4, ' ');
    fresh->second.async_write_some(asio::buffer("mine", 4), [fresh](error_code, std::size_t) {});
    asio::async_read(fresh->first, asio::buffer(*got), [&, fresh, got](error_code ec, std::size_t) {
      BOOST_TEST(!ec);
      BOOST_TEST(*got == "mine");
      if (++rounds < total_rounds)
        asio::post(ctx, round);
    });
  };
  asio::post(ctx, round);
  ctx.run();
  BOOST_TEST(rounds == total_rounds);
}

BOOST_AUTO_TEST_CASE(accept_just_started_does_not_take_the_newcomers_connection)
{
  asio::io_context ctx;
  tcp::acceptor old(ctx, loopback());
  outcome stray;
  old.async_accept([&](error_code ec, tcp::socket) { ++stray.calls, stray.ec = ec; });
  const int number = old.native_handle();
  old.close();
  tcp::acceptor fresh(ctx, loopback());
  BOOST_TEST(fresh.native_handle() == number);
  tcp::socket client(ctx);
  client.connect(fresh.local_endpoint());
  outcome accept;
  fresh.async_accept([&](error_code ec, tcp::socket) { ++accept.calls, accept.ec = ec; });
  ctx.run();
  BOOST_TEST(stray.ec == asio::error::operation_aborted);
  BOOST_TEST(accept.calls == 1);
  BOOST_TEST(!accept.ec);
}

BOOST_AUTO_TEST_CASE(release_lets_go_of_the_descriptor)
{
  for (when w : every_when)
  {
    BOOST_TEST_CONTEXT(w)
    {
      asio::io_context ctx;
      auto [a, b] = local_pair(ctx);
      char in[8];
      outcome read;
      int fd = -1;
      start_and_close(
        ctx, w, [&, a = &a] { a->async_read_some(asio::buffer(in), read.handler()); },
        [&, a = &a] { fd = a->release(); });
      BOOST_TEST(!a.is_open());
      b.send(asio::buffer("kept", 4));
      ctx.restart();
      ctx.run();
      BOOST_TEST(read.ec == asio::error::operation_aborted);
      char got[8] = {};
      BOOST_TEST(::recv(fd, got, sizeof got, MSG_DONTWAIT) == 4);
      BOOST_TEST(std::string(got) == "kept");
      a.assign(asio::local::stream_protocol(), fd);
      outcome again;
      a.async_read_some(asio::buffer(in), again.handler());
      b.send(asio::buffer("x", 1));
      ctx.restart();
      ctx.run();
      BOOST_TEST(again.bytes == 1u);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
