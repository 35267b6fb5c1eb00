// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

#ifndef ASIO_PROACTOR_TEST_SUPPORT_TOKENS_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_TOKENS_HPP

#include "support/net.hpp"
#include <boost/test/unit_test.hpp>
#include <exception>
#include <memory>
#include <utility>

namespace test_support {

using asio::use_awaitable;
using boost::system::system_error;

// What reached the end of a token.
struct seen
{
  int calls = 0;
  error_code ec;
  std::size_t bytes = 0;
  int extra = 0;

  void note(error_code e) { ec = e; }
  void note(std::size_t n) { bytes = n; }
  void note(int value) { extra = value; }
  void note(std::exception_ptr e)
  {
    try
    {
      if (e)
        std::rethrow_exception(e);
    }
    catch (const system_error& error)
    {
      ec = error.code();
    }
  }
};

// A move-only handler for every signature.
struct recorder
{
  seen* to;
  std::unique_ptr<int> move_only = std::make_unique<int>(1);

  explicit recorder(seen& s) : to(&s) {}
  template <typename... T>
  void operator()(T... values)
  {
    to->calls += *move_only;
    (to->note(values), ...);
  }
};

struct place
{
  asio::io_context ctx;
  std::pair<tcp::socket, tcp::socket> pair = tcp_pair(ctx);
  tcp::socket &a = pair.first, &b = pair.second, closed{ctx};
  asio::steady_timer timer{ctx, 1h}, clock{ctx};
  char in[8] = {};

  // Some tokens start late, so one interruption could come before what it is for.
  void interrupt(int times = 5)
  {
    clock.expires_after(1ms);
    clock.async_wait([this, times](error_code) {
      a.cancel();
      timer.cancel();
      if (times > 1)
        interrupt(times - 1);
    });
  }
};

// Runs a coroutine to its end; what it throws is an error of the test.
template <typename Body>
void run_coroutine(asio::io_context& ctx, Body body)
{
  bool finished = false;
  asio::co_spawn(ctx, std::move(body), [&](std::exception_ptr e) {
    finished = true;
    if (e)
      std::rethrow_exception(e);
  });
  ctx.restart();
  BOOST_CHECK_NO_THROW(ctx.run());
  BOOST_TEST(finished);
}

} // namespace test_support

#endif
