// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Boost.Beast's WebSocket streams: messages of every shape, control frames, and the timeouts.

#define BOOST_TEST_MODULE websocket
#include <boost/test/included/unit_test.hpp>

#include "support/bytes.hpp"
#include "support/tokens.hpp"
#include "support/watchdog.hpp"
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <string>
#include <vector>

using namespace test_support;
namespace beast = boost::beast;
namespace websocket = beast::websocket;

namespace {

// Two websocket streams over one connection, after their handshake.
struct websocket_place
{
  using stream = websocket::stream<beast::tcp_stream>;
  asio::io_context ctx;
  stream client{ctx}, server{ctx};

  explicit websocket_place(bool deflate = false)
  {
    auto [a, b] = tcp_pair(ctx);
    client.next_layer().socket() = std::move(a);
    server.next_layer().socket() = std::move(b);
    websocket::permessage_deflate options;
    options.client_enable = options.server_enable = deflate;
    for (auto* ws : {&client, &server})
    {
      ws->set_option(options);
      ws->read_message_max(0);
    }
    outcome accepted, connected;
    server.async_accept(accepted.plain());
    client.async_handshake("test", "/", connected.plain());
    ctx.run();
    BOOST_TEST((accepted.calls == 1 && !accepted.ec && connected.calls == 1 && !connected.ec));
  }

  // Echoes until the peer closes, and says with which error that ended.
  asio::awaitable<void> echo(error_code& end)
  {
    for (;;)
    {
      beast::multi_buffer message;
      auto [ec, n] = co_await server.async_read(message, asio::as_tuple(use_awaitable));
      end = ec;
      if (ec)
        co_return;
      server.text(server.got_text());
      co_await server.async_write(message.data(), use_awaitable);
    }
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(echo_of_text_and_binary_whole_in_fragments_and_compressed)
{
  for (bool deflate : {false, true})
  {
    websocket_place p(deflate);
    error_code end;
    asio::co_spawn(p.ctx, p.echo(end), asio::detached);
    const std::string binary = pattern(1 << 18), text(100000, 't');
    run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
      for (const std::string& data : {text, binary, std::string(), binary + binary})
      {
        p.client.text(data == text);
        p.client.auto_fragment(data.size() > text.size());
        p.client.write_buffer_bytes(16384);
        co_await p.client.async_write(asio::buffer(data), use_awaitable);
        beast::flat_buffer in;
        co_await p.client.async_read(in, use_awaitable);
        BOOST_TEST(p.client.got_text() == (data == text));
        BOOST_TEST((beast::buffers_to_string(in.data()) == data));
      }
      for (int i = 0; i < 10; ++i)
        co_await p.client.async_write_some(i == 9, asio::buffer("part", 4), use_awaitable);
      beast::flat_static_buffer<64> in;
      BOOST_TEST(co_await p.client.async_read(in, use_awaitable) == 40u);
      co_await p.client.async_close(websocket::close_code::normal, use_awaitable);
    });
    BOOST_TEST((end == websocket::error::closed));
    BOOST_TEST((p.server.reason().code == websocket::close_code::normal));
  }
}

BOOST_AUTO_TEST_CASE(pings_are_answered_and_reported)
{
  websocket_place p;
  error_code end;
  std::vector<std::string> seen_frames;
  p.client.control_callback([&](websocket::frame_type kind, beast::string_view text) {
    seen_frames.push_back((kind == websocket::frame_type::pong ? "pong " : "other ") + std::string(text));
  });
  asio::co_spawn(p.ctx, p.echo(end), asio::detached);
  run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
    for (const char* payload : {"one", "two"})
    {
      co_await p.client.async_ping(payload, use_awaitable);
      co_await p.client.async_write(asio::buffer("data", 4), use_awaitable);
      beast::flat_buffer in;
      co_await p.client.async_read(in, use_awaitable);
    }
    co_await p.client.async_close(websocket::close_code::going_away, use_awaitable);
  });
  BOOST_TEST((seen_frames == std::vector<std::string>{"pong one", "pong two"}));
  BOOST_TEST((p.server.reason().code == websocket::close_code::going_away));
}

BOOST_AUTO_TEST_CASE(idle_connections_end_unless_keep_alive_pings_are_answered)
{
  websocket_place p;
  p.server.set_option(websocket::stream_base::timeout{10s, 60ms, true});
  beast::flat_buffer in, client_in;
  outcome server_read, client_read;
  int pings = 0;
  p.client.control_callback([&](auto kind, auto) { pings += kind == websocket::frame_type::ping; });
  p.server.async_read(in, server_read.handler());
  p.client.async_read(client_in, client_read.handler()); // Answers pings while it waits.
  p.ctx.restart();
  p.ctx.run_for(250ms);
  BOOST_TEST((pings >= 2 && server_read.calls == 0));
  // Nobody answers any more. More than one cancellation, because one may come between two reads.
  const auto is_silent = [&] {
    p.client.next_layer().socket().cancel();
    return client_read.calls == 1;
  };
  BOOST_TEST(run_until(p.ctx, is_silent));
  BOOST_TEST(run_until(p.ctx, [&] { return server_read.calls == 1; }));
  BOOST_TEST((server_read.ec == beast::error::timeout));
}
