// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// A number of messages echoed over a pair of sockets within one process and one thread, in plain Boost.Asio: work of a fixed size, for
// counting. Of each message there are two sends and two receives.
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <array>

#include "measure.hpp"
#include "usage_report.hpp"

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t message_count = 5'000;
using message = std::array<char, 64>;

struct end
{
  explicit end(asio::io_context& context) : socket(context) {}

  void send()
  {
    asio::async_write(socket, asio::buffer(data), [this](boost::system::error_code error, std::size_t) {
      bench::require(!error, "a send failed");
      if (received < message_count)
        receive();
    });
  }

  void receive()
  {
    asio::async_read(socket, asio::buffer(data), [this](boost::system::error_code error, std::size_t) {
      bench::require(!error, "a receive failed");
      if (++received < message_count || !is_client)
        send();
    });
  }

  asio::local::stream_protocol::socket socket;
  message data{};
  std::uint64_t received = 0;
  bool is_client = false;
};

} // namespace

int main()
{
  return bench::run_main([] {
    asio::io_context context;
    end client(context), server(context);
    client.is_client = true;
    asio::local::connect_pair(client.socket, server.socket);
    bench::stopwatch watch;
    watch.start();
    server.receive();
    client.send();
    context.run();
    watch.stop(message_count);
    bench::require(client.received == message_count, "messages were lost");
    watch.print();
  });
}
