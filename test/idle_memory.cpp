// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// What connections take of the heap while they wait for their first byte.

#define BOOST_TEST_MODULE idle_memory
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <algorithm>
#include <string>
#include <vector>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace test_support;
using local = asio::local::stream_protocol;

namespace {

constexpr std::size_t most_connections = 500;

// The first ones pay for what all of them share.
constexpr std::size_t first_connections = 100;

// The operation, whose handler is a pointer, and what belongs to a socket beside its object. On epoll there is an entry in a table
// of descriptors as well.
#if defined(ASIO_PROACTOR_DROP_IN)
constexpr std::size_t most_bytes = 240;
#else
constexpr std::size_t most_bytes = 560;
#endif

std::size_t bytes_in_use()
{
  return ::mallinfo2().uordblks;
}

// Sanitizers have a heap of their own.
bool heap_can_be_measured()
{
  const std::size_t before = bytes_in_use();
  const std::vector<char> block(4096);
  return bytes_in_use() > before && block.back() == 0;
}

// Accepts connections into memory that is there before, and leaves each with a read that waits.
class listener
{
public:
  explicit listener(asio::io_context& ctx)
    : ctx_(ctx),
      where_(std::string("\0asio_proactor_idle_memory_", 27) + std::to_string(::getpid())),
      acceptor_(ctx, where_)
  {
    sockets_.reserve(most_connections);
    peers_.reserve(most_connections);
    accept();
  }

  ~listener()
  {
    for (int fd : peers_)
      ::close(fd);
  }

  void grow_to(std::size_t count)
  {
    while (peers_.size() < count)
    {
      peers_.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      BOOST_TEST_REQUIRE(::connect(peers_.back(), where_.data(), static_cast<socklen_t>(where_.size())) == 0);
      while (sockets_.size() < peers_.size())
        ctx_.run_one();
    }
  }

  // Returns the number of those that got a byte.
  std::size_t all_get_a_byte()
  {
    for (int fd : peers_)
      BOOST_TEST_REQUIRE(::write(fd, "x", 1) == 1);
    while (served_ < peers_.size() && ctx_.run_one_for(5s) != 0)
    {}
    return served_;
  }

private:
  void accept()
  {
    acceptor_.async_accept([this](error_code ec, local::socket socket) {
      if (ec)
        return;
      sockets_.push_back(std::move(socket));
      sockets_.back().async_read_some(asio::buffer(&byte_, 1),
                                      [this](error_code error, std::size_t) { served_ += !error; });
      accept();
    });
  }

  asio::io_context& ctx_;
  const local::endpoint where_;
  local::acceptor acceptor_;
  std::vector<local::socket> sockets_;
  std::vector<int> peers_;
  char byte_ = 0;
  std::size_t served_ = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_connection_that_waits_takes_little)
{
  // Two descriptors each.
  const std::size_t connections = std::min(most_connections, descriptor_budget() / 2);
  asio::io_context ctx(1);
  listener l(ctx);
  l.grow_to(std::min(connections, first_connections));
  const std::size_t before = bytes_in_use();
  l.grow_to(connections);
  if (connections == most_connections && heap_can_be_measured())
  {
    const std::size_t each = (bytes_in_use() - before) / (connections - first_connections);
    BOOST_TEST_MESSAGE("bytes for each connection: " << each);
    BOOST_TEST((each > 0 && each <= most_bytes));
  }
  BOOST_TEST(l.all_get_a_byte() == connections);
}
