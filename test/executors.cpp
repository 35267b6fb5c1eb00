// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Where handlers run: post, dispatch and defer, strands of both kinds, thread_pool and system_context.

#define BOOST_TEST_MODULE executors
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context_strand.hpp>
#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

using namespace test_support;

BOOST_AUTO_TEST_SUITE(submission)

BOOST_AUTO_TEST_CASE(post_dispatch_and_defer)
{
  asio::io_context ctx;
  bool outside = false, inside = false, later = false;
  int queued = 0;
  asio::dispatch(ctx, [&] { outside = true; });
  asio::defer(ctx, [&] { later = true; });
  BOOST_TEST(!outside); // Not in run(): dispatch has to wait as well.
  asio::post(ctx, [&] {
    asio::dispatch(ctx, [&] { inside = true; });
    BOOST_TEST(inside);
    asio::post(ctx, [&] { ++queued; });
    asio::defer(ctx, [&] { ++queued; });
    BOOST_TEST(queued == 0);
  });
  BOOST_TEST(ctx.run() == 5u);
  BOOST_TEST((outside && later && queued == 2));
}

BOOST_AUTO_TEST_CASE(running_in_this_thread)
{
  asio::io_context ctx;
  auto executor = ctx.get_executor();
  BOOST_TEST(!executor.running_in_this_thread());
  asio::post(ctx, [&] {
    BOOST_TEST(executor.running_in_this_thread());
    std::thread([&] { BOOST_CHECK(!executor.running_in_this_thread()); }).join();
  });
  ctx.run();
  BOOST_TEST(!executor.running_in_this_thread());
}

BOOST_AUTO_TEST_CASE(executor_properties)
{
  namespace execution = asio::execution;
  asio::io_context ctx;
  auto executor = ctx.get_executor();
  BOOST_TEST(&asio::query(executor, execution::context) == &ctx);
  bool ran = false;
  auto blocking = asio::require(executor, execution::blocking.never);
  auto possibly = asio::require(executor, execution::blocking.possibly);
  asio::post(ctx, [&] {
    bool direct = false;
    possibly.execute([&] { direct = true; });
    blocking.execute([&ran] { ran = true; });
    BOOST_TEST(direct);
    BOOST_TEST(!ran);
  });
  ctx.run();
  BOOST_TEST(ran);
  BOOST_TEST((asio::query(blocking, execution::blocking) == execution::blocking.never));
  BOOST_TEST((asio::any_io_executor(executor) == asio::any_io_executor(ctx.get_executor())));
  asio::io_context other;
  BOOST_TEST((executor != other.get_executor()));
  asio::any_io_executor any = executor;
  int calls = 0;
  asio::post(any, [&] { ++calls; });
  asio::dispatch(any, [&] { ++calls; });
  ctx.restart();
  ctx.run();
  BOOST_TEST(calls == 2);
}

