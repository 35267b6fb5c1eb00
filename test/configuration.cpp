// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Run-time configuration of a context (Boost 1.87 and newer).

#define BOOST_TEST_MODULE configuration
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <boost/version.hpp>

#if BOOST_VERSION < 108700

BOOST_AUTO_TEST_CASE(there_are_only_hints_in_this_release) {}

#else

# include <boost/asio/config.hpp>
# include <atomic>
# include <chrono>
# include <cstdlib>
# include <string>
# include <sys/resource.h>
# include <system_error>
# include <thread>
# include <vector>
# if defined(ASIO_PROACTOR_DROP_IN)
#  include <asio_proactor/driver.hpp>
# endif

using namespace test_support;

namespace {

asio::config_from_string lines(const std::string& text)
{
  return asio::config_from_string(text);
}

// Sockets, timers and posts from outside. Returns what was received.
std::string converse(asio::io_context& ctx, int threads)
{
  auto [a, b] = tcp_pair(ctx);
  const std::string text(100000, 'c');
  std::string back(text.size(), ' ');
  asio::steady_timer timer(ctx, 5ms);
  std::atomic<int> steps{0};
  asio::async_write(a, asio::buffer(text), [&](error_code ec, std::size_t) { steps += !ec; });
  asio::async_read(b, asio::buffer(back), [&](error_code ec, std::size_t) { steps += !ec; });
  timer.async_wait([&](error_code ec) { steps += !ec; });
  auto guard = asio::make_work_guard(ctx);
  std::vector<std::thread> runners;
  for (int i = 0; i < threads; ++i)
    runners.emplace_back([&] { ctx.run(); });
  asio::post(ctx, [&] { ++steps; });
  std::this_thread::sleep_for(20ms);
  guard.reset();
  for (auto& runner : runners)
    runner.join();
  BOOST_TEST(steps == 4);
  return back;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_key_of_asio_leaves_a_context_that_works)
{
  const char* const settings[] = {
    "scheduler.concurrency_hint=1",
    "scheduler.concurrency_hint=2",
    "scheduler.locking=1\nscheduler.locking_spin_count=100",
    "scheduler.assume_continuation=1",
    "reactor.registration_locking=1\nreactor.registration_locking_spin_count=10",
    "reactor.io_locking=1\nreactor.io_locking_spin_count=10",
    "reactor.preallocated_io_objects=100",
    "reactor.reset_edge_on_partial_read=1\nreactor.use_eventfd=1\nreactor.use_timerfd=1",
    "reactor.io_uring_ring_size=64\nreactor.io_uring_submit_batch_size=1\nreactor.io_uring_iowait=0",
    "timer.heap_reserve=1000",
    "resolver.threads=2",
    "scheduler.task_usec=0",
    "scheduler.task_usec=50",
  };
  for (const char* setting : settings)
    BOOST_TEST_CONTEXT(setting)
    {
      asio::io_context ctx{lines(setting)};
      BOOST_TEST(converse(ctx, 1) == std::string(100000, 'c'));
    }
}

BOOST_AUTO_TEST_CASE(contexts_for_one_thread_without_locks)
{
  asio::io_context ctx{lines("scheduler.locking=0\nreactor.registration_locking=0\nreactor.io_locking=0")};
  auto [a, b] = tcp_pair(ctx);
  char c = 0;
  outcome sent, received;
  asio::async_write(a, asio::buffer("x", 1), sent.handler());
  asio::async_read(b, asio::buffer(&c, 1), received.handler());
  ctx.run();
  BOOST_TEST((sent.bytes == 1 && received.bytes == 1 && c == 'x'));
  // A resolver would need a second thread.
  asio::ip::tcp::resolver resolver(ctx);
  outcome resolved;
  resolver.async_resolve("127.0.0.1", "1", [&](error_code ec, auto) { resolved.ec = ec, ++resolved.calls; });
  ctx.restart();
  ctx.run();
  BOOST_TEST(resolved.calls == 1);
  BOOST_TEST(resolved.ec == asio::error::operation_not_supported);
}

// 0 makes threads look for work all the time instead of sleeping: lower latency for a core each.
BOOST_AUTO_TEST_CASE(threads_that_never_sleep)
{
  for (const char* setting :
       {"scheduler.task_usec=0\nscheduler.wait_usec=0", "scheduler.task_usec=100\nscheduler.wait_usec=100"})
    BOOST_TEST_CONTEXT(setting)
    {
      asio::io_context ctx{lines(setting)};
      BOOST_TEST(converse(ctx, 3) == std::string(100000, 'c'));
    }
}

BOOST_AUTO_TEST_CASE(a_limit_of_the_caller_is_kept_by_a_thread_that_never_sleeps)
{
  asio::io_context ctx{lines("scheduler.task_usec=0")};
  asio::steady_timer timer(ctx, 1h);
  timer.async_wait([](error_code) {});
  const auto start = std::chrono::steady_clock::now();
  ctx.run_for(30ms);
  const auto took = std::chrono::steady_clock::now() - start;
  BOOST_TEST((took >= 30ms));
  BOOST_TEST((took < 5s));
}

// Who sleeps leaves the processor of its own accord, who spins never does.
BOOST_AUTO_TEST_CASE(a_limit_of_no_microseconds_spins_and_none_at_all_sleeps)
{
  const auto sleeps_with = [](const char* setting) {
    asio::io_context ctx{lines(setting)};
    asio::steady_timer timer(ctx, 100ms);
    timer.async_wait([](error_code) {});
    ::rusage before, after;
    ::getrusage(RUSAGE_THREAD, &before);
    ctx.run();
    ::getrusage(RUSAGE_THREAD, &after);
    return after.ru_nvcsw - before.ru_nvcsw;
  };
  BOOST_TEST(sleeps_with("scheduler.task_usec=-1") > 0);
  BOOST_TEST(sleeps_with("scheduler.task_usec=0") == 0);
}

# if defined(ASIO_PROACTOR_DROP_IN)

namespace {

// What the environment asks for, if anything.
std::string driver_from_environment()
{
  const char* value = std::getenv("ASIO_PROACTOR_DRIVER");
  return value ? value : "";
}

} // namespace

BOOST_AUTO_TEST_CASE(a_program_names_its_driver)
{
  if (const std::string named = driver_from_environment(); !named.empty())
  {
    // Who operates the program has the last word.
    asio::io_context ctx{lines("proactor.driver=kqueue")};
    const std::string served_by = asio_proactor::driver_of(ctx).name;
    BOOST_TEST((served_by == named || named == "auto"));
    return;
  }
  asio::io_context on_epoll{lines("proactor.driver=epoll")};
  BOOST_TEST(asio_proactor::driver_of(on_epoll).name == "epoll");
  BOOST_TEST(asio_proactor::driver_of(on_epoll).detail == "asked for by the configuration key proactor.driver");
  asio::io_context on_any{lines("proactor.driver=auto")};
  asio::io_context unnamed;
  BOOST_TEST(asio_proactor::driver_of(on_any).name == asio_proactor::driver_of(unnamed).name);
  // By name it is strict.
  asio::io_context on_uring{lines("proactor.driver=uring")};
  if (asio_proactor::driver_of(unnamed).name == "uring")
    BOOST_TEST(asio_proactor::driver_of(on_uring).name == "uring");
  else
    BOOST_CHECK_THROW((void)asio_proactor::driver_of(on_uring), std::system_error);
}

BOOST_AUTO_TEST_CASE(a_wrong_name_is_an_error_that_says_so)
{
  if (!driver_from_environment().empty())
    return;
  asio::io_context ctx{lines("proactor.driver=kqueue")};
  BOOST_CHECK_EXCEPTION((void)asio_proactor::driver_of(ctx), std::system_error, [](const std::system_error& failure) {
    return std::string(failure.what()).find("proactor.driver must be uring, epoll or auto, not 'kqueue'") !=
           std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(a_wrong_way_of_waking_is_an_error_that_says_so)
{
  if (std::getenv("ASIO_PROACTOR_WAKING"))
    return;
  BOOST_CHECK_EXCEPTION(
    asio::io_context{lines("proactor.waking=never")}, std::system_error, [](const std::system_error& failure) {
      return std::string(failure.what()).find("proactor.waking must be thrifty or eager, not 'never'") !=
             std::string::npos;
    });
  asio::io_context eager{lines("proactor.waking=eager")};
  BOOST_TEST(converse(eager, 2) == std::string(100000, 'c'));
}

# endif

#endif
