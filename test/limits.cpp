// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Descriptors and lockable memory that have run out: an error that says so, and nothing is lost.

#define BOOST_TEST_MODULE limits
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <cerrno>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>
#if defined(ASIO_PROACTOR_DROP_IN)
# include <asio_proactor/driver.hpp>
#endif

using namespace test_support;

namespace {

// No further descriptor can be opened while this lives.
class no_descriptors_left
{
public:
  no_descriptors_left()
  {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const ::rlimit none = {0, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~no_descriptors_left() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
  ::rlimit before_{};
};

void wait_once(asio::io_context& ctx)
{
  asio::steady_timer timer(ctx, 1ms);
  outcome waited;
  timer.async_wait(waited.plain());
  ctx.restart();
  ctx.run();
  BOOST_TEST((waited.calls == 1 && !waited.ec));
}

// No message where it worked.
std::string failure_of_first_object(asio::io_context& ctx)
{
  try
  {
    asio::ip::tcp::socket socket(ctx);
  }
  catch (const std::exception& failure)
  {
    return failure.what();
  }
  return "";
}

} // namespace

BOOST_AUTO_TEST_CASE(a_context_without_descriptors_says_what_to_raise)
{
  asio::io_context ctx;
  {
    const no_descriptors_left nothing;
    const std::string message = failure_of_first_object(ctx);
    BOOST_TEST(!message.empty());
#if defined(ASIO_PROACTOR_DROP_IN)
    BOOST_TEST(message.find("RLIMIT_NOFILE") != std::string::npos, message);
#endif
  }
  // The same context serves once there are some.
  wait_once(ctx);
}

BOOST_AUTO_TEST_CASE(contexts_that_come_and_go_do_not_use_anything_up)
{
  for (int i = 0; i < 300; ++i)
  {
    asio::io_context ctx;
    wait_once(ctx);
  }
}

// Where memory is short, ten contexts at once have to do with less.
BOOST_AUTO_TEST_CASE(ten_contexts_at_once)
{
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  for (int i = 0; i < 10; ++i)
    wait_once(*contexts.emplace_back(std::make_unique<asio::io_context>()));
  for (auto& ctx : contexts)
    wait_once(*ctx);
}

BOOST_AUTO_TEST_CASE(a_running_context_gets_along_with_the_descriptors_it_has)
{
  asio::io_context ctx;
  auto [a, b] = local_pair(ctx);
  const no_descriptors_left nothing;
  // Long enough for the loop to want a ring of its own.
  char c = 0;
  int rounds = 0;
  std::function<void()> next = [&, &a = a, &b = b] {
    asio::async_write(a, asio::buffer("x", 1), [](error_code ec, std::size_t) { BOOST_TEST(!ec); });
    asio::async_read(b, asio::buffer(&c, 1), [&](error_code ec, std::size_t) {
      BOOST_TEST_REQUIRE(!ec);
      if (++rounds < 1000)
        next();
    });
  };
  next();
  ctx.run();
  BOOST_TEST(rounds == 1000);
}

BOOST_AUTO_TEST_CASE(accepting_without_descriptors_is_an_error_and_the_connection_waits)
{
  asio::io_context ctx;
  asio::ip::tcp::acceptor acceptor(ctx, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket client(ctx), first(ctx), second(ctx);
  client.connect(acceptor.local_endpoint());
  outcome refused, accepted;
  {
    const no_descriptors_left nothing;
    acceptor.async_accept(first, refused.plain());
    ctx.run();
  }
  BOOST_TEST(refused.calls == 1);
  BOOST_TEST(refused.ec == asio::error::no_descriptors);
  acceptor.async_accept(second, accepted.plain());
  ctx.restart();
  ctx.run();
  BOOST_TEST((accepted.calls == 1 && !accepted.ec));
  BOOST_TEST(second.remote_endpoint() == client.local_endpoint());
}

#if defined(ASIO_PROACTOR_DROP_IN)

// The limit is one of memory per user, so it only shows where the process has no capability to pass it: hostile_place LIMITS.
BOOST_AUTO_TEST_CASE(too_much_registered_memory_is_an_error)
{
  ::rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  asio::io_context ctx;
  if (limit.rlim_cur > 1024 * 1024 || asio_proactor::driver_of(ctx).name != "uring")
    return;
  std::vector<char> memory(4 * 1024 * 1024);
  const std::vector<asio::mutable_buffer> buffers{asio::buffer(memory)};
  BOOST_CHECK_EXCEPTION((void)asio::register_buffers(ctx, buffers), boost::system::system_error,
                        [](const boost::system::system_error& failure) {
                          BOOST_TEST_MESSAGE(failure.what());
                          return failure.code() == asio::error::no_memory;
                        });
  wait_once(ctx);
  const std::vector<asio::mutable_buffer> small{asio::buffer(memory.data(), 4096)};
  const auto registration = asio::register_buffers(ctx, small);
  BOOST_TEST(registration.size() == 1u);
}

// The kernel gives back what a closed ring had locked some time later.
BOOST_AUTO_TEST_CASE(memory_that_was_registered_before_can_be_registered_again)
{
  std::vector<char> memory(128 * 1024);
  for (int i = 0; i < 20; ++i)
  {
    asio::io_context ctx;
    const std::vector<asio::mutable_buffer> buffers{asio::buffer(memory)};
    const auto registration = asio::register_buffers(ctx, buffers);
    BOOST_TEST(registration.size() == 1u);
  }
}

#endif
