// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

#ifndef ASIO_PROACTOR_TEST_SUPPORT_NET_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_NET_HPP

#include <boost/asio.hpp>
#include <boost/version.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace test_support {

namespace asio = boost::asio;
using boost::system::error_code;
using asio::ip::tcp;
using asio::ip::udp;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using work_guard = asio::executor_work_guard<asio::io_context::executor_type>;

inline tcp::endpoint loopback(unsigned short port = 0)
{
  return tcp::endpoint(asio::ip::address_v4::loopback(), port);
}

inline udp::endpoint udp_loopback(unsigned short port = 0)
{
  return udp::endpoint(asio::ip::address_v4::loopback(), port);
}

// Two connected TCP sockets, made with synchronous calls only.
template <typename Context>
std::pair<tcp::socket, tcp::socket> tcp_pair(Context& ctx, Context& peer_ctx)
{
  tcp::acceptor acceptor(ctx, loopback());
  tcp::socket client(ctx);
  client.connect(acceptor.local_endpoint());
  tcp::socket server(peer_ctx);
  acceptor.accept(server);
  return {std::move(client), std::move(server)};
}

template <typename Context>
std::pair<tcp::socket, tcp::socket> tcp_pair(Context& ctx)
{
  return tcp_pair(ctx, ctx);
}

using stream_pair = std::pair<asio::local::stream_protocol::socket, asio::local::stream_protocol::socket>;

template <typename Context>
stream_pair local_pair(Context& ctx)
{
  stream_pair both{asio::local::stream_protocol::socket(ctx), asio::local::stream_protocol::socket(ctx)};
  asio::local::connect_pair(both.first, both.second);
  return both;
}

// Fills every buffer between the two ends, so that a further write has to wait.
template <typename Socket>
std::size_t fill(Socket& socket)
{
  const std::string block(65536, 'f');
  std::size_t total = 0;
  socket.non_blocking(true);
  for (error_code ec; !ec;)
    total += socket.write_some(asio::buffer(block), ec);
  socket.non_blocking(false);
  return total;
}

// What a handler of the form (error_code, ...) was told, and how often.
struct outcome
{
  int calls = 0;
  error_code ec;
  std::size_t bytes = 0;

  auto handler()
  {
    return [this](error_code e, std::size_t n) { ++calls, ec = e, bytes = n; };
  }
  auto plain()
  {
    return [this](error_code e) { ++calls, ec = e; };
  }
};

// Runs until the condition holds or the limit has passed. False means that it never held.
template <typename Context, typename Condition>
bool run_until(Context& ctx, Condition condition, steady::duration limit = 5s)
{
  const auto end = steady::now() + limit;
  while (!condition() && steady::now() < end)
  {
    if (ctx.stopped())
      ctx.restart();
    ctx.run_one_for(20ms);
  }
  return condition();
}

// Waits for an event on a descriptor without Asio, so that a synchronous call after it cannot hang.
inline bool ready_for(int descriptor, short events, std::chrono::milliseconds limit = 2s)
{
  pollfd entry = {descriptor, events, 0};
  return ::poll(&entry, 1, static_cast<int>(limit.count())) == 1;
}

template <typename Socket>
bool readable(Socket& socket, std::chrono::milliseconds limit = 2s)
{
  return ready_for(socket.native_handle(), POLLIN, limit);
}

// The error that a peer's end reports now, or would_block if it has nothing to say.
template <typename Socket>
error_code end_of(Socket& socket)
{
  if (!readable(socket))
    return asio::error::would_block;
  char c;
  error_code ec;
  socket.receive(asio::buffer(&c, 1), 0, ec);
  return ec;
}

// Raises the descriptor limit as far as allowed and says how many descriptors a test may open.
inline std::size_t descriptor_budget()
{
  rlimit limit = {};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  constexpr std::size_t reserved = 200;
  return limit.rlim_cur > reserved ? limit.rlim_cur - reserved : 0;
}

} // namespace test_support

#endif
