// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// posix::stream_descriptor, pipes and serial ports.

#define BOOST_TEST_MODULE descriptors
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/connect_pipe.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>
#include <fcntl.h>
#include <unistd.h>

using namespace test_support;

// Writing to a pipe without a reader raises SIGPIPE, for which Asio can do nothing on descriptors.
struct ignore_broken_pipes
{
  ignore_broken_pipes() { std::signal(SIGPIPE, SIG_IGN); }
};
BOOST_TEST_GLOBAL_FIXTURE(ignore_broken_pipes);

BOOST_AUTO_TEST_CASE(stream_descriptor_over_a_pipe)
{
  asio::io_context ctx;
  int fds[2];
  BOOST_TEST_REQUIRE(::pipe(fds) == 0);
  asio::posix::stream_descriptor in(ctx, fds[0]), out(ctx, fds[1]);
  std::vector<char> sent(300000), got(sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<char>(i >> 4);
  outcome write, read, wait, end, aborted;
  // Nothing may take away what it waits for, so the reading begins when it is over.
  in.async_wait(asio::posix::descriptor_base::wait_read, [&](error_code ec) {
    wait.plain()(ec);
    asio::async_read(in, asio::buffer(got), read.handler());
  });
  asio::async_write(out, asio::buffer(sent), write.handler());
  ctx.run();
  BOOST_TEST((write.bytes == sent.size() && read.bytes == got.size() && wait.calls == 1));
  BOOST_TEST((got == sent));
  in.async_read_some(asio::buffer(got), aborted.handler());
  ctx.restart();
  ctx.run_for(1ms);
  in.cancel();
  ctx.run();
  BOOST_TEST(aborted.ec == asio::error::operation_aborted);
  in.async_read_some(asio::buffer(got), end.handler());
  out.close();
  ctx.restart();
  ctx.run();
  BOOST_TEST(end.ec == asio::error::eof);
  const int released = in.release();
  BOOST_TEST(released == fds[0]);
  ::close(released);
}

BOOST_AUTO_TEST_CASE(pipe_objects)
{
  asio::io_context ctx;
  asio::readable_pipe in(ctx);
  asio::writable_pipe out(ctx);
  asio::connect_pipe(in, out);
  std::vector<char> sent(1 << 20, 'p'), got(sent.size());
  outcome write, read, aborted, broken;
  asio::async_write(out, asio::buffer(sent), write.handler());
  asio::async_read(in, asio::buffer(got), read.handler());
  ctx.run();
  BOOST_TEST((write.bytes == sent.size() && read.bytes == got.size()));
  in.async_read_some(asio::buffer(got), aborted.handler());
  ctx.restart();
  ctx.run_for(1ms);
  asio::readable_pipe moved(std::move(in));
  moved.close();
  ctx.run();
  BOOST_TEST(aborted.ec == asio::error::operation_aborted);
  out.async_write_some(asio::buffer("x", 1), broken.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(broken.ec == asio::error::broken_pipe);
}

// Stock Asio's io_uring backend had no working release() for pipes once.
BOOST_AUTO_TEST_CASE(a_released_pipe_lives_on)
{
  asio::io_context ctx;
  asio::readable_pipe in(ctx);
  asio::writable_pipe out(ctx);
  asio::connect_pipe(in, out);
  char c = 0;
  outcome aborted, read;
  in.async_read_some(asio::buffer(&c, 1), aborted.handler());
  ctx.run_for(1ms);
  const int fd = in.release();
  BOOST_TEST((fd >= 0 && !in.is_open()));
  ctx.restart();
  ctx.run();
  BOOST_TEST(aborted.ec == asio::error::operation_aborted);
  asio::write(out, asio::buffer("r", 1));
  asio::readable_pipe again(ctx, fd);
  again.async_read_some(asio::buffer(&c, 1), read.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST((!read.ec && c == 'r'));
  const int writer = out.release();
  BOOST_TEST(::write(writer, "w", 1) == 1);
  ::close(writer);
}

BOOST_AUTO_TEST_CASE(closed_pipe_gives_its_number_back_at_once)
{
  asio::io_context ctx;
  for (int i = 0; i < 50; ++i)
  {
    asio::readable_pipe in(ctx);
    asio::writable_pipe out(ctx);
    asio::connect_pipe(in, out);
    char c;
    outcome read;
    in.async_read_some(asio::buffer(&c, 1), read.handler());
    if (i % 2)
      ctx.poll();
    in.close();
    // The last reader is gone, whatever was in flight.
    error_code ec;
    out.write_some(asio::buffer("x", 1), ec);
    BOOST_TEST(ec == asio::error::broken_pipe);
    ctx.restart();
    ctx.run();
    BOOST_TEST(read.ec == asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_CASE(serial_port_on_a_pseudo_terminal)
{
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0)
  {
    BOOST_TEST_MESSAGE("no pseudo terminals here");
    return;
  }
  asio::io_context ctx;
  asio::serial_port port(ctx, ::ptsname(master));
  asio::posix::stream_descriptor other(ctx, master);
  port.set_option(asio::serial_port_base::baud_rate(9600));
  asio::serial_port_base::baud_rate rate;
  port.get_option(rate);
  BOOST_TEST(rate.value() == 9600u);
  char in[8] = {}, back[8] = {};
  outcome read, write, aborted;
  port.async_read_some(asio::buffer(in), read.handler());
  other.async_write_some(asio::buffer("ser", 3), write.handler());
  ctx.run();
  BOOST_TEST((read.bytes == 3 && write.bytes == 3));
  BOOST_TEST(std::string(in) == "ser");
  asio::async_write(port, asio::buffer("back", 4), write.handler());
  asio::async_read(other, asio::buffer(back, 4), read.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(std::string(back) == "back");
  port.async_read_some(asio::buffer(in), aborted.handler());
  ctx.restart();
  ctx.run_for(1ms);
  port.close();
  ctx.run();
  BOOST_TEST(aborted.ec == asio::error::operation_aborted);
}
