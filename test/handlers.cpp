// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// The contract between an operation and its handler: invoked once, never inside the initiating
// function, with its memory given back first.

#define BOOST_TEST_MODULE handlers
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/bind_allocator.hpp>
#if BOOST_VERSION >= 108200
# include <boost/asio/bind_immediate_executor.hpp>
#endif
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>
#include <unistd.h>

using namespace test_support;
using local = asio::local::stream_protocol;

namespace {

// What a counting allocator has seen.
struct memory_log
{
  int allocations = 0;
  int live = 0;
};

template <typename T>
struct counting_allocator
{
  using value_type = T;
  memory_log* log;

  explicit counting_allocator(memory_log& l) : log(&l) {}
  template <typename U>
  counting_allocator(const counting_allocator<U>& other) : log(other.log)
  {}
  T* allocate(std::size_t n)
  {
    ++log->allocations;
    ++log->live;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n)
  {
    --log->live;
    std::allocator<T>().deallocate(p, n);
  }
  template <typename U>
  bool operator==(const counting_allocator<U>& other) const
  {
    return log == other.log;
  }
};

// Every asynchronous operation of the library, started with handlers made by make(name).
template <typename Make>
struct every_operation
{
  asio::io_context& ctx;
  Make make;
  stream_pair pair;
  tcp::acceptor acceptor;
  tcp::socket client, server;
  udp::socket datagram, sender;
  asio::steady_timer timer, expired;
  char in[64] = {};
  udp::endpoint from;

  every_operation(asio::io_context& c, Make m)
    : ctx(c),
      make(m),
      pair(local_pair(c)),
      acceptor(c, loopback()),
      client(c),
      server(c),
      datagram(c, udp_loopback()),
      sender(c, udp::v4()),
      timer(c, 1ms),
      expired(c, -1s)
  {}

  // Twelve operations that all complete with what start() sends itself. Returns their number.
  int start()
  {
    auto& [a, b] = pair;
    a.async_read_some(asio::buffer(in, 4), make("read"));
    a.async_wait(asio::socket_base::wait_write, make("wait"));
    b.async_write_some(asio::buffer("data", 4), make("write"));
    acceptor.async_accept(server, make("accept"));
    client.async_connect(acceptor.local_endpoint(), make("connect"));
    datagram.async_receive_from(asio::buffer(in + 8, 4), from, make("receive_from"));
    sender.async_send_to(asio::buffer("dg", 2), datagram.local_endpoint(), make("send_to"));
    timer.async_wait(make("timer"));
    expired.async_wait(make("expired timer"));
    b.async_read_some(asio::mutable_buffer(), make("empty read"));
    asio::async_write(b, asio::const_buffer(), make("empty write"));
    asio::post(ctx, make("post"));
    return 12;
  }
};

template <typename Make>
every_operation(asio::io_context&, Make) -> every_operation<Make>;

} // namespace

BOOST_AUTO_TEST_CASE(never_inside_the_initiating_function_and_exactly_once)
{
  for (bool inside_run : {false, true})
  {
    asio::io_context ctx;
    std::vector<std::pair<const char*, int>> calls;
    bool initiating = false;
    int early = 0;
    every_operation all(ctx, [&](const char* name) {
      calls.emplace_back(name, 0);
      return [&, index = calls.size() - 1](auto&&...) {
        ++calls[index].second;
        early += initiating;
      };
    });
    int started = 0;
    auto start = [&] {
      initiating = true;
      started = all.start();
      initiating = false;
    };
    if (inside_run)
      asio::post(ctx, start);
    else
      start();
    ctx.run();
    BOOST_TEST(early == 0);
    BOOST_TEST(calls.size() == static_cast<std::size_t>(started));
    for (auto& [name, count] : calls)
      BOOST_TEST(count == 1, name << " was called " << count << " times");
  }
}

