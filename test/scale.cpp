// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Ten thousand connections on one context.

#define BOOST_TEST_MODULE scale
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>
#include <sys/socket.h>
#include <unistd.h>

using namespace test_support;
using local = asio::local::stream_protocol;

namespace {

constexpr std::size_t wanted_connections = 10000;

// One end of a connection is Asio's, the other a bare descriptor.
struct connection
{
  local::socket socket;
  int peer = -1;
  char in = 0;
  outcome read;

  explicit connection(asio::io_context& ctx) : socket(ctx)
  {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
      throw std::runtime_error("socketpair");
    socket.assign(local(), fds[0]);
    peer = fds[1];
  }
  connection(const connection&) = delete;
  ~connection() { ::close(peer); }
};

} // namespace

// boostorg/asio #464: many connections at once ended in "no buffer space".
BOOST_AUTO_TEST_CASE(ten_thousand_reads_pending_at_once)
{
  const std::size_t count = std::min(wanted_connections, descriptor_budget() / 2);
  BOOST_TEST_MESSAGE(count << " connections");
  asio::io_context ctx;
  std::vector<std::unique_ptr<connection>> all;
  for (std::size_t i = 0; i < count; ++i)
  {
    auto& one = *all.emplace_back(std::make_unique<connection>(ctx));
    one.socket.async_read_some(asio::buffer(&one.in, 1), one.read.handler());
  }
  ctx.run_for(1ms);
  for (auto& one : all)
  {
    const char out = static_cast<char>(one->peer);
    if (::send(one->peer, &out, 1, 0) != 1)
      BOOST_ERROR("send");
  }
  ctx.run();
  std::size_t wrong = 0;
  for (auto& one : all)
    wrong += one->read.calls != 1 || one->read.ec || one->in != static_cast<char>(one->peer);
  BOOST_TEST(wrong == 0u);
  // Half of them are cancelled, the others are left to the destructors.
  for (auto& one : all)
    one->socket.async_read_some(asio::buffer(&one->in, 1), one->read.handler());
  ctx.restart();
  ctx.run_for(1ms);
  for (std::size_t i = 0; i < count; i += 2)
    all[i]->socket.cancel();
  ctx.run_for(1ms);
  while (ctx.poll() > 0)
    ;
  std::size_t aborted = 0;
  for (auto& one : all)
    aborted += one->read.calls == 2 && one->read.ec == asio::error::operation_aborted;
  BOOST_TEST(aborted == (count + 1) / 2);
  for (auto& one : all)
    one->socket.close();
  ctx.run();
  for (auto& one : all)
    wrong += one->read.calls != 2;
  BOOST_TEST(wrong == 0u);
}
