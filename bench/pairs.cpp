// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// Messages of 64 bytes that go back and forth over pairs of UNIX sockets within one process, in plain Boost.Asio: both ends are served by the
// threads of one context, which have all cores to themselves.
//
//   pairs [--threads=N] [--contexts=N] [--pairs=N]
//
// --contexts gives each of the N contexts as many threads as --threads says divided by N, and every Nth pair.
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "measure.hpp"
#include "run_context.hpp"
#include "usage_report.hpp"

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t messages_of_pair = 20'000;
using message = std::array<char, 64>;

// Sends and receives in turn, for ever: the other end decides when it is over.
struct end
{
  explicit end(asio::io_context& context) : socket(context) {}

  void send()
  {
    asio::async_write(socket, asio::buffer(data), [this](boost::system::error_code error, std::size_t) {
      bench::require(!error, "a send failed");
      if (received < messages_of_pair)
        receive();
    });
  }

  void receive()
  {
    asio::async_read(socket, asio::buffer(data), [this](boost::system::error_code error, std::size_t) {
      bench::require(!error, "a receive failed");
      ++received;
      if (!is_client || received < messages_of_pair)
        send();
    });
  }

  asio::local::stream_protocol::socket socket;
  message data{};
  std::uint64_t received = 0;
  bool is_client = false;
};

struct pair
{
  explicit pair(asio::io_context& context) : client(context), server(context)
  {
    asio::local::connect_pair(client.socket, server.socket);
    client.is_client = true;
  }

  end client, server;
};

void run(bench::stopwatch& watch, std::size_t threads, std::size_t context_count, std::size_t pair_count)
{
  std::vector<std::unique_ptr<bench::context>> contexts;
  for (std::size_t i = 0; i < context_count; ++i)
    contexts.push_back(std::make_unique<bench::context>());
  std::vector<std::unique_ptr<pair>> pairs;
  for (std::size_t i = 0; i < pair_count; ++i)
  {
    pairs.push_back(std::make_unique<pair>(*contexts[i % context_count]));
    pairs.back()->server.receive();
    pairs.back()->client.send();
  }
  watch.start();
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i)
    running.emplace_back([&context = *contexts[i % context_count]] { context.run(); });
  for (std::thread& each : running)
    each.join();
  watch.stop(pair_count * messages_of_pair);
  for (const auto& each : pairs)
    bench::require(each->client.received == messages_of_pair, "messages were lost");
}

} // namespace

int main(int argc, char** argv)
{
  return bench::run_main([&] {
    const std::uint64_t limit_ns = bench::number_option(argc, argv, "ms", 1000) * 1'000'000;
    const std::size_t threads = bench::number_option(argc, argv, "threads", 2);
    const std::size_t contexts = bench::number_option(argc, argv, "contexts", 1);
    const std::size_t pairs = bench::number_option(argc, argv, "pairs", 64);
    bench::stopwatch watch;
    while (watch.wall_ns() < limit_ns)
      run(watch, threads, contexts, pairs);
    watch.print();
  });
}
