// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// register_buffers: registered before and while the loop runs, used by every kind of object, given back.

#define BOOST_TEST_MODULE registered_buffers
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/connect_pipe.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#if defined(ASIO_PROACTOR_DROP_IN)
# include <asio_proactor/driver.hpp>
#endif

using namespace test_support;

namespace {

struct storage
{
  std::array<std::array<char, 4096>, 2> blocks{};
  std::array<asio::mutable_buffer, 2> all{asio::buffer(blocks[0]), asio::buffer(blocks[1])};
};

} // namespace

BOOST_AUTO_TEST_CASE(sockets_send_and_receive_with_them)
{
  asio::io_context ctx;
  storage memory;
  auto registration = asio::register_buffers(ctx, memory.all);
  BOOST_TEST_REQUIRE(registration.size() == 2u);
  auto [a, b] = tcp_pair(ctx);
  memory.blocks[0].fill('s');
  outcome sent, received;
  asio::async_write(a, registration[0], sent.handler());
  asio::async_read(b, registration[1], received.handler());
  ctx.run();
  BOOST_TEST((!sent.ec && sent.bytes == 4096));
  BOOST_TEST((!received.ec && received.bytes == 4096));
  BOOST_TEST((memory.blocks[0] == memory.blocks[1]));
  // A part of one, from its middle.
  memory.blocks[0].fill('t');
  asio::async_write(a, asio::buffer(registration[0] + 100, 50), sent.handler());
  asio::async_read(b, asio::buffer(registration[1] + 200, 50), received.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(received.bytes == 50u);
  BOOST_TEST((memory.blocks[1][199] == 's' && memory.blocks[1][200] == 't' && memory.blocks[1][249] == 't' &&
              memory.blocks[1][250] == 's'));
}

BOOST_AUTO_TEST_CASE(an_end_of_stream_is_seen)
{
  asio::io_context ctx;
  storage memory;
  auto registration = asio::register_buffers(ctx, memory.all);
  auto [a, b] = tcp_pair(ctx);
  outcome received;
  b.async_read_some(registration[0], received.handler());
  ctx.run_for(1ms);
  a.close();
  ctx.run();
  BOOST_TEST(received.ec == asio::error::eof);
}

BOOST_AUTO_TEST_CASE(descriptors_have_no_position)
{
  asio::io_context ctx;
  storage memory;
  auto registration = asio::register_buffers(ctx, memory.all);
  asio::readable_pipe in(ctx);
  asio::writable_pipe out(ctx);
  asio::connect_pipe(in, out);
  memory.blocks[0].fill('p');
  outcome sent, received;
  asio::async_write(out, registration[0], sent.handler());
  asio::async_read(in, registration[1], received.handler());
  ctx.run();
  BOOST_TEST((received.bytes == 4096 && memory.blocks[0] == memory.blocks[1]));
}

// A context changes its rings while it runs; every one of them has to know the buffers.
BOOST_AUTO_TEST_CASE(registered_in_a_loop_that_has_been_running_for_long)
{
  asio::io_context ctx;
  auto [a, b] = tcp_pair(ctx);
  constexpr int long_enough = 1000;
  int turns = 0;
  char c = 0;
  storage memory;
  outcome sent, received;
  std::function<void()> then = [] {};
  std::function<void()> bounce = [&, &a = a, &b = b] {
    if (++turns == long_enough)
      return then();
    a.async_send(asio::buffer("x", 1), [](error_code, std::size_t) {});
    b.async_receive(asio::buffer(&c, 1), [&](error_code, std::size_t) { bounce(); });
  };
  using registration = asio::buffer_registration<std::array<asio::mutable_buffer, 2>>;
  std::unique_ptr<registration> registered;
  auto transfer = [&, &a = a, &b = b] {
    memory.blocks[0].fill(static_cast<char>(memory.blocks[1][0] + 1));
    asio::async_write(a, (*registered)[0], sent.handler());
    asio::async_read(b, (*registered)[1], received.handler());
  };
  then = [&] {
    registered = std::make_unique<registration>(asio::register_buffers(ctx, memory.all));
    transfer();
  };
  asio::post(ctx, bounce);
  ctx.run();
  BOOST_TEST((sent.bytes == 4096 && received.bytes == 4096));
  BOOST_TEST((memory.blocks[0] == memory.blocks[1]));
  // A new run() starts on the ring for any thread and then takes one of its own again.
  then = transfer;
  turns = 0;
  asio::post(ctx, bounce);
  ctx.restart();
  ctx.run();
  BOOST_TEST(received.calls == 2);
  BOOST_TEST((memory.blocks[0] == memory.blocks[1]));
}

#if defined(ASIO_PROACTOR_DROP_IN)

// What was registered is pinned, so a request of the fixed kind reaches it even where the program's own mapping does not; any other
// request fails. It shows which kind was made. (Sockets send with ordinary requests: see the next test.)
BOOST_AUTO_TEST_CASE(requests_are_of_the_fixed_kind_on_every_ring)
{
  asio::io_context ctx;
  if (asio_proactor::driver_of(ctx).name != "uring")
    return;
  constexpr std::size_t size = 4096;
  void* const page = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  BOOST_TEST_REQUIRE(page != MAP_FAILED);
  auto* const text = static_cast<char*>(page);
  const auto close_mapping = [&] { BOOST_TEST_REQUIRE(::mprotect(page, size, PROT_NONE) == 0); };
  const auto open_mapping = [&] { BOOST_TEST_REQUIRE(::mprotect(page, size, PROT_READ | PROT_WRITE) == 0); };
  std::memset(page, 'p', size);
  {
    auto registration = asio::register_buffers(ctx, std::array<asio::mutable_buffer, 1>{asio::buffer(page, size)});
    auto [a, b] = tcp_pair(ctx);
    asio::readable_pipe reader(ctx);
    asio::writable_pipe writer(ctx);
    asio::connect_pipe(reader, writer);
    char c = 0;
    const auto both_ways = [&, &a = a, &b = b] {
      outcome received, written, read;
      close_mapping();
      asio::async_write(writer, asio::buffer(registration[0], 1), written.handler());
      BOOST_TEST(run_until(ctx, [&] { return written.calls == 1; }));
      BOOST_TEST(!written.ec);
      asio::read(reader, asio::buffer(&c, 1));
      BOOST_TEST(c == 'p');
      asio::write(b, asio::buffer("sock", 4));
      asio::write(writer, asio::buffer("pipe", 4));
      asio::async_read(a, asio::buffer(registration[0] + 100, 4), received.handler());
      asio::async_read(reader, asio::buffer(registration[0] + 200, 4), read.handler());
      BOOST_TEST(run_until(ctx, [&] { return received.calls + read.calls == 2; }));
      BOOST_TEST((!received.ec && !read.ec));
      open_mapping();
      BOOST_TEST(std::string(text + 100, 4) == "sock");
      BOOST_TEST(std::string(text + 200, 4) == "pipe");
    };
    both_ways();
    // On the ring that a thread gets which runs the loop alone for long enough.
    int turns = 0;
    outcome received;
    std::function<void()> bounce = [&, &a = a, &b = b] {
      if (++turns == 1000)
      {
        close_mapping();
        asio::write(b, asio::buffer("fast", 4));
        return asio::async_read(a, asio::buffer(registration[0] + 300, 4), received.handler());
      }
      a.async_send(asio::buffer("x", 1), [](error_code, std::size_t) {});
      b.async_receive(asio::buffer(&c, 1), [&](error_code, std::size_t) { bounce(); });
    };
    bounce();
    ctx.restart();
    ctx.run();
    open_mapping();
    BOOST_TEST((received.calls == 1 && !received.ec));
    BOOST_TEST(std::string(text + 300, 4) == "fast");
    both_ways();
  }
  ::munmap(page, size);
}

#endif

// A fixed request is a write(2), which would raise SIGPIPE.
BOOST_AUTO_TEST_CASE(sending_to_nobody_raises_no_signal)
{
  asio::io_context ctx;
  storage memory;
  auto registration = asio::register_buffers(ctx, memory.all);
  auto [a, b] = local_pair(ctx);
  b.close();
  outcome sent;
  a.async_send(registration[0], sent.handler());
  ctx.run();
  BOOST_TEST(sent.ec == asio::error::broken_pipe);
}

BOOST_AUTO_TEST_CASE(one_registration_at_a_time)
{
  asio::io_context ctx;
  storage memory;
  for (int i = 0; i < 3; ++i)
  {
    auto registration = asio::register_buffers(ctx, memory.all);
    auto [a, b] = tcp_pair(ctx);
    outcome sent;
    a.async_send(registration[0], sent.handler());
    ctx.restart();
    ctx.run();
    BOOST_TEST(sent.bytes == 4096u);
  }
}

#if defined(BOOST_ASIO_HAS_FILE)

# include <boost/asio/random_access_file.hpp>
# include <boost/asio/stream_file.hpp>

BOOST_AUTO_TEST_CASE(files_keep_their_position_and_their_offsets)
{
  std::string path = "/tmp/asio_proactor_fixed_XXXXXX";
  const int fd = ::mkstemp(path.data());
  BOOST_TEST_REQUIRE(fd >= 0);
  ::unlink(path.c_str());
  asio::io_context ctx;
  storage memory;
  auto registration = asio::register_buffers(ctx, memory.all);
  asio::stream_file stream(ctx, ::dup(fd));
  asio::random_access_file random(ctx, fd);
  outcome first, second, read;
  memory.blocks[0].fill('1');
  memory.blocks[1].fill('2');
  asio::async_write(stream, registration[0], first.handler());
  ctx.run();
  asio::async_write(stream, registration[1], second.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(stream.size() == 8192u);
  random.async_read_some_at(4095, asio::buffer(registration[0], 2), read.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(read.bytes == 2u);
  BOOST_TEST((memory.blocks[0][0] == '1' && memory.blocks[0][1] == '2'));
}

#endif