BOOST_AUTO_TEST_CASE(handlers_run_on_their_associated_executor)
{
  asio::io_context io, home;
  auto [a, b] = tcp_pair(io);
  asio::steady_timer timer(io, 1ms);
  char in[4];
  int at_home = 0;
  auto check = [&] {
    at_home += home.get_executor().running_in_this_thread() && !io.get_executor().running_in_this_thread();
  };
  a.async_read_some(asio::buffer(in), asio::bind_executor(home, [&](error_code, std::size_t) { check(); }));
  timer.async_wait(asio::bind_executor(home.get_executor(), [&](error_code) { check(); }));
  b.send(asio::buffer("x", 1));
  io.run(); // Its own work is done; the handlers are waiting elsewhere.
  BOOST_TEST(at_home == 0);
  home.run();
  BOOST_TEST(at_home == 2);
  // The other context has work for as long as the operation lasts.
  a.async_read_some(asio::buffer(in), asio::bind_executor(home, [&](error_code, std::size_t) { check(); }));
  home.restart();
  BOOST_TEST(home.run_for(5ms) == 0u);
  BOOST_TEST(!home.stopped());
  b.send(asio::buffer("x", 1));
  io.restart();
  io.run();
  home.run();
  BOOST_TEST(at_home == 3);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(strands)

// Checks that no two handlers overlap and that they come in the order of their submission.
struct serial_check
{
  std::atomic<int> inside{0};
  int next = 0;
  int wrong = 0;

  auto step(int number)
  {
    return [this, number] {
      wrong += inside.fetch_add(1) != 0;
      wrong += number != next++;
      inside.fetch_sub(1);
    };
  }
};

template <typename Context, typename Strand>
void serializes(Context& ctx, Strand strand)
{
  serial_check check;
  constexpr int count = 4000;
  for (int i = 0; i < count; ++i)
    asio::post(strand, check.step(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] { ctx.run(); });
  for (auto& thread : threads)
    thread.join();
  BOOST_TEST(check.wrong == 0);
  BOOST_TEST(check.next == count);
}

BOOST_AUTO_TEST_CASE(strand_over_an_executor)
{
  asio::io_context ctx;
  serializes(ctx, asio::make_strand(ctx));
  ctx.restart();
  serializes(ctx, asio::strand<asio::any_io_executor>(ctx.get_executor()));
}

BOOST_AUTO_TEST_CASE(strand_of_io_context)
{
  asio::io_context ctx;
  serializes(ctx, asio::io_context::strand(ctx));
}

template <typename Strand>
void io_through_a_strand(asio::io_context& ctx, Strand strand)
{
  constexpr int pairs = 10, rounds = 100;
  std::atomic<int> inside{0};
  int wrong = 0, done = 0;
  std::vector<std::unique_ptr<stream_pair>> all;
  std::vector<char> in(pairs);
  struct reader
  {
    stream_pair& pair;
    char& in;
    std::atomic<int>& inside;
    int &wrong, &done;
    Strand strand;
    int left = rounds;
    void start()
    {
      pair.first.async_read_some(asio::buffer(&in, 1), asio::bind_executor(strand, [this](error_code ec, std::size_t) {
                                   wrong += inside.fetch_add(1) != 0 || ec;
                                   ++done;
                                   if (--left > 0)
                                     start();
                                   inside.fetch_sub(1);
                                 }));
    }
  };
  std::vector<std::unique_ptr<reader>> readers;
  for (int i = 0; i < pairs; ++i)
  {
    all.emplace_back(std::make_unique<stream_pair>(local_pair(ctx)));
    all[i]->second.send(asio::buffer(std::string(rounds, 'x')));
    readers.emplace_back(new reader{*all[i], in[i], inside, wrong, done, strand});
    readers[i]->start();
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] { ctx.run(); });
  for (auto& thread : threads)
    thread.join();
  BOOST_TEST(wrong == 0);
  BOOST_TEST(done == pairs * rounds);
}

BOOST_AUTO_TEST_CASE(sockets_through_strands)
{
  asio::io_context ctx;
  io_through_a_strand(ctx, asio::make_strand(ctx));
  ctx.restart();
  io_through_a_strand(ctx, asio::io_context::strand(ctx));
}

BOOST_AUTO_TEST_CASE(dispatch_inside_a_strand_is_immediate)
{
  asio::io_context ctx;
  auto strand = asio::make_strand(ctx);
  asio::io_context::strand old(ctx);
  int direct = 0;
  asio::post(strand, [&] {
    BOOST_TEST(strand.running_in_this_thread());
    asio::dispatch(strand, [&] { ++direct; });
    BOOST_TEST(direct == 1);
    BOOST_TEST(!old.running_in_this_thread());
    asio::post(old, [&] {
      BOOST_TEST(old.running_in_this_thread());
      asio::dispatch(old, [&] { ++direct; });
      BOOST_TEST(direct == 2);
    });
  });
  ctx.run();
  BOOST_TEST(direct == 2);
}