BOOST_AUTO_TEST_CASE(operation_memory_comes_from_the_associated_allocator_and_goes_back_first)
{
  asio::io_context ctx;
  std::vector<std::unique_ptr<memory_log>> logs;
  std::vector<std::string> wrong;
  int called = 0;
  every_operation all(ctx, [&](const char* name) {
    auto& log = *logs.emplace_back(std::make_unique<memory_log>());
    return asio::bind_allocator(counting_allocator<char>(log), [&, name](auto&&...) {
      ++called;
      if (log.live != 0 || log.allocations == 0)
        wrong.push_back(std::string(name) + ": " + std::to_string(log.allocations) + " allocations, " +
                        std::to_string(log.live) + " alive");
    });
  });
  const int started = all.start();
  ctx.run();
  BOOST_TEST(called == started);
  for (auto& text : wrong)
    BOOST_ERROR(text);
  for (auto& log : logs)
  {
    BOOST_TEST(log->live == 0);
    BOOST_TEST(log->allocations == 1);
  }
}

BOOST_AUTO_TEST_CASE(memory_of_one_operation_serves_the_next)
{
  asio::io_context ctx;
  memory_log log;
  auto [a, b] = tcp_pair(ctx);
  char c;
  int left = 100, most = 0;
  std::function<void()> read = [&, a = &a, b = &b] {
    a->async_read_some(asio::buffer(&c, 1),
                       asio::bind_allocator(counting_allocator<char>(log), [&, b](error_code, std::size_t) {
                         most = std::max(most, log.live);
                         if (--left > 0)
                         {
                           read();
                           most = std::max(most, log.live);
                           b->send(asio::buffer("x", 1));
                         }
                       }));
  };
  read();
  b.send(asio::buffer("x", 1));
  ctx.run();
  BOOST_TEST(left == 0);
  BOOST_TEST(most == 1);
  BOOST_TEST(log.allocations == 100);
}

BOOST_AUTO_TEST_CASE(handlers_may_be_move_only)
{
  asio::io_context ctx;
  int sum = 0;
  every_operation all(ctx,
                      [&](const char*) { return [&, value = std::make_unique<int>(1)](auto&&...) { sum += *value; }; });
  const int started = all.start();
  auto strand = asio::make_strand(ctx);
  asio::post(strand, [&, value = std::make_unique<int>(1)] { sum += *value; });
  asio::dispatch(strand, [&, value = std::make_unique<int>(1)] { sum += *value; });
  ctx.run();
  BOOST_TEST(sum == started + 2);
}

