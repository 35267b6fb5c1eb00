// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// A small HTTP server in plain Boost.Beast: callbacks, one io_context, any number of threads.
//
//   http_server [port] [threads]
//
// It listens on 127.0.0.1 (port 0: one that is free), prints its address, and ends on SIGINT or SIGTERM.
#include "http_connection.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

namespace {

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
        std::make_shared<example::connection>(std::move(socket))->start();
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
