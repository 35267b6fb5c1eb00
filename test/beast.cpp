// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Boost.Beast: HTTP between a client and a server, with bodies compared byte by byte, and the timeouts of its streams.

#define BOOST_TEST_MODULE beast
#include <boost/test/included/unit_test.hpp>

#include "support/bytes.hpp"
#include "support/tokens.hpp"
#include "support/watchdog.hpp"
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>
#include <unistd.h>

using namespace test_support;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

request make_request(http::verb verb, std::string target, std::string body = {})
{
  request r(verb, target, 11);
  r.set(http::field::host, "test");
  r.body() = std::move(body);
  r.prepare_payload();
  return r;
}

// A file that lasts as long as its object.
struct temporary_file
{
  char path[32] = "/tmp/asio_proactor.XXXXXX";

  explicit temporary_file(const std::string& content)
  {
    const int descriptor = ::mkstemp(path);
    BOOST_REQUIRE(descriptor >= 0);
    BOOST_REQUIRE(::write(descriptor, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    ::close(descriptor);
  }
  ~temporary_file() { ::unlink(path); }
};

template <typename Stream>
asio::awaitable<void> answer_with_file(Stream& stream, const char* path)
{
  error_code ec;
  http::response<http::file_body> answer(http::status::ok, 11);
  answer.body().open(path, beast::file_mode::scan, ec);
  answer.prepare_payload();
  co_await http::async_write(stream, answer, use_awaitable);
}

// Answers every request of a connection with its body: whole, in chunks, or from a file, as the target says.
asio::awaitable<void> serve(beast::tcp_stream stream)
{
  beast::flat_buffer buffer;
  for (;;)
  {
    http::request_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    stream.expires_after(10s);
    auto [ec, n] = co_await http::async_read_header(stream, buffer, parser, asio::as_tuple(use_awaitable));
    if (ec)
      break;
    if (parser.get()[http::field::expect] == "100-continue")
    {
      http::response<http::empty_body> go(http::status::continue_, 11);
      co_await http::async_write(stream, go, use_awaitable);
    }
    co_await http::async_read(stream, buffer, parser, use_awaitable);
    auto message = parser.release();
    if (message.target().starts_with("/file"))
    {
      co_await answer_with_file(stream, std::string(message.target().substr(5)).c_str());
      continue;
    }
    response answer(http::status::ok, message.version());
    answer.set(http::field::server, std::string(message.target()));
    answer.keep_alive(message.keep_alive());
    answer.body() = std::move(message.body());
    answer.chunked(message.target() == "/chunked");
    if (message.target() != "/chunked")
      answer.prepare_payload();
    co_await http::async_write(stream, answer, use_awaitable);
    if (!message.keep_alive())
      break;
  }
  error_code ec;
  stream.socket().shutdown(tcp::socket::shutdown_send, ec);
}

asio::awaitable<void> accept_all(tcp::acceptor& acceptor, int clients)
{
  for (int i = 0; i < clients; ++i)
  {
    beast::tcp_stream stream(co_await acceptor.async_accept(asio::make_strand(acceptor.get_executor()), use_awaitable));
    const auto executor = stream.get_executor();
    asio::co_spawn(executor, serve(std::move(stream)), asio::detached);
  }
}

// A server and one client in the same context.
struct http_place
{
  asio::io_context ctx;
  tcp::acceptor acceptor{ctx, loopback()};
  beast::tcp_stream client{ctx};
  beast::flat_buffer buffer;

  template <typename Body>
  void run(Body body)
  {
    asio::co_spawn(ctx, accept_all(acceptor, 1), asio::detached);
    run_coroutine(ctx, [&]() -> asio::awaitable<void> {
      client.expires_after(10s);
      co_await client.async_connect(acceptor.local_endpoint(), use_awaitable);
      co_await body();
      client.close();
    });
  }

  asio::awaitable<std::string> exchange(request message)
  {
    co_await http::async_write(client, message, use_awaitable);
    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    co_await http::async_read(client, buffer, parser, use_awaitable);
    BOOST_TEST(parser.get().result() == http::status::ok);
    co_return std::move(parser.get().body());
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(http_messages)

BOOST_AUTO_TEST_CASE(keep_alive_and_every_shape_of_body)
{
  http_place p;
  const std::string large = pattern(2 << 20);
  p.run([&]() -> asio::awaitable<void> {
    for (int i = 0; i < 100; ++i)
      BOOST_TEST(co_await p.exchange(make_request(http::verb::post, "/", std::to_string(i))) == std::to_string(i));
    for (const char* target : {"/", "/chunked"})
      BOOST_TEST((co_await p.exchange(make_request(http::verb::post, target, large)) == large));
    auto chunked = make_request(http::verb::post, "/chunked", large);
    chunked.chunked(true);
    BOOST_TEST((co_await p.exchange(chunked) == large));
  });
}

BOOST_AUTO_TEST_CASE(pipelined_requests_are_answered_in_order)
{
  http_place p;
  constexpr int count = 50;
  std::ostringstream all;
  for (int i = 0; i < count; ++i)
    all << make_request(http::verb::post, "/" + std::to_string(i), std::string(i * 100, 'p'));
  p.run([&]() -> asio::awaitable<void> {
    const std::string text = all.str();
    co_await asio::async_write(p.client, asio::buffer(text), use_awaitable);
    for (int i = 0; i < count; ++i)
    {
      response answer;
      co_await http::async_read(p.client, p.buffer, answer, use_awaitable);
      BOOST_TEST(answer[http::field::server] == "/" + std::to_string(i));
      BOOST_TEST(answer.body().size() == static_cast<std::size_t>(i * 100));
    }
  });
}

BOOST_AUTO_TEST_CASE(a_file_is_sent_and_received)
{
  http_place p;
  const std::string content = pattern(2 << 20, 2);
  temporary_file file(content);
  p.run([&]() -> asio::awaitable<void> {
    const std::string target = std::string("/file") + file.path;
    BOOST_TEST((co_await p.exchange(make_request(http::verb::get, target)) == content));
    BOOST_TEST((co_await p.exchange(make_request(http::verb::get, target)) == content));
  });
}

BOOST_AUTO_TEST_CASE(expect_100_continue)
{
  http_place p;
  p.run([&]() -> asio::awaitable<void> {
    auto message = make_request(http::verb::post, "/", pattern(100000));
    message.set(http::field::expect, "100-continue");
    http::request_serializer<http::string_body> serializer(message);
    co_await http::async_write_header(p.client, serializer, use_awaitable);
    response go, answer;
    co_await http::async_read(p.client, p.buffer, go, use_awaitable);
    BOOST_TEST(go.result() == http::status::continue_);
    co_await http::async_write(p.client, serializer, use_awaitable);
    co_await http::async_read(p.client, p.buffer, answer, use_awaitable);
    BOOST_TEST((answer.body() == message.body()));
  });
}

// A client of callbacks, which reads into a buffer of fixed size.
struct callback_client
{
  beast::tcp_stream stream;
  beast::flat_static_buffer<4096> buffer;
  request message;
  response answer;
  int left;
  bool fine = true;

  callback_client(asio::io_context& ctx, int rounds) : stream(asio::make_strand(ctx)), left(rounds) {}

  void start(const tcp::endpoint& server)
  {
    stream.expires_after(10s);
    stream.async_connect(server, [this](error_code ec) { ec ? fail() : write(); });
  }
  void write()
  {
    message = make_request(http::verb::post, "/", pattern(left * 37, left));
    message.keep_alive(left > 1);
    http::async_write(stream, message, [this](error_code ec, std::size_t) { ec ? fail() : read(); });
  }
  void read()
  {
    answer = {};
    http::async_read(stream, buffer, answer, [this](error_code ec, std::size_t) {
      if (ec || answer.body() != message.body())
        fail();
      else if (--left > 0)
        write();
    });
  }
  void fail() { fine = false; }
};

BOOST_AUTO_TEST_CASE(many_clients_and_two_threads)
{
  constexpr int clients = 40, rounds = 25;
  asio::io_context ctx(2);
  tcp::acceptor acceptor(ctx, loopback());
  asio::co_spawn(asio::make_strand(ctx), accept_all(acceptor, clients), asio::detached);
  std::vector<std::unique_ptr<callback_client>> all;
  for (int i = 0; i < clients; ++i)
    all.emplace_back(std::make_unique<callback_client>(ctx, rounds))->start(acceptor.local_endpoint());
  std::thread second([&] { ctx.run(); });
  ctx.run();
  second.join();
  for (auto& client : all)
    BOOST_TEST((client->fine && client->left == 0));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stream_timeouts)

BOOST_AUTO_TEST_CASE(a_read_expires_and_closes_the_stream)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  beast::tcp_stream stream(std::move(a));
  char in[4];
  outcome read;
  stream.expires_after(2ms);
  stream.async_read_some(asio::buffer(in), read.handler());
  ctx.run();
  BOOST_TEST((read.calls == 1 && read.ec == beast::error::timeout));
  BOOST_TEST(!stream.socket().is_open());
  BOOST_TEST(end_of(b) == asio::error::eof);
}

BOOST_AUTO_TEST_CASE(a_write_and_a_connect_expire)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  beast::tcp_stream stream(std::move(a)), connecting(ctx);
  const std::string block(32 << 20, 'w');
  outcome write, connect;
  stream.expires_after(5ms);
  asio::async_write(stream, asio::buffer(block), write.handler());
  // The queue of a listener that never accepts: what finds it full waits.
  tcp::acceptor full(ctx);
  full.open(tcp::v4());
  full.bind(loopback());
  full.listen(0);
  tcp::socket first(ctx);
  first.connect(full.local_endpoint());
  connecting.expires_after(5ms);
  connecting.async_connect(full.local_endpoint(), connect.plain());
  ctx.run();
  BOOST_TEST((write.calls == 1 && write.ec == beast::error::timeout && write.bytes < block.size()));
  BOOST_TEST((connect.calls == 1 && connect.ec == beast::error::timeout));
}

BOOST_AUTO_TEST_CASE(expiry_races_with_completion)
{
  asio::io_context ctx;
  int expired = 0, completed = 0;
  char in[4];
  for (int i = 0; i < 300; ++i)
  {
    auto [a, b] = tcp_pair(ctx);
    beast::tcp_stream stream(std::move(a));
    asio::steady_timer timer(ctx, std::chrono::microseconds(i));
    outcome read;
    stream.expires_after(150us);
    stream.async_read_some(asio::buffer(in), read.handler());
    timer.async_wait([&, b = &b](error_code) { b->send(asio::buffer("abcd", 4)); });
    ctx.restart();
    ctx.run();
    BOOST_TEST(read.calls == 1);
    BOOST_TEST((read.ec ? read.ec == beast::error::timeout && read.bytes == 0 : read.bytes == 4));
    ++(read.ec ? expired : completed);
  }
  BOOST_TEST((expired > 0 && completed > 0));
}

BOOST_AUTO_TEST_CASE(a_rate_limited_stream_is_slow_and_complete)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  using limited = beast::basic_stream<tcp, asio::any_io_executor, beast::simple_rate_policy>;
  limited sender(std::move(a));
  sender.rate_policy().write_limit(100000); // Bytes per second, granted once a second, twice at the start.
  const std::string data = pattern(250000);
  std::string in;
  outcome write, read;
  const auto start = steady::now();
  asio::async_write(sender, asio::buffer(data), write.handler());
  asio::async_read(b, asio::dynamic_buffer(in), asio::transfer_exactly(data.size()), read.handler());
  run_until(ctx, [&] { return write.calls == 1 && read.calls == 1; });
  BOOST_TEST((!write.ec && write.bytes == data.size()));
  BOOST_TEST((!read.ec && in == data));
  BOOST_TEST((steady::now() - start > 500ms));
}

BOOST_AUTO_TEST_SUITE_END()
