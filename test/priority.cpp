// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Handlers with priorities: who goes first, that nobody starves or gets lost, and that the executor fits wherever Asio takes one.

#define BOOST_TEST_MODULE priority
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <asio_proactor/priority.hpp>
#include <atomic>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace test_support;
using asio_proactor::prioritized_executor;
using asio_proactor::priority;
using asio_proactor::priority_patience;
using asio_proactor::priority_t;
using asio_proactor::with_priority;
namespace execution = asio::execution;

namespace {

using executor = prioritized_executor<asio::io_context::executor_type>;

// Posts itself again when it is called, a given number of times in all.
struct chain
{
  executor on;
  int left;
  int& calls;

  void operator()()
  {
    ++calls;
    if (--left > 0)
      asio::post(on, *this);
  }
};

// Says when it is destroyed, except what it was moved from.
struct told_when_destroyed
{
  explicit told_when_destroyed(std::function<void()> f) : tell(std::make_unique<std::function<void()>>(std::move(f))) {}
  told_when_destroyed(told_when_destroyed&&) = default;
  ~told_when_destroyed()
  {
    if (tell)
      (*tell)();
  }
  void operator()() { BOOST_ERROR("called"); }

  std::unique_ptr<std::function<void()>> tell;
};

// Counts what it has given out and not got back, and fails on request.
struct ledger
{
  int allocated = 0;
  int total = 0;
  bool fails = false;
};

template <typename T = void>
struct ledger_allocator
{
  using value_type = T;

  explicit ledger_allocator(ledger& l) : book(&l) {}
  template <typename U>
  ledger_allocator(const ledger_allocator<U>& other) : book(other.book)
  {}

  T* allocate(std::size_t n)
  {
    if (book->fails)
      throw std::bad_alloc();
    ++book->allocated, ++book->total;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n)
  {
    --book->allocated;
    std::allocator<T>().deallocate(p, n);
  }

  template <typename U>
  bool operator==(const ledger_allocator<U>& other) const noexcept
  {
    return book == other.book;
  }
  template <typename U>
  bool operator!=(const ledger_allocator<U>& other) const noexcept
  {
    return book != other.book;
  }

