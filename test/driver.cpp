// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Which driver serves a context. CMake runs it under each driver, and with io_uring forbidden.

#define BOOST_TEST_MODULE driver
#include <boost/test/included/unit_test.hpp>

#include "support/environment.hpp"
#include "support/net.hpp"
#include "support/watchdog.hpp"

#if defined(ASIO_PROACTOR_DROP_IN)

# include <asio_proactor/driver.hpp>
# include <cstdlib>
# include <string>
# include <system_error>
# include <sys/syscall.h>
# include <unistd.h>

using namespace test_support;

namespace {

// Asks the kernel itself.
bool io_uring_is_there()
{
  char params[256] = {};
  const long fd = ::syscall(SYS_io_uring_setup, 1, params);
  if (fd >= 0)
    ::close(static_cast<int>(fd));
  return fd >= 0;
}

std::string wanted()
{
  const char* text = std::getenv("ASIO_PROACTOR_DRIVER");
  return text && *text ? text : "auto";
}

std::string name_of_new_context()
{
  asio::io_context ctx;
  return asio_proactor::driver_of(ctx).name;
}

} // namespace

BOOST_AUTO_TEST_CASE(serves_what_was_asked_for)
{
  if (wanted() == "auto")
    BOOST_TEST(name_of_new_context() == (io_uring_is_there() ? "uring" : "epoll"));
  else
    BOOST_TEST(name_of_new_context() == wanted());
}

BOOST_AUTO_TEST_CASE(stays_for_the_life_of_a_context)
{
  asio::io_context ctx;
  const std::string before = asio_proactor::driver_of(ctx).name;
  const driver_variable changed(before == "epoll" ? "auto" : "epoll");
  asio::steady_timer timer(ctx, 1ms);
  auto [a, b] = local_pair(ctx);
  outcome sent, waited;
  a.async_send(asio::buffer("x", 1), sent.handler());
  timer.async_wait(waited.plain());
  ctx.run();
  BOOST_TEST((sent.bytes == 1 && waited.calls == 1));
  BOOST_TEST(asio_proactor::driver_of(ctx).name == before);
}

BOOST_AUTO_TEST_CASE(epoll_works_everywhere)
{
  const driver_variable changed("epoll");
  BOOST_TEST(name_of_new_context() == "epoll");
}

BOOST_AUTO_TEST_CASE(uring_by_name_is_strict)
{
  const driver_variable changed("uring");
  if (io_uring_is_there())
    BOOST_TEST(name_of_new_context() == "uring");
  else
    BOOST_CHECK_EXCEPTION(name_of_new_context(), std::system_error, [](const std::system_error& e) {
      return std::string(e.what()).find("io_uring") != std::string::npos;
    });
}

BOOST_AUTO_TEST_CASE(a_wrong_name_is_an_error_that_says_so)
{
  const driver_variable changed("kqueue");
  BOOST_CHECK_EXCEPTION(name_of_new_context(), std::system_error, [](const std::system_error& e) {
    return std::string(e.what()).find("ASIO_PROACTOR_DRIVER must be uring, epoll or auto") != std::string::npos;
  });
}

#else

BOOST_AUTO_TEST_CASE(stock_asio_has_one_driver) {}

#endif
