// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// What happens to handlers, sockets, coroutines and buffers when a context is destroyed.

#define BOOST_TEST_MODULE lifetime
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

// Counts handlers that are alive, so that a leaked or a doubly destroyed one shows.
struct tracker
{
  std::shared_ptr<int> alive = std::make_shared<int>(0);
  int invoked = 0;

  std::shared_ptr<int> token() const { return alive; }
  long live() const { return alive.use_count() - 1; }
};

// A service of the program's own, as libraries on top of Asio keep them in a context.
std::vector<int> order;

template <int Number>
struct ordered_service : asio::execution_context::service
{
  using key_type = ordered_service;
  static asio::execution_context::id id;
  explicit ordered_service(asio::execution_context& ctx) : asio::execution_context::service(ctx) {}
  void shutdown() override { order.push_back(Number); }
};

template <int Number>
asio::execution_context::id ordered_service<Number>::id;

} // namespace

BOOST_AUTO_TEST_SUITE(destruction)

BOOST_AUTO_TEST_CASE(posted_handlers_are_destroyed_not_invoked)
{
  tracker t;
  {
    asio::io_context ctx;
    for (int i = 0; i < 10; ++i)
      asio::post(ctx, [&t, keep = t.token()] { ++t.invoked; });
    BOOST_TEST(t.live() == 10);
  }
  BOOST_TEST(t.live() == 0);
  BOOST_TEST(t.invoked == 0);
}

// Starts one operation of every kind and leaves all of them pending.
template <typename Keep>
void start_everything(asio::io_context& ctx, Keep keep)
{
  auto sockets = std::make_shared<stream_pair>(local_pair(ctx));
  auto on_bytes = [keep, sockets](error_code, std::size_t) { keep(); };
  auto on_plain = [keep, sockets](error_code) { keep(); };
  static char in[16];
  sockets->first.async_read_some(asio::buffer(in), on_bytes);
  sockets->first.async_wait(asio::socket_base::wait_read, on_plain);
  sockets->first.async_wait(asio::socket_base::wait_error, on_plain);
  fill(sockets->second);
  sockets->second.async_write_some(asio::buffer("x", 1), on_bytes);
  sockets->second.async_wait(asio::socket_base::wait_write, on_plain);

  auto acceptor = std::make_shared<tcp::acceptor>(ctx, loopback());
  acceptor->async_accept([keep, acceptor](error_code, tcp::socket) { keep(); });

  auto datagram = std::make_shared<udp::socket>(ctx, udp_loopback());
  auto from = std::make_shared<udp::endpoint>();
  datagram->async_receive_from(asio::buffer(in), *from, [keep, datagram, from](error_code, std::size_t) { keep(); });

  auto timer = std::make_shared<asio::steady_timer>(ctx, 1h);
  timer->async_wait([keep, timer](error_code) { keep(); });
  auto signals = std::make_shared<asio::signal_set>(ctx, SIGUSR1);
  signals->async_wait([keep, signals](error_code, int) { keep(); });
  auto strand = asio::make_strand(ctx);
  asio::post(strand, keep);
  asio::post(asio::bind_executor(strand, keep));
}

constexpr int kinds_started = 11;

BOOST_AUTO_TEST_CASE(operations_of_every_kind_never_run)
{
  tracker t;
  {
    asio::io_context ctx;
    start_everything(ctx, [&t, keep = t.token()] { ++t.invoked; });
    BOOST_TEST(t.live() >= kinds_started);
  }
  BOOST_TEST(t.live() == 0);
  BOOST_TEST(t.invoked == 0);
}

BOOST_AUTO_TEST_CASE(operations_of_every_kind_after_running)
{
  tracker t;
  {
    asio::io_context ctx;
    start_everything(ctx, [&t, keep = t.token()] { ++t.invoked; });
    ctx.run_for(5ms);
    t.invoked = 0;
    BOOST_TEST(t.live() >= 5);
  }
  BOOST_TEST(t.live() == 0);
  BOOST_TEST(t.invoked == 0);
}

