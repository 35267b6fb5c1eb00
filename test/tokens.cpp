// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Every completion token of Asio over the same operations: values, errors and cancellation reach the
// token.

#define BOOST_TEST_MODULE tokens
#include <boost/test/included/unit_test.hpp>

#include "support/tokens.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/experimental/co_spawn.hpp>
#include <boost/asio/experimental/coro.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/experimental/promise.hpp>
#include <boost/asio/experimental/use_coro.hpp>
#include <boost/asio/experimental/use_promise.hpp>
#if BOOST_VERSION >= 108200
# include <boost/asio/bind_immediate_executor.hpp>
#endif
#if BOOST_VERSION >= 108600
# include <boost/asio/cancel_after.hpp>
# include <boost/asio/cancel_at.hpp>
#endif
#if defined(ASIO_PROACTOR_TEST_HAS_CONTEXT)
# include <boost/asio/spawn.hpp>
#endif
#include <array>
#include <memory>
#include <thread>
#include <tuple>

using namespace test_support;
namespace experimental = asio::experimental;

namespace {

// Calls use(place, seen, start) with operations that succeed, fail at once, or are cancelled; start(token) starts one.
template <typename Use>
void every_operation(const char* token, Use use)
{
  auto check = [&](const char* operation, error_code ec, std::size_t bytes, auto start) {
    BOOST_TEST_CONTEXT(token << ", " << operation)
    {
      place p;
      seen s;
      use(p, s, [&](auto&& t) -> decltype(auto) { return start(p, std::forward<decltype(t)>(t)); });
      BOOST_TEST(s.calls == 1);
      BOOST_TEST(s.ec == ec);
      BOOST_TEST(s.bytes == bytes);
    }
  };
  check("wait", {}, 0, [](place& p, auto&& t) {
    p.timer.expires_after(1ms);
    return p.timer.async_wait(std::forward<decltype(t)>(t));
  });
  check("read", {}, 3, [](place& p, auto&& t) {
    p.b.send(asio::buffer("abc", 3));
    return p.a.async_read_some(asio::buffer(p.in), std::forward<decltype(t)>(t));
  });
  check("write", {}, 5, [](place& p, auto&& t) {
    return p.b.async_write_some(asio::buffer("hello", 5), std::forward<decltype(t)>(t));
  });
  check("post", {}, 0, [](place& p, auto&& t) { return asio::post(p.ctx, std::forward<decltype(t)>(t)); });
  check("read of a closed socket", asio::error::bad_descriptor, 0,
        [](place& p, auto&& t) { return p.closed.async_read_some(asio::buffer(p.in), std::forward<decltype(t)>(t)); });
  check("cancelled read", asio::error::operation_aborted, 0, [](place& p, auto&& t) {
    p.interrupt();
    return p.a.async_read_some(asio::buffer(p.in), std::forward<decltype(t)>(t));
  });
  check("cancelled wait", asio::error::operation_aborted, 0, [](place& p, auto&& t) {
    p.interrupt();
    return p.timer.async_wait(std::forward<decltype(t)>(t));
  });
}

template <typename Start>
asio::awaitable<void> await(Start start, seen& s)
{
  ++s.calls;
  try
  {
    if constexpr (std::is_void_v<typename decltype(start(use_awaitable))::value_type>)
      co_await start(use_awaitable);
    else
      s.bytes = co_await start(use_awaitable);
  }
  catch (const system_error& error)
  {
    s.ec = error.code();
  }
}

template <typename Start>
asio::awaitable<void> await_redirected(Start start, seen& s)
{
  ++s.calls;
  auto token = asio::redirect_error(use_awaitable, s.ec);
  if constexpr (std::is_void_v<typename decltype(start(token))::value_type>)
    co_await start(token);
  else
    s.bytes = co_await start(token);
}

template <typename T>
struct counting_allocator : std::allocator<T>
{
  using value_type = T;
  int *live, *total;

