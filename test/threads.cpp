// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Several threads in run() on one context at the same time.

#define BOOST_TEST_MODULE threads
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/soon.hpp"
#include "support/watchdog.hpp"
#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

// Threads in run(), joined at the end of the scope.
class runners
{
public:
  runners(asio::io_context& ctx, int count)
  {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([&ctx, this] {
        ctx.run();
        ++returned_;
      });
  }
  ~runners() { join(); }

  void join()
  {
    for (auto& thread : threads_)
      thread.join();
    threads_.clear();
  }
  int returned() const { return returned_; }

private:
  std::atomic<int> returned_{0};
  std::vector<std::thread> threads_;
};

// Sends a counter back and forth over a pair of sockets until it has reached the wanted value.
struct ping_pong
{
  stream_pair sockets;
  int wanted;
  std::atomic<int>& finished;
  int out = 0;
  int in = 0;
  int wrong = 0;
  std::atomic<bool> busy{false};

  void turn(bool forward, std::shared_ptr<ping_pong> self)
  {
    auto& from = forward ? sockets.first : sockets.second;
    auto& to = forward ? sockets.second : sockets.first;
    asio::async_write(from, asio::buffer(&out, sizeof out), [this, self, forward, &to](error_code ec, std::size_t) {
      wrong += !!ec;
      asio::async_read(to, asio::buffer(&in, sizeof in), [this, self, forward](error_code e, std::size_t) {
        // One chain of handlers: no two of them may ever run at once.
        wrong += !!e || in != out || busy.exchange(true);
        busy = false;
        if (++out < wanted && !wrong)
          turn(!forward, self);
        else
          ++finished;
      });
    });
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(together)

BOOST_AUTO_TEST_CASE(posts_from_everywhere_run_exactly_once)
{
  asio::io_context ctx;
  auto work = std::make_unique<work_guard>(ctx.get_executor());
  constexpr int posters = 3, each = 3000;
  std::vector<std::atomic<int>> calls(posters * each * 2);
  std::atomic<int> total{0};
  runners threads(ctx, 3);
  std::vector<std::thread> outside;
  for (int p = 0; p < posters; ++p)
    outside.emplace_back([&, p] {
      for (int i = 0; i < each; ++i)
        asio::post(ctx, [&, index = (p * each + i) * 2] {
          ++calls[index];
          ++total;
          asio::post(ctx, [&, index] {
            ++calls[index + 1];
            ++total;
          });
        });
    });
  for (auto& thread : outside)
    thread.join();
  work.reset();
  threads.join();
  BOOST_TEST(total == posters * each * 2);
  int wrong = 0;
  for (auto& n : calls)
    wrong += n != 1;
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(many_sockets_and_timers)
{
  for (int hint : {BOOST_ASIO_CONCURRENCY_HINT_DEFAULT, 4})
  {
    asio::io_context ctx(hint);
    constexpr int pairs = 40, turns = 50, ticks = 20;
    std::atomic<int> finished{0}, ticked{0};
    std::vector<std::shared_ptr<ping_pong>> games;
    for (int i = 0; i < pairs; ++i)
    {
      games.emplace_back(new ping_pong{local_pair(ctx), turns, finished});
      games.back()->turn(true, games.back());
    }
    std::vector<std::unique_ptr<asio::steady_timer>> timers;
    std::function<void(asio::steady_timer&, int)> tick = [&](asio::steady_timer& timer, int left) {
      timer.expires_after(200us);
      timer.async_wait([&, left](error_code ec) {
        ticked += !ec;
        if (left > 1)
          tick(timer, left - 1);
      });
    };
    for (int i = 0; i < pairs; ++i)
      tick(*timers.emplace_back(std::make_unique<asio::steady_timer>(ctx)), ticks);
    runners threads(ctx, 3);
    threads.join();
    BOOST_TEST(finished == pairs);
    BOOST_TEST(ticked == pairs * ticks);
    for (auto& game : games)
      BOOST_TEST((game->wrong == 0 && game->out == turns));
  }
}

BOOST_AUTO_TEST_CASE(a_read_and_a_write_chain_on_one_socket)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  constexpr std::size_t total = 2 << 20;
  std::vector<char> out(total), in(total), back(total);
  for (std::size_t i = 0; i < total; ++i)
    out[i] = static_cast<char>(i * 31 >> 3);
  std::atomic<int> good{0};
  auto done = [&](error_code ec, std::size_t n) { good += !ec && n == total; };
  asio::async_write(a, asio::buffer(out), done);
  asio::async_read(a, asio::buffer(back), done);
  asio::async_write(b, asio::buffer(out), done);
  asio::async_read(b, asio::buffer(in), done);
  runners threads(ctx, 3);
  threads.join();
  BOOST_TEST(good == 4);
  BOOST_TEST((in == out));
  BOOST_TEST((back == out));
}

BOOST_AUTO_TEST_CASE(server_and_clients)
{
  asio::io_context ctx;
  tcp::acceptor acceptor(ctx, loopback());
  constexpr int clients = 100;
  std::atomic<int> served{0}, answered{0};
  std::function<void()> accept = [&] {
    acceptor.async_accept([&](error_code ec, tcp::socket peer) {
      if (ec)
        return;
      auto socket = std::make_shared<tcp::socket>(std::move(peer));
      auto in = std::make_shared<std::array<char, 5>>();
      asio::async_read(*socket, asio::buffer(*in), [&, socket, in](error_code e, std::size_t) {
        if (e)
          return;
        asio::async_write(*socket, asio::buffer(*in), [&, socket, in](error_code, std::size_t) { ++served; });
      });
      accept();
    });
  };
  accept();
  for (int i = 0; i < clients; ++i)
  {
    auto socket = std::make_shared<tcp::socket>(ctx);
    auto text = std::make_shared<std::string>("hello");
    socket->async_connect(acceptor.local_endpoint(), [&, socket, text](error_code ec) {
      if (ec)
        return;
      asio::write(*socket, asio::buffer(*text));
      asio::async_read(*socket, asio::buffer(*text),
                       [&, socket, text](error_code e, std::size_t) { answered += !e && *text == "hello"; });
    });
  }
  runners threads(ctx, 3);
  BOOST_TEST(soon([&] { return answered == clients && served == clients; }));
  ctx.stop();
  threads.join();
  BOOST_TEST(served == clients);
}

// Keeps the thread that runs the loop alone busy with turns, for long enough to be given a driver of its own.
void take_turns(asio::steady_timer& timer, int left, std::function<void()> then)
{
  timer.expires_after(0ns);
  timer.async_wait([&timer, left, then](error_code) {
    if (left == 0)
      then();
    else
      take_turns(timer, left - 1, then);
  });
}

// The second thread sleeps in the kernel already when the first one gives up what it had to itself.
BOOST_AUTO_TEST_CASE(a_second_thread_comes_while_the_first_is_in_a_handler)
{
  for (bool leaves : {false, true})
  {
    asio::io_context ctx;
    auto sockets = local_pair(ctx);
    std::array<char, 1> byte;
    std::promise<void> read, may_go_on;
    sockets.first.async_read_some(asio::buffer(byte), [&](error_code ec, std::size_t) {
      if (!ec)
        read.set_value();
    });
    asio::steady_timer timer(ctx);
    std::promise<void> is_in_handler;
    std::thread first([&] {
      take_turns(timer, 200, [&] {
        is_in_handler.set_value();
        may_go_on.get_future().wait();
        if (leaves)
          throw std::runtime_error("as planned");
      });
      try
      {
        ctx.run();
      }
      catch (const std::runtime_error&)
      {}
    });
    is_in_handler.get_future().wait();
    runners second(ctx, 1);
    std::this_thread::sleep_for(30ms);
    may_go_on.set_value();
    std::this_thread::sleep_for(30ms);
    asio::write(sockets.second, asio::buffer("x", 1));
    BOOST_TEST((read.get_future().wait_for(3s) == std::future_status::ready));
    ctx.stop();
    first.join();
  }
}

// A handler that blocks must not keep what it started from completing on another thread.
BOOST_AUTO_TEST_CASE(a_blocked_thread_does_not_hold_up_its_operations)
{
  asio::io_context ctx;
  work_guard work(ctx.get_executor());
  auto [a, b] = local_pair(ctx);
  char in[4];
  asio::steady_timer timer(ctx);
  std::atomic<int> done{0};
  std::atomic<bool> in_time{false}, finished{false};
  runners threads(ctx, 2);
  asio::post(ctx, [&, a = &a, b = &b] {
    a->async_read_some(asio::buffer(in), [&](error_code, std::size_t) { ++done; });
    timer.expires_after(1ms);
    timer.async_wait([&](error_code) { ++done; });
    asio::post(ctx, [&] { ++done; });
    b->send(asio::buffer("x", 1));
    in_time = soon([&] { return done == 3; });
    finished = true;
  });
  BOOST_TEST(soon([&] { return finished.load(); }, 8s));
  BOOST_TEST(in_time);
  work.reset();
}

BOOST_AUTO_TEST_CASE(futures_got_inside_a_handler)
{
  asio::io_context ctx;
  work_guard work(ctx.get_executor());
  auto [a, b] = local_pair(ctx);
  std::promise<std::size_t> result;
  runners threads(ctx, 2);
  asio::post(ctx, [&, a = &a, b = &b] {
    char in[4];
    auto read = a->async_read_some(asio::buffer(in), asio::use_future);
    b->async_write_some(asio::buffer("abc", 3), asio::use_future).get();
    result.set_value(read.get());
  });
  BOOST_TEST(result.get_future().get() == 3u);
  work.reset();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(leaving)

BOOST_AUTO_TEST_CASE(stop_reaches_every_waiting_thread)
{
  for (int round = 0; round < 20; ++round)
  {
    asio::io_context ctx;
    work_guard work(ctx.get_executor());
    auto [a, b] = local_pair(ctx);
    char in;
    a.async_read_some(asio::buffer(&in, 1), [](error_code, std::size_t) {});
    runners threads(ctx, 6);
    if (round % 2)
      std::this_thread::sleep_for(2ms);
    ctx.stop();
    threads.join();
    BOOST_TEST(threads.returned() == 6);
  }
}

BOOST_AUTO_TEST_CASE(all_threads_return_when_work_runs_out)
{
  for (int round = 0; round < 20; ++round)
  {
    asio::io_context ctx;
    auto [a, b] = local_pair(ctx);
    asio::steady_timer timer(ctx, 2ms);
    char in;
    outcome read;
    a.async_read_some(asio::buffer(&in, 1), read.handler());
    timer.async_wait([b = &b](error_code) { b->send(asio::buffer("x", 1)); });
    runners threads(ctx, 4);
    threads.join();
    BOOST_TEST(threads.returned() == 4);
    BOOST_TEST(read.bytes == 1u);
    BOOST_TEST(ctx.stopped());
  }
}

BOOST_AUTO_TEST_CASE(cancel_and_close_from_a_thread_outside)
{
  asio::io_context ctx;
  work_guard work(ctx.get_executor());
  runners threads(ctx, 3);
  int wrong = 0;
  for (int round = 0; round < 300; ++round)
  {
    auto [a, b] = tcp_pair(ctx);
    tcp::acceptor acceptor(ctx, loopback());
    asio::steady_timer timer(ctx, 1h);
    char in[4];
    std::atomic<int> aborted{0}, calls{0};
    auto count = [&](error_code ec) {
      aborted += ec == asio::error::operation_aborted;
      ++calls;
    };
    a.async_read_some(asio::buffer(in), [&](error_code ec, std::size_t) { count(ec); });
    b.async_wait(tcp::socket::wait_read, count);
    acceptor.async_accept([&](error_code ec, tcp::socket) { count(ec); });
    timer.async_wait(count);
    if (round % 2)
    {
      a.cancel();
      b.cancel();
      acceptor.cancel();
      timer.cancel();
    }
    else
    {
      acceptor.close();
      a.close();
      timer.expires_after(1h);
      b.cancel();
    }
    wrong += !soon([&] { return calls == 4; });
    // The end of a is seen by b's wait when it comes before the cancel.
    wrong += aborted < 3;
  }
  BOOST_TEST(wrong == 0);
  work.reset();
}

BOOST_AUTO_TEST_CASE(exceptions_in_some_threads_leave_the_others_running)
{
  asio::io_context ctx;
  std::atomic<int> finished{0}, thrown{0}, caught{0};
  constexpr int pairs = 30, turns = 60;
  std::vector<std::shared_ptr<ping_pong>> games;
  for (int i = 0; i < pairs; ++i)
  {
    games.emplace_back(new ping_pong{local_pair(ctx), turns, finished});
    games.back()->turn(true, games.back());
  }
  asio::steady_timer timer(ctx);
  std::function<void(error_code)> explode = [&](error_code) {
    if (++thrown == 50)
      return;
    timer.expires_after(100us);
    timer.async_wait(explode);
    throw std::runtime_error("as planned");
  };
  timer.expires_after(100us);
  timer.async_wait(explode);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      for (;;)
        try
        {
          ctx.run();
          return;
        }
        catch (const std::runtime_error&)
        {
          ++caught;
        }
    });
  for (auto& thread : threads)
    thread.join();
  BOOST_TEST(finished == pairs);
  BOOST_TEST(thrown == 50);
  BOOST_TEST(caught == 49);
  for (auto& game : games)
    BOOST_TEST((game->wrong == 0 && game->out == turns));
}

BOOST_AUTO_TEST_SUITE_END()