BOOST_AUTO_TEST_CASE(handlers_may_destroy_what_completed)
{
  asio::io_context ctx;
  auto pair = std::make_unique<stream_pair>(local_pair(ctx));
  auto timer = std::make_unique<asio::steady_timer>(ctx, 1ms);
  char in[4];
  pair->second.send(asio::buffer("x", 1));
  int calls = 0;
  outcome other;
  pair->first.async_wait(asio::socket_base::wait_error, other.plain());
  pair->first.async_read_some(asio::buffer(in), [&](error_code ec, std::size_t) {
    BOOST_TEST(!ec);
    pair.reset();
    ++calls;
  });
  timer->async_wait([&](error_code) {
    timer.reset();
    ++calls;
  });
  ctx.run();
  BOOST_TEST(calls == 2);
  BOOST_TEST(other.ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(errors_of_a_closed_socket_are_delivered_later_too)
{
  asio::io_context ctx;
  tcp::socket socket(ctx);
  char in;
  outcome ends[3];
  asio::post(ctx, [&] {
    socket.async_read_some(asio::buffer(&in, 1), ends[0].handler());
    socket.async_wait(tcp::socket::wait_read, ends[1].plain());
    socket.async_connect(loopback(9), ends[2].plain()); // Opens the socket by itself.
    BOOST_TEST(ends[0].calls + ends[1].calls + ends[2].calls == 0);
  });
  ctx.run();
  BOOST_TEST((ends[0].calls == 1 && ends[0].ec == asio::error::bad_descriptor));
  BOOST_TEST((ends[1].calls == 1 && ends[1].ec == asio::error::bad_descriptor));
  BOOST_TEST((ends[2].calls == 1 && ends[2].ec == asio::error::connection_refused));
}

#if BOOST_VERSION >= 108200
// An operation that can complete at once may use the immediate executor, and nothing else may be used
// inside the initiating function.
BOOST_AUTO_TEST_CASE(immediate_executor_is_the_only_way_to_complete_at_once)
{
  struct counting_executor
  {
    asio::io_context::executor_type inner;
    int* uses;
    bool operator==(const counting_executor& other) const noexcept
    {
      return inner == other.inner && uses == other.uses;
    }
    bool operator!=(const counting_executor& other) const noexcept { return !(*this == other); }
    asio::io_context& query(asio::execution::context_t) const noexcept { return inner.context(); }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept
    {
      return asio::execution::blocking.never;
    }
    void execute(std::function<void()> f) const
    {
      ++*uses;
      f();
    }
  };
  asio::io_context ctx;
  int uses = 0, inside = 0, calls = 0;
  bool initiating = false;
  const counting_executor immediate{ctx.get_executor(), &uses};
  every_operation all(ctx, [&](const char*) {
    return asio::bind_immediate_executor(immediate, [&](auto&&...) {
      ++calls;
      inside += initiating;
    });
  });
  initiating = true;
  const int started = all.start();
  initiating = false;
  ctx.run();
  BOOST_TEST(calls == started);
  BOOST_TEST(inside == uses);
}
#endif

BOOST_AUTO_TEST_CASE(a_handler_that_throws_has_released_its_operation)
{
  asio::io_context ctx;
  memory_log log;
  auto [a, b] = tcp_pair(ctx);
  char in;
  a.async_read_some(asio::buffer(&in, 1),
                    asio::bind_allocator(counting_allocator<char>(log), [](error_code, std::size_t) { throw 1; }));
  b.send(asio::buffer("x", 1));
  BOOST_CHECK_THROW(ctx.run(), int);
  BOOST_TEST(log.live == 0);
  ctx.run();
}

BOOST_AUTO_TEST_CASE(steady_traffic_recycles_its_memory)
{
  // Each direction has one operation at a time, so the allocator sees as many blocks alive as
  // there are operations, however long the traffic lasts.
  asio::io_context ctx(1);
  auto [a, b] = local_pair(ctx);
  char out = 'x', in;
  memory_log log;
  int left = 500;
  int most = 0;
  std::function<void()> send = [&, b = &b] {
    b->async_write_some(asio::buffer(&out, 1),
                        asio::bind_allocator(counting_allocator<char>(log), [&](error_code, std::size_t) {
                          if (--left > 0)
                            send();
                          most = std::max(most, log.live);
                        }));
  };
  int got = 0;
  std::function<void()> receive = [&, a = &a] {
    a->async_read_some(asio::buffer(&in, 1),
                       asio::bind_allocator(counting_allocator<char>(log), [&](error_code, std::size_t) {
                         if (++got < 500)
                           receive();
                         most = std::max(most, log.live);
                       }));
  };
  send();
  receive();
  ctx.run();
  BOOST_TEST(got == 500);
  BOOST_TEST(most <= 2);
  BOOST_TEST(log.live == 0);
}

#if BOOST_VERSION < 108700 && !defined(BOOST_ASIO_NO_DEPRECATED)

namespace {

// Gives memory by the hooks that Asio had before it asked for allocators.
struct handler_with_hooks
{
  memory_log* log;

  void operator()(error_code ec, local::socket) const
  {
    BOOST_TEST(!ec);
    BOOST_TEST(log->live == 0);
  }
};

void* asio_handler_allocate(std::size_t size, handler_with_hooks* h)
{
  ++h->log->allocations;
  ++h->log->live;
  return ::operator new(size);
}

void asio_handler_deallocate(void* p, std::size_t, handler_with_hooks* h)
{
  --h->log->live;
  ::operator delete(p);
}

} // namespace

BOOST_AUTO_TEST_CASE(memory_of_an_accept_comes_from_its_hooks)
{
  asio::io_context ctx;
  memory_log log;
  const local::endpoint where(std::string("\0asio_proactor_handlers_", 23) + std::to_string(::getpid()));
  local::acceptor acceptor(ctx, where);
  local::socket peer(ctx);
  peer.connect(where);
  acceptor.async_accept(handler_with_hooks{&log});
  ctx.run();
  BOOST_TEST((log.allocations == 1 && log.live == 0));
}

#endif
