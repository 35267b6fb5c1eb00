// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// A context that is run in slices by threads that come and go: operations outlive the thread that
// started them and the thread that last waited for them.

#define BOOST_TEST_MODULE slices
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

// What one pending operation of each kind was told in the end.
struct pending_set
{
  stream_pair pair;
  tcp::acceptor acceptor;
  tcp::socket client;
  udp::socket datagram;
  asio::steady_timer timer;
  char in[8] = {};
  udp::endpoint from;
  outcome read, wait, accept, receive, timed;

  explicit pending_set(asio::io_context& ctx)
    : pair(local_pair(ctx)),
      acceptor(ctx, loopback()),
      client(ctx),
      datagram(ctx, udp_loopback()),
      timer(ctx)
  {}

  void start()
  {
    pair.first.async_read_some(asio::buffer(in, 4), read.handler());
    pair.second.async_wait(asio::socket_base::wait_read, wait.plain());
    acceptor.async_accept([this](error_code ec, tcp::socket) { ++accept.calls, accept.ec = ec; });
    datagram.async_receive_from(asio::buffer(in + 4, 4), from, receive.handler());
    timer.expires_after(30ms);
    timer.async_wait(timed.plain());
  }

  // Lets every operation finish, from outside the loop.
  void satisfy()
  {
    pair.second.send(asio::buffer("abc", 3));
    pair.first.send(asio::buffer("x", 1));
    client.connect(acceptor.local_endpoint());
    asio::io_context own;
    udp::socket sender(own, udp::v4());
    sender.send_to(asio::buffer("de", 2), datagram.local_endpoint());
  }

  int calls() const { return read.calls + wait.calls + accept.calls + receive.calls + timed.calls; }

