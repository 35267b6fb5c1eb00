// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Resolving names: what a private thread of the context does.

#define BOOST_TEST_MODULE resolver
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <memory>
#include <netdb.h>

using namespace test_support;

BOOST_AUTO_TEST_CASE(numeric_and_localhost)
{
  asio::io_context ctx;
  tcp::resolver resolver(ctx);
  error_code numeric, local, reverse;
  tcp::resolver::results_type first, second, third;
  resolver.async_resolve("127.0.0.1", "80", tcp::resolver::numeric_host | tcp::resolver::numeric_service,
                         [&](error_code ec, auto results) { numeric = ec, first = results; });
  resolver.async_resolve("localhost", "8080", [&](error_code ec, auto results) { local = ec, second = results; });
  resolver.async_resolve(loopback(80), [&](error_code ec, auto results) { reverse = ec, third = results; });
  BOOST_TEST(first.empty());
  BOOST_TEST(ctx.run() >= 3u);
  BOOST_TEST_REQUIRE(!numeric);
  BOOST_TEST((first.begin()->endpoint() == loopback(80)));
  // A bare container has no /etc/hosts, and so no localhost.
  addrinfo* known = nullptr;
  const bool is_known = ::getaddrinfo("localhost", "8080", nullptr, &known) == 0;
  BOOST_TEST(!local == is_known);
  if (is_known)
  {
    BOOST_TEST(second.begin()->endpoint().port() == 8080);
    BOOST_TEST(second.begin()->endpoint().address().is_loopback());
    ::freeaddrinfo(known);
  }
  BOOST_TEST(!reverse);
  BOOST_TEST((resolver.resolve("127.0.0.1", "81").begin()->endpoint() == loopback(81)));
}

BOOST_AUTO_TEST_CASE(unknown_names_and_cancel)
{
  asio::io_context ctx;
  tcp::resolver resolver(ctx);
  error_code unknown, cancelled;
  int calls = 0;
  resolver.async_resolve("not a number", "1", tcp::resolver::numeric_host,
                         [&](error_code ec, auto) { unknown = ec, ++calls; });
  ctx.run();
  BOOST_TEST(unknown == asio::error::host_not_found);
  resolver.async_resolve("127.0.0.1", "1", [&](error_code ec, auto) { cancelled = ec, ++calls; });
  resolver.cancel();
  ctx.restart();
  ctx.run();
  BOOST_TEST(calls == 2);
  BOOST_TEST((!cancelled || cancelled == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(destroyed_while_resolving)
{
  for (int i = 0; i < 20; ++i)
  {
    asio::io_context ctx;
    auto resolver = std::make_shared<tcp::resolver>(ctx);
    resolver->async_resolve("localhost", "1", [resolver](error_code, auto) {});
    if (i % 2)
      ctx.poll();
  }
}