BOOST_AUTO_TEST_CASE(destroyed_by_another_thread_than_the_one_that_ran)
{
  for (bool runner_alive : {false, true})
  {
    tracker t;
    std::optional<asio::io_context> ctx(std::in_place);
    std::atomic<bool> ran{false}, leave{false};
    std::thread runner([&] {
      start_everything(*ctx, [&t, keep = t.token()] { ++t.invoked; });
      ctx->run_for(5ms);
      ran = true;
      while (!leave)
        std::this_thread::sleep_for(1ms);
    });
    while (!ran)
      std::this_thread::sleep_for(1ms);
    if (!runner_alive)
    {
      leave = true;
      runner.join();
    }
    t.invoked = 0;
    ctx.reset();
    BOOST_TEST(t.live() == 0);
    BOOST_TEST(t.invoked == 0);
    leave = true;
    if (runner.joinable())
      runner.join();
  }
}

BOOST_AUTO_TEST_CASE(handlers_whose_destructors_use_the_context)
{
  struct closer
  {
    std::shared_ptr<tcp::socket> socket;
    std::shared_ptr<asio::steady_timer> timer;
    asio::io_context& ctx;
    ~closer()
    {
      error_code ec;
      timer->cancel();
      socket->cancel(ec);
      socket->shutdown(tcp::socket::shutdown_both, ec);
      socket->close(ec);
      asio::post(ctx, [timer = timer] {});
    }
  };
  std::array<char, 4> in;
  {
    asio::io_context ctx;
    auto [a, b] = tcp_pair(ctx);
    auto socket = std::make_shared<tcp::socket>(std::move(a));
    auto timer = std::make_shared<asio::steady_timer>(ctx, 1h);
    auto keep = std::make_shared<closer>(closer{socket, timer, ctx});
    socket->async_read_some(asio::buffer(in), [keep](error_code, std::size_t) {});
    timer->async_wait([keep](error_code) {});
    asio::post(ctx, [keep] {});
    auto peer = std::make_shared<tcp::socket>(std::move(b));
    peer->async_wait(tcp::socket::wait_read, [keep, peer](error_code) {});
    // The last owner is inside the context from here on.
    keep.reset();
    socket.reset();
    timer.reset();
    peer.reset();
    ctx.poll_one();
  }
}

BOOST_AUTO_TEST_CASE(peer_sees_the_end_and_the_buffer_is_left_alone)
{
  asio::io_context peer_ctx;
  std::array<char, 8> in;
  in.fill('-');
  std::optional<tcp::socket> peer;
  {
    asio::io_context ctx;
    auto [a, b] = tcp_pair(ctx, peer_ctx);
    auto socket = std::make_shared<tcp::socket>(std::move(a));
    peer.emplace(std::move(b));
    socket->async_read_some(asio::buffer(in), [socket](error_code, std::size_t) {});
    socket.reset();
    ctx.poll();
  }
  error_code ec;
  char c;
  BOOST_TEST(peer->read_some(asio::buffer(&c, 1), ec) == 0u);
  BOOST_TEST(ec == asio::error::eof);
  peer->write_some(asio::buffer("late", 4), ec);
  BOOST_TEST(std::string(in.data(), in.size()) == "--------");
}

BOOST_AUTO_TEST_CASE(thread_pool_with_operations_pending)
{
  tracker t;
  {
    asio::thread_pool pool(2);
    for (int i = 0; i < 8; ++i)
    {
      auto timer = std::make_shared<asio::steady_timer>(pool, 1h);
      timer->async_wait([&t, timer, keep = t.token()](error_code) { ++t.invoked; });
      auto pair = std::make_shared<stream_pair>(local_pair(pool));
      auto byte = std::make_shared<char>();
      pair->first.async_read_some(asio::buffer(byte.get(), 1),
                                  [&t, pair, byte, keep = t.token()](error_code, std::size_t) { ++t.invoked; });
    }
    BOOST_TEST(t.live() == 16);
  }
  BOOST_TEST(t.live() == 0);
  BOOST_TEST(t.invoked == 0);
}

