// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// The HTTP server of http_server.cpp in the other style: an io_context with one thread per processor, nothing shared.
//
//   http_server_pool [--port=N] [--threads=N] [--pin] [--hand-over]
//
//   --threads    how many contexts; otherwise one for each processor that this process may use
//   --pin        each on a processor of its own
//   --hand-over  one context accepts and hands the connections out in turns; otherwise all accept (SO_REUSEPORT)
//
// It listens on 127.0.0.1 (port 0, and without --port: one that is free) and prints its address. On SIGINT or SIGTERM
// it accepts no longer, gives connections three seconds to finish, and ends.
#include "http_connection.hpp"

#include <asio_proactor/context_pool.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds grace{3};

struct command_line
{
  unsigned short port = 0;
  asio_proactor::context_pool_options pool;
  asio_proactor::spread how = asio_proactor::spread::reuse_port;
};

unsigned long number_in(const std::string& argument)
{
  return std::stoul(argument.substr(argument.find('=') + 1));
}

command_line parse(int argc, char** argv)
{
  command_line found;
  for (int i = 1; i < argc; ++i)
  {
    const std::string argument = argv[i];
    if (argument.rfind("--port=", 0) == 0)
      found.port = static_cast<unsigned short>(number_in(argument));
    else if (argument.rfind("--threads=", 0) == 0)
      found.pool.contexts = number_in(argument);
    else if (argument == "--pin")
      found.pool.place = asio_proactor::placement::cpu;
    else if (argument == "--hand-over")
      found.how = asio_proactor::spread::hand_over;
    else
      throw std::invalid_argument("unknown argument " + argument);
  }
  return found;
}

} // namespace

int main(int argc, char** argv)
{
  try
  {
    const command_line wanted = parse(argc, argv);
    asio_proactor::context_pool pool(wanted.pool);
    // No strand: a connection never leaves the thread of its context.
    const tcp::endpoint where = pool.serve(
      tcp::endpoint(asio::ip::make_address("127.0.0.1"), wanted.port),
      [](tcp::socket socket) { std::make_shared<example::connection>(std::move(socket))->start(); }, wanted.how);
    asio::signal_set signals(pool.context(0), SIGINT, SIGTERM);
    signals.async_wait([&pool](boost::system::error_code, int) { pool.shutdown(grace); });
    std::cout << "http://" << where << '/' << std::endl;
    pool.join();
  }
  catch (const std::exception& error)
  {
    std::cerr << "http_server_pool: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