  void check() const
  {
    for (auto* end : {&read, &wait, &accept, &receive, &timed})
    {
      BOOST_TEST(end->calls == 1);
      BOOST_TEST(!end->ec, "unexpected " << end->ec.message());
    }
    BOOST_TEST(read.bytes == 3u);
    BOOST_TEST(receive.bytes == 2u);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(starting_thread)

BOOST_AUTO_TEST_CASE(exited_before_the_context_runs)
{
  asio::io_context ctx;
  pending_set set(ctx);
  std::thread([&] { set.start(); }).join();
  set.satisfy();
  ctx.run();
  set.check();
}

BOOST_AUTO_TEST_CASE(exited_after_it_ran_a_while)
{
  using runner = std::function<void(asio::io_context&)>;
  const std::pair<const char*, runner> ways[] = {
    {"run_for", [](asio::io_context& ctx) { ctx.run_for(5ms); }},
    {"poll", [](asio::io_context& ctx) { ctx.poll(); }},
    {"run_one", [](asio::io_context& ctx) { ctx.run_one(); }},
    {"run until stopped",
     [](asio::io_context& ctx) {
       asio::post(ctx, [&] { ctx.stop(); });
       ctx.run();
       ctx.restart();
     }},
    {"run until it throws",
     [](asio::io_context& ctx) {
       asio::post(ctx, [] { throw std::runtime_error("leave"); });
       BOOST_CHECK_THROW(ctx.run(), std::runtime_error);
     }},
  };
  for (auto& way : ways)
    for (bool alive : {false, true})
    {
      BOOST_TEST_CONTEXT(way.first << (alive ? ", thread alive" : ", thread gone"))
      {
        asio::io_context ctx;
        pending_set set(ctx);
        std::atomic<bool> ran{false}, leave{false};
        std::thread first([&] {
          asio::post(ctx, [&] { set.start(); });
          ctx.run_one();
          way.second(ctx);
          ran = true;
          while (!leave)
            std::this_thread::sleep_for(1ms);
        });
        while (!ran)
          std::this_thread::sleep_for(1ms);
        if (!alive)
        {
          leave = true;
          first.join();
        }
        set.satisfy();
        BOOST_TEST(run_until(ctx, [&] { return set.calls() == 5; }));
        set.check();
        leave = true;
        if (first.joinable())
          first.join();
      }
    }
}

BOOST_AUTO_TEST_CASE(exited_while_another_thread_is_in_run)
{
  for (int round = 0; round < 10; ++round)
  {
    asio::io_context ctx;
    pending_set set(ctx);
    std::optional<work_guard> work(ctx.get_executor());
    std::thread runner([&] { ctx.run(); });
    if (round % 2)
      std::this_thread::sleep_for(2ms);
    std::thread([&] { set.start(); }).join();
    set.satisfy();
    work.reset();
    runner.join();
    set.check();
  }
}

BOOST_AUTO_TEST_CASE(left_run_while_others_stay)
{
  // The first thread starts everything inside run(), leaves with an exception and exits.
  asio::io_context ctx;
  pending_set set(ctx);
  std::optional<work_guard> work(ctx.get_executor());
  std::thread first([&] {
    asio::post(ctx, [&] {
      set.start();
      asio::post(ctx, [] { throw std::runtime_error("leave"); });
    });
    BOOST_CHECK_THROW(ctx.run(), std::runtime_error);
  });
  first.join();
  std::thread second([&] { ctx.run(); });
  std::thread third([&] { ctx.run(); });
  set.satisfy();
  work.reset();
  second.join();
  third.join();
  set.check();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(visiting_threads)

// Values count up over a pair while the context is run by ever new threads.
struct counting_stream
{
  stream_pair pair;
  int wanted;
  int out = 0, in = 0, got = 0;
  std::atomic<int> wrong{0}; // Sender and receiver may run at the same time.

  void send()
  {
    asio::async_write(pair.first, asio::buffer(&out, sizeof out), [this](error_code ec, std::size_t) {
      wrong += !!ec;
      if (++out < wanted && !ec)
        send();
    });
  }
  void receive()
  {
    asio::async_read(pair.second, asio::buffer(&in, sizeof in), [this](error_code ec, std::size_t) {
      wrong += !!ec || in != got;
      if (++got < wanted && !ec)
        receive();
    });
  }
};

BOOST_AUTO_TEST_CASE(a_new_thread_for_every_slice)
{
  asio::io_context ctx;
  counting_stream stream{local_pair(ctx), 1 << 30};
  stream.send();
  stream.receive();
  int seen = 0;
  for (int slice = 0; slice < 40; ++slice)
  {
    std::thread([&] {
      if (slice % 3 == 0)
        ctx.poll_one();
      else if (slice % 3 == 1)
        ctx.run_one();
      else
        ctx.run_for(1ms);
    }).join();
    BOOST_TEST(stream.got >= seen);
    seen = stream.got;
  }
  BOOST_TEST(seen > 0);
  stream.wanted = 0; // Both ends finish with what is under way.
  BOOST_TEST(run_until(ctx, [&] { return ctx.stopped() || ctx.poll() == 0; }));
  BOOST_TEST(stream.wrong == 0);
}

BOOST_AUTO_TEST_CASE(several_threads_in_slices_at_once)
{
  asio::io_context ctx;
  constexpr int streams = 20, wanted = 100;
  std::vector<std::unique_ptr<counting_stream>> all;
  for (int i = 0; i < streams; ++i)
  {
    all.emplace_back(new counting_stream{local_pair(ctx), wanted});
    all.back()->send();
    all.back()->receive();
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const auto end = steady::now() + 10s;
      for (int i = t; !ctx.stopped() && steady::now() < end; ++i)
        if (i % 4 == 0)
          ctx.poll();
        else if (i % 4 == 1)
          ctx.run_for(500us);
        else if (i % 4 == 2)
          ctx.run_one_for(500us);
        else
          std::thread([&] { ctx.run_for(300us); }).join();
    });
  for (auto& thread : threads)
    thread.join();
  BOOST_TEST(ctx.stopped());
  for (auto& stream : all)
  {
    BOOST_TEST(stream->got == wanted);
    BOOST_TEST(stream->wrong == 0);
  }
}

BOOST_AUTO_TEST_CASE(slices_beside_a_thread_that_stays)
{
  asio::io_context ctx;
  counting_stream stream{local_pair(ctx), 3000};
  stream.send();
  stream.receive();
  std::thread stays([&] { ctx.run(); });
  while (!ctx.stopped())
    std::thread([&] { ctx.run_for(200us); }).join();
  stays.join();
  BOOST_TEST(stream.got == stream.wanted);
  BOOST_TEST(stream.wrong == 0);
}

BOOST_AUTO_TEST_CASE(exceptions_with_many_connections_pending)
{
  asio::io_context ctx;
  constexpr int connections = 200;
  std::vector<std::unique_ptr<stream_pair>> pairs;
  std::vector<outcome> reads(connections);
  std::vector<char> in(connections);
  for (int i = 0; i < connections; ++i)
  {
    pairs.emplace_back(std::make_unique<stream_pair>(local_pair(ctx)));
    pairs[i]->first.async_read_some(asio::buffer(&in[i], 1), reads[i].handler());
  }
  int caught = 0;
  for (int i = 0; i < connections; ++i)
  {
    asio::post(ctx, [] { throw std::runtime_error("again"); });
    pairs[i]->second.send(asio::buffer("x", 1));
    try
    {
      ctx.run_for(1s);
    }
    catch (const std::runtime_error&)
    {
      ++caught;
    }
  }
  ctx.run();
  BOOST_TEST(caught == connections);
  for (auto& read : reads)
    BOOST_TEST((read.calls == 1 && read.bytes == 1 && !read.ec));
}

BOOST_AUTO_TEST_CASE(operations_wait_through_a_time_without_any_runner)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  char in[2];
  outcome first, second;
  a.async_read_some(asio::buffer(in, 1), first.handler());
  std::thread([&] { ctx.run_for(2ms); }).join();
  b.send(asio::buffer("12", 2));
  std::this_thread::sleep_for(5ms);
  std::thread([&, a = &a] {
    a->async_read_some(asio::buffer(in + 1, 1), second.handler());
    ctx.run();
  }).join();
  for (auto* end : {&first, &second})
    BOOST_TEST((end->calls == 1 && !end->ec && end->bytes == 1));
  BOOST_TEST(std::string(in, 2) == "12");
}

BOOST_AUTO_TEST_SUITE_END()
