// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Per-operation cancellation: slots, groups, and awaitable operators.

#define BOOST_TEST_MODULE cancellation
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <array>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

using namespace test_support;
using asio::cancellation_type;

namespace {

constexpr cancellation_type every_type[] = {cancellation_type::total, cancellation_type::partial,
                                            cancellation_type::terminal};

template <typename Handler>
auto with_slot(asio::cancellation_signal& signal, Handler handler)
{
  return asio::bind_cancellation_slot(signal.slot(), std::move(handler));
}

} // namespace

BOOST_AUTO_TEST_SUITE(slots)

// Every pending operation of the library, one at a time.
BOOST_AUTO_TEST_CASE(each_operation_with_each_type)
{
  using start_function =
    std::function<void(asio::io_context&, asio::cancellation_signal&, outcome&, std::shared_ptr<void>&)>;
  struct reading
  {
    stream_pair pair;
    char in[4];
  };
  struct receiving
  {
    udp::socket socket;
    udp::endpoint from;
    char in[4];
  };
  auto reading_in = [](asio::io_context& ctx, std::shared_ptr<void>& keep) {
    auto data = std::make_shared<reading>(reading{local_pair(ctx), {}});
    keep = data;
    return data.get();
  };
  const std::pair<const char*, start_function> operations[] = {
    {"read",
     [&](auto& ctx, auto& signal, auto& end, auto& keep) {
       auto* data = reading_in(ctx, keep);
       data->pair.first.async_read_some(asio::buffer(data->in), with_slot(signal, end.handler()));
     }},
    {"write",
     [&](auto& ctx, auto& signal, auto& end, auto& keep) {
       auto* data = reading_in(ctx, keep);
       fill(data->pair.first);
       data->pair.first.async_write_some(asio::buffer("x", 1), with_slot(signal, end.handler()));
     }},
    {"wait",
     [&](auto& ctx, auto& signal, auto& end, auto& keep) {
       auto* data = reading_in(ctx, keep);
       data->pair.first.async_wait(asio::socket_base::wait_read, with_slot(signal, end.plain()));
     }},
    {"wait_error",
     [&](auto& ctx, auto& signal, auto& end, auto& keep) {
       auto* data = reading_in(ctx, keep);
       data->pair.first.async_wait(asio::socket_base::wait_error, with_slot(signal, end.plain()));
     }},
    {"accept",
     [&](auto& ctx, auto& signal, auto& end, auto& keep) {
       auto acceptor = std::make_shared<tcp::acceptor>(ctx, loopback());
       keep = acceptor;
       acceptor->async_accept(with_slot(signal, [&end](error_code ec, tcp::socket) { ++end.calls, end.ec = ec; }));
     }},
    {"receive_from",
     [&](auto& ctx, auto& signal, auto& end, auto& keep) {
       auto data = std::make_shared<receiving>(receiving{udp::socket(ctx, udp_loopback()), {}, {}});
       keep = data;
       data->socket.async_receive_from(asio::buffer(data->in), data->from, with_slot(signal, end.handler()));
     }},
    {"timer",
     [&](auto& ctx, auto& signal, auto& end, auto& keep) {
       auto timer = std::make_shared<asio::steady_timer>(ctx, 1h);
       keep = timer;
       timer->async_wait(with_slot(signal, end.plain()));
     }},
    {"signal_set",
     [&](auto& ctx, auto& signal, auto& end, auto& keep) {
       auto set = std::make_shared<asio::signal_set>(ctx, SIGUSR2);
       keep = set;
       set->async_wait(with_slot(signal, [&end](error_code ec, int) { ++end.calls, end.ec = ec; }));
     }},
  };
  for (auto& [name, start] : operations)
    for (auto type : every_type)
      for (bool polled : {false, true})
      {
        BOOST_TEST_CONTEXT(name << ", type " << static_cast<int>(type)
                                << (polled ? ", in the kernel" : ", just started"))
        {
          asio::io_context ctx;
          asio::cancellation_signal signal;
          outcome end;
          std::shared_ptr<void> keep;
          start(ctx, signal, end, keep);
          if (polled)
            ctx.run_for(1ms);
          BOOST_TEST(end.calls == 0);
          signal.emit(type);
          BOOST_TEST(end.calls == 0); // Not inside emit() either.
          ctx.restart();
          ctx.run();
          BOOST_TEST(end.calls == 1);
          BOOST_TEST(end.ec == asio::error::operation_aborted);
          signal.emit(type); // Too late, and harmless.
        }
      }
}

