// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// An echo server in plain Boost.Asio with callbacks, as anybody would write it.
//
//   echo --protocol=tcp|unix|udp [--path=FILE] [--buffer=BYTES] [--threads=N] [--contexts=N] [--slots=N] [--once=1] [--work-us=N]
//
// --once closes each connection after its first echo. --slots is the number of datagrams that may be under way at once.
// --contexts gives each of the N contexts as many threads as --threads says divided by N; TCP connections go to them in turn.
// --work-us is the time a handler computes for before it echoes.
// Prints its port (or path) on stdout; SIGTERM ends it with a line of JSON about the CPU time used.
#include <boost/asio.hpp>

#include <chrono>
#include <iostream>
#include <memory>
#include <vector>

#include "run_context.hpp"
#include "usage_report.hpp"

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

struct session_options
{
  std::size_t buffer_size;
  bool once;
  std::chrono::microseconds work;
};

void compute_for(std::chrono::microseconds time)
{
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end)
  {}
}

template <class Socket>
class session : public std::enable_shared_from_this<session<Socket>>
{
public:
  session(Socket socket, const session_options& options)
    : socket_(std::move(socket)),
      options_(options),
      buffer_(options.buffer_size)
  {}

  void read()
  {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = this->shared_from_this()](error_code error, std::size_t size) {
                              if (!error)
                                self->write(size);
                            });
  }

private:
  void write(std::size_t size)
  {
    if (options_.work.count() != 0)
      compute_for(options_.work);
    asio::async_write(socket_, asio::buffer(buffer_, size),
                      [self = this->shared_from_this()](error_code error, std::size_t) {
                        if (!error && !self->options_.once)
                          self->read();
                      });
  }

  Socket socket_;
  const session_options& options_;
  std::vector<char> buffer_;
};

template <class Protocol>
class stream_server
{
public:
  stream_server(const bench::contexts& all, const typename Protocol::endpoint& endpoint, const session_options& options)
    : contexts_(all),
      acceptor_(*all.front(), endpoint, false),
      options_(options)
  {
    acceptor_.listen(4096);
  }

  auto endpoint() const { return acceptor_.local_endpoint(); }

  void accept()
  {
    asio::io_context& served_by = *contexts_[accepted_++ % contexts_.size()];
    acceptor_.async_accept(served_by, [this, &served_by](error_code error, typename Protocol::socket socket) {
      if (!error)
      {
        if constexpr (std::is_same_v<Protocol, asio::ip::tcp>)
          socket.set_option(asio::ip::tcp::no_delay(true));
        auto made = std::make_shared<session<typename Protocol::socket>>(std::move(socket), options_);
        if (contexts_.size() == 1)
          made->read();
        else
          asio::post(served_by, [made] { made->read(); });
      }
      accept();
    });
  }

private:
  const bench::contexts& contexts_;
  std::size_t accepted_ = 0;
  typename Protocol::acceptor acceptor_;
  const session_options& options_;
};

// One of several datagrams that may be under way at once on the server's single socket.
class datagram_slot
{
public:
  datagram_slot(asio::ip::udp::socket& socket, std::size_t buffer_size) : socket_(socket), buffer_(buffer_size) {}

  void receive()
  {
    socket_.async_receive_from(asio::buffer(buffer_), peer_, [this](error_code error, std::size_t size) {
      if (error)
        return receive();
      socket_.async_send_to(asio::buffer(buffer_, size), peer_, [this](error_code, std::size_t) { receive(); });
    });
  }

private:
  asio::ip::udp::socket& socket_;
  asio::ip::udp::endpoint peer_;
  std::vector<char> buffer_;
};

} // namespace

int main(int argc, char** argv)
{
  bench::report_usage_on_sigterm();
  const std::string protocol = bench::option(argc, argv, "protocol", "tcp");
  const std::size_t buffer_size = bench::number_option(argc, argv, "buffer", 4096);
  const std::size_t threads = bench::number_option(argc, argv, "threads", 1);
  const session_options options{buffer_size, bench::number_option(argc, argv, "once", 0) != 0,
                                std::chrono::microseconds(bench::number_option(argc, argv, "work-us", 0))};
  const bench::contexts contexts = bench::make_contexts(bench::number_option(argc, argv, "contexts", 1));
  asio::io_context& context = *contexts.front();
  if (protocol == "tcp")
  {
    stream_server<asio::ip::tcp> server(contexts, {asio::ip::address_v4::loopback(), 0}, options);
    std::cout << server.endpoint().port() << std::endl;
    server.accept();
    bench::run_on_threads(contexts, threads);
  }
  else if (protocol == "unix")
  {
    stream_server<asio::local::stream_protocol> server(contexts, {bench::option(argc, argv, "path", "")}, options);
    std::cout << server.endpoint().path() << std::endl;
    server.accept();
    bench::run_on_threads(contexts, threads);
  }
  else if (protocol == "udp")
  {
    asio::ip::udp::socket socket(context, {asio::ip::address_v4::loopback(), 0});
    std::cout << socket.local_endpoint().port() << std::endl;
    std::vector<std::unique_ptr<datagram_slot>> slots(bench::number_option(argc, argv, "slots", 16));
    for (auto& each : slots)
    {
      each = std::make_unique<datagram_slot>(socket, buffer_size);
      each->receive();
    }
    bench::run_on_threads(contexts, threads);
  }
  else
  {
    std::cerr << "echo: unknown --protocol: " << protocol << '\n';
    return 1;
  }
}