  ledger* book;
};

// As a context's executor that has no memory left.
struct full_context
{
  template <typename Function>
  void execute(Function&&) const
  {
    throw std::bad_alloc();
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(turns)

BOOST_AUTO_TEST_CASE(higher_levels_first_and_in_order_within_a_level)
{
  asio::io_context ctx;
  std::string order;
  const auto queue = [&](priority level, char name) {
    asio::post(with_priority(ctx, level), [&order, name] { order += name; });
  };
  for (const char name : {'1', '2', '3'})
    queue(priority::background, name);
  for (const char name : {'a', 'b', 'c'})
    queue(priority::normal, name);
  for (const char name : {'A', 'B', 'C'})
    queue(priority::urgent, name);
  queue(priority::background, '4');
  BOOST_TEST(ctx.run() == 10u);
  BOOST_TEST(order == "ABCabc1234");
}

BOOST_AUTO_TEST_CASE(whoever_comes_later_overtakes)
{
  asio::io_context ctx;
  std::string order;
  asio::post(with_priority(ctx, priority::background), [&] {
    order += '1';
    asio::post(with_priority(ctx, priority::urgent), [&] { order += 'A'; });
  });
  asio::post(with_priority(ctx, priority::background), [&] { order += '2'; });
  ctx.run();
  BOOST_TEST(order == "1A2");
}

// An urgent function takes the turn of the first in line: what has no priority is where it was.
BOOST_AUTO_TEST_CASE(handlers_without_priority_keep_their_place)
{
  asio::io_context ctx;
  std::string order;
  asio::post(with_priority(ctx, priority::background), [&] { order += '1'; });
  asio::post(ctx, [&] { order += '-'; });
  asio::post(with_priority(ctx, priority::urgent), [&] { order += 'A'; });
  ctx.run();
  BOOST_TEST(order == "A-1");
}

BOOST_AUTO_TEST_CASE(a_chain_of_urgent_functions_lets_others_through)
{
  asio::io_context ctx;
  const int patience = static_cast<int>(priority_patience);
  int urgent = 0, seen_by_normal = 0, seen_by_background = 0;
  asio::post(with_priority(ctx, priority::normal), [&] { seen_by_normal = urgent; });
  asio::post(with_priority(ctx, priority::background), [&] { seen_by_background = urgent; });
  asio::post(with_priority(ctx, priority::urgent), chain{with_priority(ctx, priority::urgent), 100, urgent});
  ctx.run();
  BOOST_TEST(urgent == 100);
  BOOST_TEST(seen_by_normal == patience);
  BOOST_TEST(seen_by_background == patience); // Directly behind normal.
}

BOOST_AUTO_TEST_CASE(every_level_gets_its_share_of_endless_chains)
{
  asio::io_context ctx;
  int calls[3] = {};
  for (const auto level : {priority::urgent, priority::normal, priority::background})
    asio::post(with_priority(ctx, level), chain{with_priority(ctx, level), 100000, calls[static_cast<int>(level)]});
  const int rounds = 100;
  for (int i = 0; i < rounds * static_cast<int>(priority_patience + 2); ++i)
    ctx.run_one();
  BOOST_TEST(calls[1] >= rounds);
  BOOST_TEST(calls[2] >= rounds);
  BOOST_TEST(calls[0] >= rounds * (static_cast<int>(priority_patience) - 1));
}

// Only what waits is passed over: a level that was empty for long has no claim.
BOOST_AUTO_TEST_CASE(patience_is_counted_while_something_waits)
{
  asio::io_context ctx;
  int urgent = 0, seen = 0;
  const auto on = with_priority(ctx, priority::urgent);
  asio::post(on, chain{on, 100, urgent});
  for (int i = 0; i < 50; ++i)
    ctx.run_one();
  asio::post(with_priority(ctx, priority::background), [&] { seen = urgent; });
  ctx.run();
  BOOST_TEST(seen == 50 + static_cast<int>(priority_patience));
}

BOOST_AUTO_TEST_CASE(contexts_have_queues_of_their_own)
{
  asio::io_context first, second;
  std::string order;
  asio::post(with_priority(first, priority::background), [&] { order += '1'; });
  asio::post(with_priority(second, priority::urgent), [&] { order += 'A'; });
  BOOST_TEST(first.run() == 1u);
  BOOST_TEST(order == "1");
  BOOST_TEST(second.run() == 1u);
  BOOST_TEST(order == "1A");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(as_an_executor)

BOOST_AUTO_TEST_CASE(requirements)
{
  static_assert(execution::is_executor<executor>::value);
  static_assert(std::is_nothrow_copy_constructible<executor>::value);
  static_assert(std::is_nothrow_move_constructible<executor>::value);
  static_assert(std::is_nothrow_copy_assignable<executor>::value);
  static_assert(std::is_convertible<executor, asio::any_io_executor>::value);
  static_assert(std::is_convertible<asio::strand<executor>, asio::any_io_executor>::value);
  static_assert(
    std::is_convertible<prioritized_executor<asio::thread_pool::executor_type>, asio::any_io_executor>::value);
  static_assert(!asio::can_require<executor, execution::blocking_t::possibly_t>::value);
  static_assert(
    !asio::can_require<prioritized_executor<asio::thread_pool::executor_type>, execution::blocking_t::always_t>::value);

  asio::io_context ctx, other;
  const executor urgent = with_priority(ctx, priority::urgent);
  BOOST_TEST((urgent == with_priority(ctx.get_executor(), priority::urgent)));
  BOOST_TEST((urgent != with_priority(ctx, priority::normal)));
  BOOST_TEST((urgent != with_priority(other, priority::urgent)));
  BOOST_TEST((urgent.get_inner_executor() == ctx.get_executor()));
  BOOST_TEST(&asio::query(urgent, execution::context) == &ctx);
  BOOST_TEST((asio::query(urgent, execution::blocking) == execution::blocking.never));
  BOOST_TEST((asio::require(urgent, execution::blocking.never) == urgent));
  BOOST_TEST((asio::prefer(urgent, execution::blocking.possibly) == urgent));
}

BOOST_AUTO_TEST_CASE(the_level_is_a_property)
{
  asio::io_context ctx;
  const auto urgent = with_priority(ctx, priority::urgent);
  BOOST_TEST((asio::query(urgent, priority_t{}) == priority::urgent));
  const auto normal = asio::require(urgent, priority_t{priority::normal});
  BOOST_TEST((normal == with_priority(ctx, priority::normal)));
  BOOST_TEST((with_priority(normal, priority::urgent) == urgent));
  BOOST_TEST((asio::prefer(ctx.get_executor(), priority_t{priority::urgent}) == ctx.get_executor()));

  using any = execution::any_executor<execution::context_as_t<asio::execution_context&>, execution::blocking_t::never_t,
                                      execution::prefer_only<priority_t>>;
  const any erased = asio::prefer(any(urgent), priority_t{priority::background});
  BOOST_TEST((*erased.target<executor>() == with_priority(ctx, priority::background)));
}

BOOST_AUTO_TEST_CASE(other_properties_are_those_of_the_context)
{
  asio::io_context ctx;
  const auto urgent = with_priority(ctx, priority::urgent);
  const auto tracked = asio::require(urgent, execution::outstanding_work.tracked);
  BOOST_TEST((asio::query(tracked, execution::outstanding_work) == execution::outstanding_work.tracked));
  BOOST_TEST((asio::query(tracked, priority_t{}) == priority::urgent));
  BOOST_TEST((asio::require(tracked, execution::outstanding_work.untracked) == urgent));
  const auto continuing = asio::prefer(urgent, execution::relationship.continuation);
  BOOST_TEST((asio::query(continuing, execution::relationship) == execution::relationship.continuation));
}

BOOST_AUTO_TEST_CASE(nothing_is_called_inline)
{
  asio::io_context ctx;
  const auto urgent = with_priority(ctx, priority::urgent);
  std::string order;
  asio::post(urgent, [&] {
    asio::dispatch(urgent, [&] { order += 'd'; });
    asio::defer(urgent, [&] { order += 'f'; });
    urgent.execute([&] { order += 'e'; });
    order += '.';
  });
  ctx.run();
  BOOST_TEST(order == ".dfe");
}

BOOST_AUTO_TEST_CASE(tracked_work_keeps_run)
{
  asio::io_context ctx;
  auto guard = asio::make_work_guard(with_priority(ctx, priority::background));
  BOOST_TEST(ctx.run_for(10ms) == 0u);
  BOOST_TEST(!ctx.stopped());
  bool called = false;
  std::thread other([&] {
    asio::post(guard.get_executor(), [&] {
      called = true;
      guard.reset();
    });
  });
  BOOST_TEST(ctx.run() == 1u);
  other.join();
  BOOST_TEST((called && ctx.stopped()));
}

BOOST_AUTO_TEST_CASE(type_erased)
{
  asio::io_context ctx;
  std::string order;
  const asio::any_io_executor background = with_priority(ctx, priority::background);
  const asio::any_io_executor urgent = asio::make_strand(with_priority(ctx, priority::urgent));
  asio::post(background, [&] { order += '1'; });
  asio::post(urgent, [&] { order += 'A'; });
  ctx.run();
  BOOST_TEST(order == "A1");
}

BOOST_AUTO_TEST_CASE(stopped_and_restarted)
{
  asio::io_context ctx;
  std::string order;
  asio::post(with_priority(ctx, priority::normal), [&] {
    order += 'a';
    ctx.stop();
  });
  asio::post(with_priority(ctx, priority::normal), [&] { order += 'b'; });
  ctx.run();
  BOOST_TEST(order == "a");
  ctx.restart();
  asio::post(with_priority(ctx, priority::urgent), [&] { order += 'A'; });
  ctx.run();
  BOOST_TEST(order == "aAb");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(operations)

BOOST_AUTO_TEST_CASE(handlers_bound_to_it)
{
  asio::io_context ctx;
  auto [client, server] = tcp_pair(ctx);
  client.send(asio::buffer("x", 1));
  BOOST_REQUIRE(readable(server));
  std::string order;
  char byte = 0;
  // Both are over by the time of the first turn, so the one that is urgent overtakes what waits.
  server.async_receive(asio::buffer(&byte, 1),
                       asio::bind_executor(with_priority(ctx, priority::urgent), [&](error_code ec, std::size_t n) {
                         BOOST_TEST((!ec && n == 1));
                         order += 'A';
                       }));
  const auto background = with_priority(ctx, priority::background);
  int calls = 0;
  asio::post(background, chain{background, 1000, calls});
  BOOST_TEST(run_until(ctx, [&] { return calls == 1000 && order == "A"; }));
  BOOST_TEST(byte == 'x');
}

BOOST_AUTO_TEST_CASE(sockets_and_timers_of_it)
{
  asio::io_context ctx;
  using socket_type = asio::basic_stream_socket<tcp, executor>;
  using acceptor_type = asio::basic_socket_acceptor<tcp, executor>;
  using timer_type = asio::steady_timer::rebind_executor<executor>::other;
  const executor urgent = with_priority(ctx, priority::urgent);
  acceptor_type acceptor(urgent, loopback());
  socket_type client(urgent), server(urgent);
  timer_type timer(urgent, 1ms);
  outcome accepted, connected, received, expired;
  acceptor.async_accept(server, accepted.plain());
  client.async_connect(acceptor.local_endpoint(), connected.plain());
  timer.async_wait(expired.plain());
  ctx.run();
  BOOST_TEST((accepted.calls == 1 && connected.calls == 1 && expired.calls == 1));
  BOOST_TEST((!accepted.ec && !connected.ec && !expired.ec));

  char byte = 0;
  server.async_receive(asio::buffer(&byte, 1), received.handler());
  client.close();
  ctx.restart();
  ctx.run();
  BOOST_TEST(received.calls == 1);
  BOOST_TEST((received.ec == asio::error::eof));
}

BOOST_AUTO_TEST_CASE(coroutines)
{
  asio::io_context ctx;
  std::string order;
  int waited = 0;
  auto work = [&](char name) -> asio::awaitable<void> {
    for (int i = 0; i < 3; ++i)
    {
      order += name;
      co_await asio::post(asio::use_awaitable);
    }
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    ++waited;
  };
  asio::co_spawn(with_priority(ctx, priority::background), work('1'), asio::detached);
  asio::co_spawn(asio::make_strand(with_priority(ctx, priority::urgent)), work('A'), asio::detached);
  ctx.run();
  BOOST_TEST(order == "AAA111");
  BOOST_TEST(waited == 2);
}

BOOST_AUTO_TEST_CASE(coroutines_of_this_executor)
{
  asio::io_context ctx;
  bool same = false;
  const executor urgent = with_priority(ctx, priority::urgent);
  asio::co_spawn(
    urgent,
    [&]() -> asio::awaitable<void, executor> {
      const auto mine = co_await asio::this_coro::executor;
      co_await asio::post(mine, asio::use_awaitable_t<executor>());
      same = mine == urgent;
    },
    asio::detached);
  ctx.run();
  BOOST_TEST(same);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(functions)

BOOST_AUTO_TEST_CASE(move_only)
{
  asio::io_context ctx;
  int result = 0;
  with_priority(ctx, priority::normal).execute([&, value = std::make_unique<int>(7)] { result = *value; });
  ctx.run();
  BOOST_TEST(result == 7);
}

BOOST_AUTO_TEST_CASE(an_exception_loses_nothing_else)
{
  asio::io_context ctx;
  std::string order;
  asio::post(with_priority(ctx, priority::background), [&] { order += '1'; });
  asio::post(with_priority(ctx, priority::urgent), [] { throw std::runtime_error("urgent"); });
  asio::post(with_priority(ctx, priority::normal), [&] { order += 'a'; });
  BOOST_CHECK_THROW(ctx.run(), std::runtime_error);
  BOOST_TEST(order == "");
  BOOST_TEST(ctx.run() == 2u);
  BOOST_TEST(order == "a1");
}

BOOST_AUTO_TEST_CASE(destroyed_with_the_context)
{
  int destroyed = 0, destroyed_behind = 0;
  {
    asio::io_context ctx;
    const auto urgent = with_priority(ctx, priority::urgent);
    for (const auto level : {priority::urgent, priority::normal, priority::background})
      asio::post(with_priority(ctx, level), told_when_destroyed([&, urgent] {
                   ++destroyed;
                   asio::post(urgent, told_when_destroyed([&] { ++destroyed_behind; }));
                 }));
    BOOST_TEST(destroyed == 0);
  }
  BOOST_TEST(destroyed == 3);
  BOOST_TEST(destroyed_behind == 3);
}

// What a handler without priority owns is destroyed after the queues have been shut down.
BOOST_AUTO_TEST_CASE(executed_by_a_handler_that_the_context_destroys)
{
  int destroyed = 0;
  {
    asio::io_context ctx;
    const auto urgent = with_priority(ctx, priority::urgent);
    asio::post(ctx,
               told_when_destroyed([&, urgent] { asio::post(urgent, told_when_destroyed([&] { ++destroyed; })); }));
  }
  BOOST_TEST(destroyed == 1);
}

BOOST_AUTO_TEST_CASE(memory_is_of_the_handlers_allocator_and_free_before_the_call)
{
  asio::io_context ctx;
  ledger book;
  int at_call = -1;
  const auto stored =
    asio::require(with_priority(ctx, priority::normal), execution::allocator(ledger_allocator<>(book)));
  BOOST_TEST((asio::query(stored, execution::allocator) == ledger_allocator<>(book)));
  BOOST_TEST((asio::require(stored, execution::allocator) == with_priority(ctx, priority::normal)));
  stored.execute([&] { at_call = book.allocated; });
  BOOST_TEST(book.allocated == 1);
  ctx.run();
  BOOST_TEST(at_call == 0);
  BOOST_TEST(book.total == 1);
}

// A turn may be for another function by the time it comes, so it must not be in memory that ends with this one.
BOOST_AUTO_TEST_CASE(a_turn_does_not_need_its_functions_memory)
{
  asio::io_context ctx;
  auto book = std::make_unique<ledger>();
  asio::post(with_priority(ctx, priority::background), [] {});
  asio::require(with_priority(ctx, priority::urgent), execution::allocator(ledger_allocator<>(*book))).execute([&] {
    BOOST_TEST(book->allocated == 0);
    book.reset();
  });
  BOOST_TEST(ctx.run() == 2u);
}

BOOST_AUTO_TEST_CASE(no_memory_for_the_function)
{
  asio::io_context ctx;
  ledger book;
  book.fails = true;
  const auto stored =
    asio::require(with_priority(ctx, priority::normal), execution::allocator(ledger_allocator<>(book)));
  BOOST_CHECK_THROW(stored.execute([] { BOOST_ERROR("called"); }), std::bad_alloc);
  BOOST_TEST(ctx.run() == 0u);
}

BOOST_AUTO_TEST_CASE(no_memory_for_the_turn)
{
  asio::io_context ctx;
  auto& queues = asio::use_service<asio_proactor::priorities::queues>(static_cast<asio::execution_context&>(ctx));
  int destroyed = 0, called = 0;
  BOOST_CHECK_THROW(queues.add(0,
                               asio_proactor::priorities::make_function(told_when_destroyed([&] { ++destroyed; }),
                                                                        std::allocator<void>()),
                               full_context()),
                    std::bad_alloc);
  BOOST_TEST(destroyed == 1);
  asio::post(with_priority(ctx, priority::background), [&] { ++called; });
  BOOST_TEST(ctx.run() == 1u);
  BOOST_TEST(called == 1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(several_threads)

BOOST_AUTO_TEST_CASE(a_strand_over_it_is_exclusive)
{
  asio::io_context ctx;
  constexpr int count = 3000;
  auto strand = asio::make_strand(with_priority(ctx, priority::normal));
  std::atomic<bool> inside{false};
  std::atomic<int> overlaps{0};
  int calls = 0; // Of the strand, without a lock.
  const auto alone = [&] {
    overlaps += inside.exchange(true);
    ++calls;
    inside = false;
  };
  std::vector<std::thread> threads;
  auto guard = asio::make_work_guard(ctx);
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] { ctx.run(); });
  for (int i = 0; i < count; ++i)
  {
    // The same strand, whatever the level.
    asio::post(asio::require(strand, priority_t{static_cast<priority>(i % 3)}), alone);
    asio::post(with_priority(ctx, priority::urgent), [] {});
  }
  guard.reset();
  for (auto& each : threads)
    each.join();
  BOOST_TEST(overlaps == 0);
  BOOST_TEST(calls == count);
}

BOOST_AUTO_TEST_CASE(a_pool_calls_every_function_once)
{
  static constexpr int producers = 3, count = 2000;
  std::vector<std::atomic<int>> calls(producers * count);
  asio::thread_pool pool(4);
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      for (int i = 0; i < count; ++i)
        asio::post(with_priority(pool, static_cast<priority>(i % 3)), [&calls, &pool, p, i] {
          // Every other one by way of a function of another level.
          auto& mine = calls[static_cast<std::size_t>(p * count + i)];
          if (i % 2)
            asio::post(with_priority(pool, static_cast<priority>((i + 1) % 3)), [&mine] { ++mine; });
          else
            ++mine;
        });
    });
  for (auto& each : threads)
    each.join();
  pool.join();
  int wrong = 0;
  for (const auto& each : calls)
    wrong += each != 1;
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(outside_threads_and_threads_in_run)
{
  asio::io_context ctx;
  static constexpr int producers = 2, count = 2000;
  std::atomic<int> calls{0};
  auto guard = asio::make_work_guard(ctx);
  std::vector<std::thread> runners, outside;
  for (int i = 0; i < 2; ++i)
    runners.emplace_back([&] { ctx.run(); });
  for (int p = 0; p < producers; ++p)
    outside.emplace_back([&] {
      for (int i = 0; i < count; ++i)
        asio::post(with_priority(ctx, static_cast<priority>(i % 3)), [&] { ++calls; });
    });
  for (auto& each : outside)
    each.join();
  guard.reset();
  for (auto& each : runners)
    each.join();
  BOOST_TEST(calls == producers * count);
}

BOOST_AUTO_TEST_SUITE_END()