BOOST_AUTO_TEST_CASE(only_the_one_operation_is_cancelled)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  fill(a);
  char in[3];
  outcome reads[3], write, wait;
  asio::cancellation_signal signals[3];
  for (int i = 0; i < 3; ++i)
    a.async_read_some(asio::buffer(in + i, 1), with_slot(signals[i], reads[i].handler()));
  a.async_write_some(asio::buffer("x", 1), write.handler());
  a.async_wait(asio::socket_base::wait_write, wait.plain());
  ctx.run_for(1ms);
  signals[1].emit(cancellation_type::total);
  ctx.run_for(1ms);
  BOOST_TEST((reads[1].calls == 1 && reads[1].ec == asio::error::operation_aborted));
  BOOST_TEST(reads[0].calls + reads[2].calls + write.calls + wait.calls == 0);
  b.send(asio::buffer("02", 2));
  std::vector<char> sink(1 << 20);
  b.non_blocking(true);
  error_code ec;
  while (!ec)
    b.read_some(asio::buffer(sink), ec);
  ctx.run();
  BOOST_TEST((!reads[0].ec && !reads[2].ec && !write.ec && !wait.ec));
  BOOST_TEST(in[0] == '0');
  BOOST_TEST(in[2] == '2');
}

BOOST_AUTO_TEST_CASE(one_wait_of_a_timer)
{
  asio::io_context ctx;
  asio::steady_timer timer(ctx, 5ms);
  outcome first, second;
  asio::cancellation_signal signal;
  timer.async_wait(with_slot(signal, first.plain()));
  timer.async_wait(second.plain());
  signal.emit(cancellation_type::terminal);
  ctx.run();
  BOOST_TEST(first.ec == asio::error::operation_aborted);
  BOOST_TEST((second.calls == 1 && !second.ec));
}

BOOST_AUTO_TEST_CASE(late_and_idle_emits_are_harmless)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[4];
  asio::cancellation_signal signal;
  signal.emit(cancellation_type::total);
  outcome read, next;
  a.async_read_some(asio::buffer(in, 1), with_slot(signal, read.handler()));
  b.send(asio::buffer("xy", 2));
  ctx.run();
  BOOST_TEST(read.bytes == 1u);
  signal.emit(cancellation_type::terminal);
  // The next operation on the slot's socket is not hit by a late signal.
  a.async_read_some(asio::buffer(in, 1), next.handler());
  signal.emit(cancellation_type::terminal);
  ctx.restart();
  ctx.run();
  BOOST_TEST((next.bytes == 1 && !next.ec));
  {
    stream_pair gone = local_pair(ctx);
    gone.first.async_read_some(asio::buffer(in), with_slot(signal, read.handler()));
  }
  ctx.restart();
  ctx.run();
  BOOST_TEST(read.ec == asio::error::operation_aborted);
  signal.emit(cancellation_type::terminal); // The socket does not exist any more.
}

#if defined(ASIO_PROACTOR_DROP_IN)
// Stock Asio keeps a pointer into the socket in the slot, so there a signal is lost when the socket moves.
BOOST_AUTO_TEST_CASE(signals_survive_the_move_of_a_socket)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[4];
  asio::cancellation_signal signal;
  outcome read;
  a.async_read_some(asio::buffer(in), with_slot(signal, read.handler()));
  auto moved = std::make_unique<asio::local::stream_protocol::socket>(std::move(a));
  a = std::move(b);
  ctx.run_for(1ms);
  signal.emit(cancellation_type::total);
  ctx.restart();
  ctx.run();
  BOOST_TEST((read.calls == 1 && read.ec == asio::error::operation_aborted));
}
#endif

BOOST_AUTO_TEST_CASE(emit_in_the_handler_of_another_operation)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  asio::steady_timer timer(ctx, 1ms);
  char in[4];
  for (int i = 0; i < 200; ++i)
  {
    asio::cancellation_signal read_signal, timer_signal;
    outcome read;
    a.async_read_some(asio::buffer(in), with_slot(read_signal, [&](error_code ec, std::size_t n) {
                        ++read.calls, read.ec = ec, read.bytes = n;
                        timer_signal.emit(cancellation_type::total);
                      }));
    timer.expires_after(std::chrono::microseconds(i));
    timer.async_wait(with_slot(timer_signal, [&](error_code) { read_signal.emit(cancellation_type::total); }));
    if (i % 2)
      b.send(asio::buffer("x", 1));
    ctx.restart();
    ctx.run();
    BOOST_TEST(read.calls == 1);
    if (i % 2 && read.ec) // The byte is still there then.
      BOOST_TEST(a.read_some(asio::buffer(in)) == 1u);
    else
      BOOST_TEST((read.ec ? read.ec == asio::error::operation_aborted : read.bytes == 1));
  }
}

BOOST_AUTO_TEST_CASE(composed_operations_know_partial_from_total)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[10];
  asio::cancellation_signal signal;
  outcome read;
  asio::async_read(a, asio::buffer(in), with_slot(signal, read.handler()));
  b.send(asio::buffer("123", 3));
  ctx.run_for(2ms);
  signal.emit(cancellation_type::total); // Bytes have been taken: total is no longer possible.
  ctx.run_for(2ms);
  BOOST_TEST(read.calls == 0);
  signal.emit(cancellation_type::partial);
  ctx.run();
  BOOST_TEST((read.calls == 1 && read.ec == asio::error::operation_aborted));
  BOOST_TEST(read.bytes == 3u);
}

