// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// A small HTTP server in plain Boost.Beast: callbacks, one io_context, any number of threads.
//
//   http_server [port] [threads]
//
// It listens on 127.0.0.1 (port 0: one that is free), prints its address, and ends on SIGINT or SIGTERM.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds idle_limit{30};
constexpr std::uint64_t body_limit_bytes = 16 * 1024;

const std::string page = "<!doctype html>\n"
                         "<title>A small server</title>\n"
                         "<h1>It works</h1>\n"
                         "<p>This page came from a program written for Boost.Beast.</p>\n";

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

response text(const request& asked, http::status status, const char* type, const std::string& body)
{
  response answer{status, asked.version()};
  answer.set(http::field::server, BOOST_BEAST_VERSION_STRING);
  answer.set(http::field::content_type, type);
  answer.keep_alive(asked.keep_alive());
  answer.body() = body;
  answer.prepare_payload();
  // HEAD is answered with the header that GET would have had.
  if (asked.method() == http::verb::head)
    answer.body().clear();
  return answer;
}

response answer_to(const request& asked)
{
  if (asked.method() != http::verb::get && asked.method() != http::verb::head)
    return text(asked, http::status::method_not_allowed, "text/plain", "Only GET and HEAD are known here.\n");
  if (asked.target() != "/")
    return text(asked, http::status::not_found, "text/plain", "There is no such page.\n");
  return text(asked, http::status::ok, "text/html", page);
}

// One client's connection; it lives as long as an operation holds it.
class connection : public std::enable_shared_from_this<connection>
{
public:
  explicit connection(tcp::socket socket) : stream_(std::move(socket)) {}

  void start()
  {
    asio::dispatch(stream_.get_executor(), beast::bind_front_handler(&connection::read, shared_from_this()));
  }

private:
  void read()
  {
    parser_.emplace();
    parser_->body_limit(body_limit_bytes);
    stream_.expires_after(idle_limit);
    http::async_read(stream_, buffer_, *parser_, beast::bind_front_handler(&connection::answer, shared_from_this()));
  }

  void answer(beast::error_code error, std::size_t)
  {
    if (error == http::error::end_of_stream)
      return finish();
    if (error)
      return;
    response_ = answer_to(parser_->get());
    http::async_write(stream_, response_, beast::bind_front_handler(&connection::next, shared_from_this()));
  }

  void next(beast::error_code error, std::size_t)
  {
    if (error)
      return;
    response_.keep_alive() ? read() : finish();
  }

  void finish()
  {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  // A parser serves one message, so each request gets a new one.
  std::optional<http::request_parser<http::string_body>> parser_;
  response response_;
};

class listener
{
public:
  listener(asio::io_context& context, unsigned short port)
    : context_(context),
      acceptor_(context, {asio::ip::make_address("127.0.0.1"), port})
  {}

  tcp::endpoint where() const { return acceptor_.local_endpoint(); }

  // Each connection gets a strand, so that its handlers never run on two threads at once.
  void accept()
  {
    acceptor_.async_accept(asio::make_strand(context_), [this](beast::error_code error, tcp::socket socket) {
      if (!error)
        std::make_shared<connection>(std::move(socket))->start();
      accept();
    });
  }

private:
  asio::io_context& context_;
  tcp::acceptor acceptor_;
};

} // namespace

int main(int argc, char** argv)
{
  const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0);
  const int threads = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1;
  try
  {
    asio::io_context context{threads};
    listener server(context, port);
    server.accept();
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&context](beast::error_code, int) { context.stop(); });
    std::cout << "http://" << server.where() << '/' << std::endl;

    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i)
      others.emplace_back([&context] { context.run(); });
    context.run();
    for (std::thread& each : others)
      each.join();
  }
  catch (const std::exception& error)
  {
    std::cerr << "http_server: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