BOOST_AUTO_TEST_CASE(an_exception_does_not_block_the_strand)
{
  asio::io_context ctx;
  int after = 0;
  auto fill_strand = [&](auto strand) {
    asio::post(strand, [] { throw 1; });
    asio::post(strand, [&] { ++after; });
  };
  fill_strand(asio::make_strand(ctx));
  fill_strand(asio::io_context::strand(ctx));
  BOOST_CHECK_THROW(ctx.run(), int);
  BOOST_CHECK_THROW(ctx.run(), int);
  ctx.run();
  BOOST_TEST(after == 2);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(other_contexts)

BOOST_AUTO_TEST_CASE(thread_pool_posts_and_join)
{
  asio::thread_pool pool(3);
  std::atomic<int> calls{0};
  for (int i = 0; i < 2000; ++i)
    asio::post(pool, [&] {
      if (++calls % 2)
        asio::post(pool, [&] { ++calls; });
    });
  pool.join();
  BOOST_TEST(calls >= 2000);
  const int after_join = calls;
  asio::post(pool, [&] { ++calls; });
  BOOST_TEST(calls == after_join); // Nobody is left to run it.
}

BOOST_AUTO_TEST_CASE(thread_pool_serves_sockets_and_timers)
{
  for (int threads : {1, 3})
  {
    asio::thread_pool pool(threads);
    auto [a, b] = tcp_pair(pool);
    asio::steady_timer timer(pool, 1ms);
    std::vector<char> out(1 << 20, 'p'), in(out.size());
    auto write = asio::async_write(a, asio::buffer(out), asio::use_future);
    auto read = asio::async_read(b, asio::buffer(in), asio::use_future);
    auto wait = timer.async_wait(asio::use_future);
    BOOST_TEST(write.get() == out.size());
    BOOST_TEST(read.get() == in.size());
    wait.get();
    BOOST_TEST((in == out));
    asio::strand<asio::thread_pool::executor_type> strand(pool.get_executor());
    strands::serial_check check;
    for (int i = 0; i < 500; ++i)
      asio::post(strand, check.step(i));
    pool.join();
    BOOST_TEST(check.wrong == 0);
    BOOST_TEST(check.next == 500);
  }
}

BOOST_AUTO_TEST_CASE(thread_pool_stop_and_attach)
{
  asio::thread_pool pool(2);
  asio::steady_timer timer(pool, 1h);
  timer.async_wait([](error_code) {});
  pool.stop();
  pool.join();

  asio::thread_pool attached(1);
  std::atomic<int> calls{0};
  asio::post(attached, [&] { ++calls; });
  attached.wait();
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(system_executor_runs_timers_and_sockets)
{
  asio::system_executor executor;
  std::promise<void> ran;
  asio::post(executor, [&] { ran.set_value(); });
  ran.get_future().get();
  bool direct = false;
  asio::dispatch(executor, [&] { direct = true; });
  BOOST_TEST(direct);

  asio::steady_timer timer(executor, 1ms);
  timer.async_wait(asio::use_future).get();
  asio::basic_stream_socket<tcp, asio::any_io_executor> client(executor), server(executor);
  asio::basic_socket_acceptor<tcp> acceptor(executor, loopback());
  auto accepted = acceptor.async_accept(server, asio::use_future);
  client.async_connect(acceptor.local_endpoint(), asio::use_future).get();
  accepted.get();
  std::string in(5, ' ');
  auto read = asio::async_read(server, asio::buffer(in), asio::use_future);
  BOOST_TEST(asio::async_write(client, asio::buffer("hello", 5), asio::use_future).get() == 5u);
  BOOST_TEST(read.get() == 5u);
  BOOST_TEST(in == "hello");
  auto aborted = server.async_read_some(asio::buffer(in), asio::use_future);
  server.close();
  BOOST_CHECK_THROW(aborted.get(), boost::system::system_error);
}

BOOST_AUTO_TEST_SUITE_END()
