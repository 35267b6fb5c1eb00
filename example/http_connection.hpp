// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// One client's connection, in plain Boost.Beast with callbacks: the part that both examples of a server have in common.
#ifndef EXAMPLE_HTTP_CONNECTION_HPP
#define EXAMPLE_HTTP_CONNECTION_HPP

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace example {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

inline constexpr std::chrono::seconds idle_limit{30};
inline constexpr std::uint64_t body_limit_bytes = 16 * 1024;

inline const std::string page = "<!doctype html>\n"
                                "<title>A small server</title>\n"
                                "<h1>It works</h1>\n"
                                "<p>This page came from a program written for Boost.Beast.</p>\n";

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

inline response text(const request& asked, http::status status, const char* type, const std::string& body)
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

inline response answer_to(const request& asked)
{
  if (asked.method() != http::verb::get && asked.method() != http::verb::head)
    return text(asked, http::status::method_not_allowed, "text/plain", "Only GET and HEAD are known here.\n");
  if (asked.target() != "/")
    return text(asked, http::status::not_found, "text/plain", "There is no such page.\n");
  return text(asked, http::status::ok, "text/html", page);
}

// It lives as long as an operation holds it.
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

} // namespace example

#endif