  counting_allocator(int& l, int& t) : live(&l), total(&t) {}
  template <typename U>
  counting_allocator(const counting_allocator<U>& other) : live(other.live),
                                                           total(other.total)
  {}
  T* allocate(std::size_t n)
  {
    ++*live;
    ++*total;
    return std::allocator<T>::allocate(n);
  }
  void deallocate(T* p, std::size_t n)
  {
    --*live;
    std::allocator<T>::deallocate(p, n);
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(callbacks_and_deferred)
{
  every_operation("callback", [](place& p, seen& s, auto start) {
    start(recorder(s));
    p.ctx.run();
  });
  every_operation("deferred", [](place& p, seen& s, auto start) {
    auto operation = start(asio::deferred);
    p.ctx.run();
    BOOST_TEST(s.calls == 0);
    std::move(operation)(recorder(s));
    p.ctx.restart();
    p.interrupt();
    p.ctx.run();
  });
  every_operation("deferred, chained", [](place& p, seen& s, auto start) {
    auto chained = start(asio::deferred([](auto... values) { return asio::deferred.values(values..., 7); }));
    std::move(chained)(recorder(s));
    p.ctx.run();
    BOOST_TEST(s.extra == 7);
  });
}

BOOST_AUTO_TEST_CASE(adapters_of_arguments)
{
  every_operation("append", [](place& p, seen& s, auto start) {
    start(asio::append(recorder(s), 7));
    p.ctx.run();
    BOOST_TEST(s.extra == 7);
  });
  every_operation("prepend", [](place& p, seen& s, auto start) {
    start(asio::prepend(recorder(s), 7));
    p.ctx.run();
    BOOST_TEST(s.extra == 7);
  });
  every_operation("consign", [](place& p, seen& s, auto start) {
    auto kept = std::make_shared<int>();
    start(asio::consign(recorder(s), kept));
    BOOST_TEST(kept.use_count() == 2);
    p.ctx.run();
    BOOST_TEST(kept.use_count() == 1);
  });
  every_operation("as_tuple", [](place& p, seen& s, auto start) {
    start(asio::as_tuple([&](auto tuple) { std::apply(recorder(s), tuple); }));
    p.ctx.run();
  });
}

BOOST_AUTO_TEST_CASE(binders)
{
  every_operation("bind_executor", [](place& p, seen& s, auto start) {
    auto strand = asio::make_strand(p.ctx);
    start(asio::bind_executor(strand, [&, r = recorder(s)](auto... values) mutable {
      s.extra = strand.running_in_this_thread();
      r(values...);
    }));
    p.ctx.run();
    BOOST_TEST(s.extra == 1);
  });
  every_operation("bind_allocator", [](place& p, seen& s, auto start) {
    int live = 0, total = 0, left = -1;
    start(asio::bind_allocator(counting_allocator<char>(live, total), [&, r = recorder(s)](auto... values) mutable {
      left = live;
      r(values...);
    }));
    p.ctx.run();
    BOOST_TEST((left == 0 && live == 0 && total > 0));
  });
  every_operation("bind_cancellation_slot", [](place& p, seen& s, auto start) {
    asio::cancellation_signal signal;
    start(asio::bind_cancellation_slot(signal.slot(), recorder(s)));
    p.ctx.run();
    signal.emit(asio::cancellation_type::all); // Too late, and harmless.
  });
  every_operation("all of them", [](place& p, seen& s, auto start) {
    asio::cancellation_signal signal;
    int live = 0, total = 0;
    start(asio::bind_cancellation_slot(
      signal.slot(),
      asio::bind_allocator(counting_allocator<char>(live, total),
                           asio::bind_executor(asio::make_strand(p.ctx), asio::append(recorder(s), 7)))));
    p.ctx.run();
    BOOST_TEST((s.extra == 7 && live == 0 && total > 0));
  });
}

BOOST_AUTO_TEST_CASE(futures_and_promises)
{
  every_operation("use_future", [](place& p, seen& s, auto start) {
    auto future = start(asio::use_future);
    std::thread runner([&] { p.ctx.run(); });
    try
    {
      ++s.calls;
      if constexpr (std::is_void_v<decltype(future.get())>)
        future.get();
      else
        s.bytes = future.get();
    }
    catch (const system_error& error)
    {
      s.ec = error.code();
    }
    runner.join();
  });
  every_operation("use_future of a function", [](place& p, seen& s, auto start) {
    auto future = start(asio::use_future([&](auto... values) { recorder{s}(values...); }));
    p.ctx.run();
    future.get();
  });
  every_operation("use_promise", [](place& p, seen& s, auto start) {
    auto promise = start(experimental::use_promise); // Starts at once.
    p.ctx.run();
    BOOST_TEST(promise.completed());
    promise(recorder(s));
    p.ctx.restart();
    p.ctx.run();
  });
}

BOOST_AUTO_TEST_CASE(coroutines)
{
  every_operation("use_awaitable", [](place& p, seen& s, auto start) { run_coroutine(p.ctx, await(start, s)); });
  every_operation("as_tuple of use_awaitable", [](place& p, seen& s, auto start) {
    run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
      std::apply(recorder(s), co_await start(asio::as_tuple(use_awaitable)));
    });
  });
  every_operation("deferred in a coroutine", [](place& p, seen& s, auto start) {
    run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
      std::apply(recorder(s), co_await start(asio::as_tuple(asio::deferred)));
    });
  });
  every_operation("redirect_error",
                  [](place& p, seen& s, auto start) { run_coroutine(p.ctx, await_redirected(start, s)); });
  every_operation("experimental::coro", [](place& p, seen& s, auto start) {
    auto body = [](asio::io_context&, auto& begin) -> experimental::coro<void, std::size_t> {
      if constexpr (!std::is_void_v<typename decltype(begin(use_awaitable))::value_type>)
        co_return co_await begin(asio::deferred);
      else
        co_await begin(asio::deferred);
      co_return 0;
    };
    experimental::co_spawn(body(p.ctx, start), [&](std::exception_ptr e, std::size_t n) {
      recorder{s}(e, e ? 0 : n); // Beside an exception the value is not initialised.
    });
    p.ctx.run();
  });
}

