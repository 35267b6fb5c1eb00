// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// A keep-alive HTTP server in plain Boost.Beast with callbacks; it answers every request with one page from memory.
//
//   http [--threads=N] [--page=BYTES]
//
// Prints its port on stdout; SIGTERM ends it with a line of JSON about the CPU time used.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <iostream>
#include <memory>

#include "run_context.hpp"
#include "usage_report.hpp"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds idle_limit{30};

class session : public std::enable_shared_from_this<session>
{
public:
  session(tcp::socket socket, const std::string& page) : stream_(std::move(socket)), page_(page) {}

  void start()
  {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->read(); });
  }

private:
  void read()
  {
    request_ = {};
    stream_.expires_after(idle_limit);
    http::async_read(stream_, buffer_, request_,
                     [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
  }

  void on_read(beast::error_code error)
  {
    if (error == http::error::end_of_stream)
      return shut_down();
    if (error)
      return;
    response_ = {http::status::ok, request_.version()};
    response_.set(http::field::server, "bench");
    response_.set(http::field::content_type, "text/html");
    response_.keep_alive(request_.keep_alive());
    response_.body() = page_;
    response_.prepare_payload();
    http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error)
        return;
      self->response_.keep_alive() ? self->read() : self->shut_down();
    });
  }

  void shut_down()
  {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
  const std::string& page_;
};

class server
{
public:
  server(asio::io_context& context, std::size_t page_size)
    : context_(context),
      acceptor_(context, {asio::ip::address_v4::loopback(), 0}),
      page_(page_size, 'x')
  {
    acceptor_.listen(4096);
  }

  unsigned short port() const { return acceptor_.local_endpoint().port(); }

  // Every connection has a strand of its own, as Beast's examples have it.
  void accept()
  {
    acceptor_.async_accept(asio::make_strand(context_), [this](beast::error_code error, tcp::socket socket) {
      if (!error)
        std::make_shared<session>(std::move(socket), page_)->start();
      accept();
    });
  }

private:
  asio::io_context& context_;
  tcp::acceptor acceptor_;
  std::string page_;
};

} // namespace

int main(int argc, char** argv)
{
  bench::report_usage_on_sigterm();
  const std::size_t threads = bench::number_option(argc, argv, "threads", 1);
  bench::context context{static_cast<int>(threads)};
  server serving(context, bench::number_option(argc, argv, "page", 1024));
  std::cout << serving.port() << std::endl;
  serving.accept();
  bench::run_on_threads(context, threads);
}
