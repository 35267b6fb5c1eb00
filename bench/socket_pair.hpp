// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)

// The work of the benches within one process: messages of 64 bytes that go back and forth over a pair of UNIX sockets.

#ifndef ASIO_PROACTOR_BENCH_SOCKET_PAIR_HPP
#define ASIO_PROACTOR_BENCH_SOCKET_PAIR_HPP

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstdint>

#include "measure.hpp"

namespace bench {

// Of each message there are two sends and two receives.
class socket_pair
{
public:
  socket_pair(boost::asio::io_context& context, std::uint64_t messages)
    : client_(context, messages, true),
      server_(context, messages, false)
  {
    boost::asio::local::connect_pair(client_.socket, server_.socket);
  }

  void start()
  {
    server_.receive();
    client_.send();
  }

  void require_all_messages() const { require(client_.left == 0, "messages were lost"); }

private:
  // Sends and receives in turn until it has received all messages; the server answers the last one, too.
  struct end
  {
    end(boost::asio::io_context& context, std::uint64_t messages, bool client)
      : socket(context),
        left(messages),
        is_client(client)
    {}

    void send()
    {
      boost::asio::async_write(socket, boost::asio::buffer(data), [this](boost::system::error_code error, std::size_t) {
        require(!error, "a send failed");
        if (left != 0)
          receive();
      });
    }

    void receive()
    {
      boost::asio::async_read(socket, boost::asio::buffer(data), [this](boost::system::error_code error, std::size_t) {
        require(!error, "a receive failed");
        if (--left != 0 || !is_client)
          send();
      });
    }

    boost::asio::local::stream_protocol::socket socket;
    std::array<char, 64> data{};
    std::uint64_t left;
    const bool is_client;
  };

  end client_, server_;
};

} // namespace bench

#endif