#if defined(ASIO_PROACTOR_TEST_HAS_CONTEXT)
BOOST_AUTO_TEST_CASE(stackful_coroutines)
{
  every_operation("yield", [](place& p, seen& s, auto start) {
    asio::spawn(
      p.ctx,
      [&](asio::yield_context yield) {
        ++s.calls;
        if constexpr (std::is_void_v<decltype(start(yield))>)
          start(yield);
        else
          s.bytes = start(yield);
      },
      [&](std::exception_ptr e) { s.note(e); });
    p.ctx.run();
  });
  every_operation("yield with an error code", [](place& p, seen& s, auto start) {
    auto body = [&](asio::yield_context yield) {
      ++s.calls;
      if constexpr (std::is_void_v<decltype(start(yield))>)
        start(yield[s.ec]);
      else
        s.bytes = start(yield[s.ec]);
    };
    asio::spawn(p.ctx, body, asio::detached);
    p.ctx.run();
  });
}
#endif

BOOST_AUTO_TEST_CASE(parallel_groups)
{
  every_operation("parallel_group", [](place& p, seen& s, auto start) {
    experimental::make_parallel_group(start(asio::deferred), asio::post(p.ctx, asio::deferred))
      .async_wait(experimental::wait_for_all(),
                  [&](std::array<std::size_t, 2>, auto... values) { recorder{s}(values...); });
    p.ctx.run();
  });
}

BOOST_AUTO_TEST_CASE(detached)
{
  place p;
  p.timer.expires_after(1ms);
  p.timer.async_wait(asio::detached);
  asio::post(p.ctx, asio::detached);
  p.b.async_write_some(asio::buffer("abc", 3), asio::detached);
  p.a.async_read_some(asio::buffer(p.in), asio::detached);
  BOOST_TEST(p.ctx.run() == 4u);
  BOOST_TEST(std::string(p.in) == "abc");
}

#if BOOST_VERSION >= 108600
BOOST_AUTO_TEST_CASE(cancelled_by_the_clock)
{
  every_operation("cancel_after", [](place& p, seen& s, auto start) {
    start(asio::cancel_after(1h, recorder(s)));
    p.ctx.run();
  });
  every_operation("cancel_at", [](place& p, seen& s, auto start) {
    start(asio::cancel_at(steady::now() + 1h, recorder(s)));
    p.ctx.run();
  });
}
#endif

#if BOOST_VERSION >= 108200
BOOST_AUTO_TEST_CASE(the_immediate_executor_serves_what_is_known_at_once)
{
  place p;
  seen closed, empty, plain;
  auto at_once = [&](seen& s) { return asio::bind_immediate_executor(asio::system_executor(), recorder(s)); };
  p.closed.async_read_some(asio::buffer(p.in), at_once(closed));
  p.a.async_read_some(asio::mutable_buffer(), at_once(empty));
  p.a.async_read_some(asio::mutable_buffer(), recorder(plain));
  BOOST_TEST((closed.calls == 1 && closed.ec == asio::error::bad_descriptor));
  BOOST_TEST((empty.calls == 1 && !empty.ec));
  BOOST_TEST(plain.calls == 0); // Without one it waits for run().
  p.ctx.run();
  BOOST_TEST((closed.calls == 1 && empty.calls == 1 && plain.calls == 1));
}
#endif