BOOST_AUTO_TEST_CASE(many_contexts_come_and_go)
{
  for (int i = 0; i < 200; ++i)
  {
    asio::io_context ctx(i % 3);
    auto [a, b] = local_pair(ctx);
    char in;
    outcome read;
    a.async_read_some(asio::buffer(&in, 1), read.handler());
    if (i % 2)
    {
      b.send(asio::buffer("x", 1));
      ctx.run();
      BOOST_TEST(read.bytes == 1u);
    }
  }
}

BOOST_AUTO_TEST_CASE(user_services_are_shut_down_newest_first)
{
  order.clear();
  {
    asio::io_context ctx;
    asio::make_service<ordered_service<1>>(ctx);
    asio::make_service<ordered_service<2>>(ctx);
  }
  // Newer releases shut down in the destructor of io_context and again in that of its base.
  BOOST_TEST_REQUIRE(order.size() >= 2u);
  order.resize(2);
  BOOST_TEST(order == (std::vector<int>{2, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

// chriskohlhoff/asio #1235 and #1327: run() is stopped and the context destroyed while coroutines
// wait on a read, on an accept and on timers.
BOOST_AUTO_TEST_SUITE(coroutines)

asio::awaitable<void> read_forever(tcp::socket socket, std::shared_ptr<int> /* alive */)
{
  std::array<char, 64> in;
  for (;;)
    co_await socket.async_read_some(asio::buffer(in), asio::use_awaitable);
}

asio::awaitable<void> tick_forever(std::shared_ptr<int> /* alive */)
{
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;)
  {
    timer.expires_after(1ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> accept_forever(tcp::acceptor& acceptor, std::shared_ptr<int> alive)
{
  auto executor = co_await asio::this_coro::executor;
  for (;;)
  {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(executor, read_forever(std::move(socket), alive), asio::detached);
  }
}

asio::awaitable<void> connect_and_talk(tcp::endpoint to, std::shared_ptr<int> alive)
{
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(to, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer("hello", 5), asio::use_awaitable);
  co_await read_forever(std::move(socket), alive);
}

BOOST_AUTO_TEST_CASE(stopped_and_destroyed_while_everything_waits)
{
  for (int hint : {1, 2})
  {
    tracker t;
    {
      asio::io_context ctx(hint);
      tcp::acceptor acceptor(ctx, loopback());
      asio::co_spawn(ctx, accept_forever(acceptor, t.token()), asio::detached);
      for (int i = 0; i < 16; ++i)
        asio::co_spawn(ctx, connect_and_talk(acceptor.local_endpoint(), t.token()), asio::detached);
      asio::co_spawn(ctx, tick_forever(t.token()), asio::detached);
      asio::steady_timer stop(ctx);
      const auto limit = steady::now() + 5s;
      std::function<void()> stop_once_all_are_connected = [&] {
        stop.expires_after(20ms);
        stop.async_wait([&](error_code) {
          if (t.live() > 30 || steady::now() > limit)
            ctx.stop();
          else
            stop_once_all_are_connected();
        });
      };
      stop_once_all_are_connected();
      ctx.run();
      BOOST_TEST(t.live() > 30);
    }
    BOOST_TEST(t.live() == 0);
  }
}

BOOST_AUTO_TEST_CASE(destroyed_without_ever_running)
{
  tracker t;
  {
    asio::io_context ctx;
    asio::co_spawn(ctx, tick_forever(t.token()), asio::detached);
    auto [a, b] = tcp_pair(ctx);
    asio::co_spawn(ctx, read_forever(std::move(a), t.token()), asio::detached);
  }
  BOOST_TEST(t.live() == 0);
}

BOOST_AUTO_TEST_CASE(context_that_owns_everything_runs_in_a_thread)
{
  tracker t;
  {
    asio::io_context ctx(1);
    tcp::acceptor acceptor(ctx, loopback());
    asio::co_spawn(ctx, accept_forever(acceptor, t.token()), asio::detached);
    asio::co_spawn(ctx, connect_and_talk(acceptor.local_endpoint(), t.token()), asio::detached);
    std::thread runner([&] { ctx.run(); });
    std::this_thread::sleep_for(10ms);
    ctx.stop();
    runner.join();
  }
  BOOST_TEST(t.live() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