BOOST_AUTO_TEST_CASE(emit_on_a_strand_while_other_threads_run)
{
  asio::io_context ctx;
  asio::executor_work_guard<asio::io_context::executor_type> work(ctx.get_executor());
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] { ctx.run(); });
  auto strand = asio::make_strand(ctx);
  auto [a, b] = local_pair(ctx);
  constexpr int rounds = 500;
  int wrong = 0;
  std::size_t received = 0;
  char in[4];
  for (int i = 0; i < rounds; ++i)
  {
    asio::cancellation_signal signal;
    std::atomic<int> calls{0}, emitted{0};
    std::size_t bytes = 0;
    asio::post(strand, [&, a = &a] {
      a->async_read_some(asio::buffer(in),
                         asio::bind_executor(strand, with_slot(signal, [&](error_code, std::size_t n) {
                                               bytes = n;
                                               ++calls;
                                             })));
    });
    b.send(asio::buffer("x", 1));
    asio::post(strand, [&] {
      signal.emit(cancellation_type::total);
      ++emitted;
    });
    while (calls == 0 || emitted == 0)
      std::this_thread::yield();
    wrong += calls != 1;
    received += bytes;
  }
  work.reset();
  for (auto& thread : threads)
    thread.join();
  while (received < rounds && readable(a, 0ms))
    received += a.read_some(asio::buffer(in));
  BOOST_TEST(wrong == 0);
  BOOST_TEST(received == static_cast<std::size_t>(rounds));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(groups)

using namespace asio::experimental::awaitable_operators;

BOOST_AUTO_TEST_CASE(parallel_group_takes_the_first)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  asio::steady_timer timer(ctx, 1ms);
  char in[4];
  bool done = false;
  asio::experimental::make_parallel_group(a.async_read_some(asio::buffer(in), asio::deferred),
                                          timer.async_wait(asio::deferred))
    .async_wait(asio::experimental::wait_for_one(),
                [&](std::array<std::size_t, 2> order, error_code read, std::size_t n, error_code wait) {
                  BOOST_TEST(order[0] == 1u);
                  BOOST_TEST(read == asio::error::operation_aborted);
                  BOOST_TEST(n == 0u);
                  BOOST_TEST(!wait);
                  done = true;
                });
  ctx.run();
  BOOST_TEST(done);
}

BOOST_AUTO_TEST_CASE(parallel_group_waits_for_all)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  char in[4];
  bool done = false;
  asio::experimental::make_parallel_group(a.async_read_some(asio::buffer(in), asio::deferred),
                                          b.async_write_some(asio::buffer("ab", 2), asio::deferred))
    .async_wait(asio::experimental::wait_for_all(),
                [&](std::array<std::size_t, 2>, error_code read, std::size_t n, error_code write, std::size_t m) {
                  BOOST_TEST((!read && !write && n == 2 && m == 2));
                  done = true;
                });
  ctx.run();
  BOOST_TEST(done);
}

asio::awaitable<int> timeouts(tcp::socket& socket, tcp::socket& peer)
{
  using asio::use_awaitable;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  char in[4];
  int timed_out = 0;
  for (int i = 0; i < 50; ++i)
  {
    timer.expires_after(i % 2 ? 1h : 100us);
    if (i % 2)
      co_await peer.async_send(asio::buffer("x", 1), use_awaitable);
    auto first = co_await (socket.async_read_some(asio::buffer(in), use_awaitable) || timer.async_wait(use_awaitable));
    timed_out += first.index() == 1;
  }
  timer.expires_after(1ms);
  auto both = co_await (peer.async_send(asio::buffer("yz", 2), use_awaitable) &&
                        socket.async_read_some(asio::buffer(in), use_awaitable));
  BOOST_TEST(std::get<0>(both) == 2u);
  BOOST_TEST(std::get<1>(both) == 2u);
  co_return timed_out;
}

BOOST_AUTO_TEST_CASE(awaitable_operators_as_timeouts)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  int timed_out = -1;
  asio::co_spawn(ctx, timeouts(a, b), [&](std::exception_ptr e, int n) {
    BOOST_TEST(!e);
    timed_out = n;
  });
  ctx.run();
  BOOST_TEST(timed_out == 25);
}

BOOST_AUTO_TEST_CASE(a_coroutine_is_cancelled_through_its_slot)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  asio::cancellation_signal signal;
  int finished = 0;
  error_code reported;
  auto body = [&, a = &a]() -> asio::awaitable<void> {
    char in[4];
    for (;;)
      co_await a->async_read_some(asio::buffer(in), asio::use_awaitable);
  };
  asio::co_spawn(ctx, body, with_slot(signal, [&](std::exception_ptr e) {
                   ++finished;
                   try
                   {
                     if (e)
                       std::rethrow_exception(e);
                   }
                   catch (const boost::system::system_error& error)
                   {
                     reported = error.code();
                   }
                 }));
  b.send(asio::buffer("x", 1));
  ctx.run_for(2ms);
  BOOST_TEST(finished == 0);
  signal.emit(cancellation_type::terminal);
  ctx.run();
  BOOST_TEST(finished == 1);
  BOOST_TEST(reported == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_SUITE_END()
