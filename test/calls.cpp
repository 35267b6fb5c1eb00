// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// System calls that operations are made of, while several threads run: a call under way keeps nobody else from anything, what is cancelled or closed
// meanwhile ends once, and no readiness is lost. On io_uring there are no such calls, and nothing is held up.

#define BOOST_TEST_MODULE calls
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/running_threads.hpp"
#include "support/soon.hpp"
#include "support/watchdog.hpp"
#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace test_support;

namespace {

using local_socket = asio::local::stream_protocol::socket;

// Holds up one recv() on one descriptor.
class gate
{
public:
  enum kind
  {
    before_call,
    after_futile_call,
    instead_of_call // It would have blocked, as if somebody else had been faster.
  };

  void close(int fd, kind k)
  {
    is_entered_ = is_open_ = false;
    error_ = 0;
    kind_ = k;
    fd_ = fd;
  }

  void open()
  {
    fd_ = -1;
    is_open_ = true;
  }

  bool is_entered() const { return is_entered_; }
  int error() const { return error_; }

  ssize_t receive(int fd, void* data, std::size_t size, int flags)
  {
    const bool is_watched = fd_ == fd;
    if (is_watched && kind_ != after_futile_call)
      wait();
    if (is_watched && kind_ == instead_of_call)
    {
      errno = EAGAIN;
      return -1;
    }
    const ssize_t n = ::recvfrom(fd, data, size, flags, nullptr, nullptr);
    const int error = n < 0 ? errno : 0;
    if (is_watched && kind_ == after_futile_call && error == EAGAIN)
      wait();
    if (is_watched && error != EAGAIN)
      error_ = error;
    errno = error;
    return n;
  }

private:
  void wait()
  {
    if (is_entered_.exchange(true))
      return;
    const auto end = steady::now() + 10s;
    while (!is_open_ && steady::now() < end)
      std::this_thread::sleep_for(1ms);
  }

  std::atomic<int> fd_{-1};
  std::atomic<kind> kind_{before_call};
  std::atomic<bool> is_entered_{false};
  std::atomic<bool> is_open_{false};
  std::atomic<int> error_{0};
};

gate receiving;

struct pair
{
  explicit pair(asio::io_context& ctx) : reader(ctx), writer(ctx) { asio::local::connect_pair(reader, writer); }

  void write_byte() { asio::write(writer, asio::buffer("x", 1)); }

  // Starts a read that waits, and lets the call that a byte brings be held up.
  template <class Handler>
  void hold_up(Handler handler, gate::kind kind = gate::before_call)
  {
    reader.async_read_some(asio::buffer(in), handler);
    // The first attempt is over.
    std::this_thread::sleep_for(20ms);
    receiving.close(reader.native_handle(), kind);
    write_byte();
    soon([] { return receiving.is_entered(); }, 100ms);
  }

  // One read that had to wait: an event has to come for the next one.
  bool wait_once()
  {
    ending got;
    reader.async_read_some(asio::buffer(in), got.handler());
    std::this_thread::sleep_for(20ms);
    write_byte();
    return soon([&] { return got.calls == 1; });
  }

  // A byte comes while a call of the read is held up, and its event is not to be lost. Returns whether the read ends.
  bool ends_by_byte_meanwhile(const ending& got)
  {
    write_byte();
    // Time enough for another thread to see the event.
    std::this_thread::sleep_for(50ms);
    receiving.open();
    const bool has_ended = soon([&] { return got.calls == 1; });
    reader.cancel();
    return has_ended;
  }

  std::array<char, 1> in{};
  local_socket reader, writer;
};

// What is done to the reader by another thread while its call is held up.
template <class Meanwhile, class Handler>
void while_the_call_is_made(pair& p, Handler handler, Meanwhile meanwhile)
{
  p.hold_up(handler);
  auto done = std::async(std::launch::async, meanwhile);
  std::this_thread::sleep_for(20ms);
  receiving.open();
  done.wait();
}

} // namespace

extern "C" ssize_t recv(int fd, void* data, std::size_t size, int flags)
{
  return receiving.receive(fd, data, size, flags);
}

BOOST_AUTO_TEST_CASE(a_call_keeps_nobody_else_from_theirs)
{
  asio::io_context ctx;
  pair slow(ctx), other(ctx), third(ctx);
  ending got, got_third;
  {
    running_threads threads(ctx, 2);
    third.reader.async_read_some(asio::buffer(third.in), got_third.handler());
    slow.hold_up(got.handler());
    // Two threads less one: what follows needs the other, and all that the two share.
    std::promise<void> echoed;
    const auto begin = steady::now();
    asio::post(ctx, [&] {
      other.reader.async_read_some(asio::buffer(other.in), [&](error_code, std::size_t) { echoed.set_value(); });
      other.writer.async_write_some(asio::buffer("y", 1), [](error_code, std::size_t) {});
    });
    BOOST_TEST((echoed.get_future().wait_for(5s) == std::future_status::ready));
    third.write_byte();
    BOOST_TEST(soon([&] { return got_third.calls == 1; }));
    BOOST_TEST((steady::now() - begin < 5s));
    receiving.open();
  }
  BOOST_TEST(got.calls == 1);
  BOOST_TEST(got.bytes == 1u);
}

BOOST_AUTO_TEST_CASE(cancelled_while_the_call_is_made)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  {
    running_threads threads(ctx, 2);
    while_the_call_is_made(p, got.handler(), [&] { p.reader.cancel(); });
  }
  BOOST_TEST(got.calls == 1);
  // The byte is there or with the program, never nowhere.
  BOOST_TEST(got.bytes + p.reader.available() == 1u);
}

BOOST_AUTO_TEST_CASE(cancelled_through_its_slot_while_the_call_is_made)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  asio::cancellation_signal signal;
  {
    running_threads threads(ctx, 2);
    while_the_call_is_made(p, asio::bind_cancellation_slot(signal.slot(), got.handler()),
                           [&] { signal.emit(asio::cancellation_type::total); });
  }
  BOOST_TEST(got.calls == 1);
  BOOST_TEST(got.bytes + p.reader.available() == 1u);
}

BOOST_AUTO_TEST_CASE(cancelled_while_a_call_is_made_in_vain)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  std::atomic<bool> is_stolen{false};
  {
    running_threads threads(ctx, 2);
    while_the_call_is_made(p, got.handler(), [&] {
      char stolen;
      is_stolen = ::recvfrom(p.reader.native_handle(), &stolen, 1, MSG_DONTWAIT, nullptr, nullptr) == 1;
      p.reader.cancel();
    });
  }
  BOOST_TEST(got.calls == 1);
  BOOST_TEST(got.bytes + is_stolen == 1u);
}

BOOST_AUTO_TEST_CASE(closed_while_the_call_is_made)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  {
    running_threads threads(ctx, 2);
    while_the_call_is_made(p, got.handler(), [&] { p.reader.close(); });
  }
  BOOST_TEST(got.calls == 1);
  // The call had the descriptor to itself until it returned.
  BOOST_TEST(receiving.error() == 0);
}

BOOST_AUTO_TEST_CASE(released_while_the_call_is_made)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  int fd = -1;
  {
    running_threads threads(ctx, 2);
    while_the_call_is_made(p, got.handler(), [&] { fd = p.reader.release(); });
  }
  BOOST_TEST(got.calls == 1);
  char left;
  const ssize_t n = ::recvfrom(fd, &left, 1, MSG_DONTWAIT, nullptr, nullptr);
  BOOST_TEST(got.bytes + (n == 1) == 1u);
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(shut_down_while_the_call_is_made)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  error_code shut_down;
  {
    running_threads threads(ctx, 2);
    while_the_call_is_made(p, got.handler(), [&] { p.reader.shutdown(local_socket::shutdown_receive, shut_down); });
  }
  BOOST_TEST(got.calls == 1);
  BOOST_TEST(!shut_down);
}

BOOST_AUTO_TEST_CASE(stopped_while_the_call_is_made)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  {
    running_threads threads(ctx, 2);
    while_the_call_is_made(p, got.handler(), [&] { ctx.stop(); });
  }
  ctx.restart();
  ctx.run();
  BOOST_TEST(got.calls == 1);
  BOOST_TEST(got.bytes == 1u);
}

BOOST_AUTO_TEST_CASE(other_threads_leave_while_the_call_is_made)
{
  asio::io_context ctx;
  pair p(ctx), other(ctx);
  ending got, got_other;
  auto work = std::make_unique<work_guard>(ctx.get_executor());
  std::thread stays([&] { ctx.run(); });
  std::atomic<bool> is_to_leave{false};
  std::thread leaves([&] {
    while (!is_to_leave)
      ctx.run_one_for(5ms);
  });
  p.hold_up(got.handler());
  is_to_leave = true;
  leaves.join();
  receiving.open();
  BOOST_TEST(soon([&] { return got.calls == 1; }));
  // The loop goes on as one of a single thread.
  other.reader.async_read_some(asio::buffer(other.in), got_other.handler());
  other.write_byte();
  BOOST_TEST(soon([&] { return got_other.calls == 1; }));
  work.reset();
  stays.join();
  BOOST_TEST(got.bytes == 1u);
}

BOOST_AUTO_TEST_CASE(forked_while_the_call_is_made)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  int child_found = -1;
  {
    running_threads threads(ctx, 2);
    while_the_call_is_made(p, got.handler(), [&] {
      ctx.notify_fork(asio::io_context::fork_prepare);
      const pid_t child = ::fork();
      if (child == 0)
        ::_exit(0);
      ctx.notify_fork(asio::io_context::fork_parent);
      int status = -1;
      ::waitpid(child, &status, 0);
      child_found = status;
    });
    BOOST_TEST(soon([&] { return got.calls == 1; }));
  }
  BOOST_TEST(child_found == 0);
  BOOST_TEST(got.bytes == 1u);
}

// The thread that starts a read finds nothing, and the byte comes before the read waits for it.
BOOST_AUTO_TEST_CASE(readiness_between_a_futile_attempt_and_the_wait)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  {
    running_threads threads(ctx, 3);
    BOOST_TEST_REQUIRE(p.wait_once());
    receiving.close(p.reader.native_handle(), gate::after_futile_call);
    asio::post(ctx, [&] { p.reader.async_read_some(asio::buffer(p.in), got.handler()); });
    soon([] { return receiving.is_entered(); }, 100ms);
    BOOST_TEST(p.ends_by_byte_meanwhile(got));
  }
  BOOST_TEST(got.bytes == 1u);
}

// The same when an event has brought the call: it finds nothing, and another event comes meanwhile.
BOOST_AUTO_TEST_CASE(readiness_while_a_call_is_made_in_vain)
{
  asio::io_context ctx;
  pair p(ctx);
  ending got;
  {
    running_threads threads(ctx, 3);
    p.hold_up(got.handler(), gate::instead_of_call);
    BOOST_TEST(p.ends_by_byte_meanwhile(got));
  }
  BOOST_TEST(got.bytes == 1u);
}

BOOST_AUTO_TEST_CASE(handlers_never_run_inside_the_initiating_function)
{
  constexpr int rounds = 2000;
  asio::io_context ctx;
  pair p(ctx);
  std::atomic<int> wrong{0}, finished{0};
  static thread_local int depth = 0;
  std::function<void()> next = [&] {
    ++depth;
    p.writer.async_write_some(asio::buffer("x", 1), [&](error_code, std::size_t) {
      wrong += depth != 0;
      ++depth;
      p.reader.async_read_some(asio::buffer(p.in), [&](error_code, std::size_t) {
        wrong += depth != 0;
        if (++finished < rounds)
          next();
      });
      --depth;
    });
    --depth;
  };
  {
    running_threads threads(ctx, 2);
    asio::post(ctx, next);
    BOOST_TEST(soon([&] { return finished == rounds; }, 15s));
  }
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(polled_by_threads_that_come_and_go)
{
  constexpr int rounds = 3000;
  asio::io_context ctx;
  const work_guard work(ctx.get_executor());
  std::array<std::unique_ptr<pair>, 4> pairs;
  std::atomic<int> finished{0};
  std::function<void(pair&)> next = [&](pair& p) {
    p.reader.async_read_some(asio::buffer(p.in), [&](error_code ec, std::size_t n) {
      finished += !ec && n == 1;
      if (finished < rounds)
        next(p);
    });
    p.writer.async_write_some(asio::buffer("x", 1), [](error_code, std::size_t) {});
  };
  for (auto& each : pairs)
    next(*(each = std::make_unique<pair>(ctx)));
  std::atomic<bool> is_over{false};
  const auto come_and_go = [&] {
    while (!is_over)
    {
      ctx.poll_one();
      ctx.run_one_for(100us);
      ctx.poll();
    }
  };
  std::thread one(come_and_go), other(come_and_go), third([&] {
    while (!is_over)
      ctx.run_for(1ms);
  });
  BOOST_TEST(soon([&] { return finished >= rounds; }, 15s));
  is_over = true;
  for (std::thread* each : {&one, &other, &third})
    each->join();
}

BOOST_AUTO_TEST_CASE(destroyed_by_a_handler_of_the_other_direction)
{
  for (int round = 0; round < 200; ++round)
  {
    asio::io_context ctx;
    auto p = std::make_unique<pair>(ctx);
    ending got;
    std::array<char, 1> in;
    {
      running_threads threads(ctx, 2);
      p->reader.async_read_some(asio::buffer(in), got.handler());
      asio::post(
        ctx, [&] { p->writer.async_write_some(asio::buffer("x", 1), [&](error_code, std::size_t) { p.reset(); }); });
    }
    BOOST_TEST_REQUIRE(got.calls == 1);
    BOOST_TEST_REQUIRE((got.bytes == 1u || got.is_aborted));
  }
}

// Each of many reads is cancelled through its slot by a timer, at about the time when its byte comes.
BOOST_AUTO_TEST_CASE(cancelled_through_its_slot_at_any_moment)
{
  constexpr int rounds = 400;
  asio::io_context ctx;
  std::atomic<int> finished{0}, wrong{0};
  struct reader : std::enable_shared_from_this<reader>
  {
    explicit reader(asio::io_context& ctx) : strand(asio::make_strand(ctx)), in_out(ctx), timer(ctx) {}
    asio::strand<asio::io_context::executor_type> strand;
    pair in_out;
    asio::steady_timer timer;
    asio::cancellation_signal signal;
    int number = 0;
    std::size_t received = 0, sent = 0;
  };
  std::function<void(std::shared_ptr<reader>)> next = [&](std::shared_ptr<reader> r) {
    r->in_out.reader.async_read_some(
      asio::buffer(r->in_out.in),
      asio::bind_cancellation_slot(r->signal.slot(), asio::bind_executor(r->strand, [&, r](error_code, std::size_t n) {
                                     r->received += n;
                                     if (++r->number == rounds)
                                     {
                                       wrong += r->received + r->in_out.reader.available() != r->sent;
                                       ++finished;
                                     }
                                     else
                                       next(r);
                                   })));
    const int number = r->number;
    r->timer.expires_after(std::chrono::microseconds(number % 40));
    r->timer.async_wait(asio::bind_executor(r->strand, [r, number](error_code) {
      if (r->number == number)
        r->signal.emit(asio::cancellation_type::total);
    }));
    if (number % 2 == 0)
    {
      ++r->sent;
      r->in_out.writer.async_write_some(asio::buffer("x", 1), [r](error_code, std::size_t) {});
    }
  };
  constexpr int readers = 8;
  {
    running_threads threads(ctx, 3);
    for (int i = 0; i < readers; ++i)
    {
      auto r = std::make_shared<reader>(ctx);
      asio::post(r->strand, [&next, r] { next(r); });
    }
    BOOST_TEST(soon([&] { return finished == readers; }, 15s));
  }
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(stopped_in_the_midst_and_run_again)
{
  constexpr std::size_t count = 50;
  for (int round = 0; round < 40; ++round)
  {
    auto token = std::make_shared<int>(0);
    std::array<ending, count> got;
    std::array<std::array<char, 1>, count> in;
    std::vector<std::unique_ptr<pair>> pairs;
    const bool is_destroyed_early = round % 4 == 3;
    {
      asio::io_context ctx;
      for (std::size_t i = 0; i < count; ++i)
      {
        pairs.push_back(std::make_unique<pair>(ctx));
        pairs[i]->reader.async_read_some(asio::buffer(in[i]),
                                         [&, i, token, handler = got[i].handler()](error_code ec, std::size_t n) {
                                           if (i == 7)
                                             ctx.stop();
                                           handler(ec, n);
                                         });
      }
      {
        running_threads threads(ctx, 2);
        for (auto& each : pairs)
          each->write_byte();
        soon([&] { return ctx.stopped(); });
      }
      // Some of them are at any point of their way now.
      for (std::size_t i = 0; i < count; i += 3)
        pairs[i]->reader.close();
      for (std::size_t i = 1; i < count; i += 3)
        pairs[i]->reader.cancel();
      if (!is_destroyed_early)
      {
        ctx.restart();
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i)
          threads.emplace_back([&] { ctx.run(); });
        // The handler that stops may not have run yet.
        for (auto& each : threads)
          each.join();
        ctx.restart();
        ctx.run();
      }
      pairs.clear();
    }
    BOOST_TEST_REQUIRE(token.use_count() == 1);
    for (std::size_t i = 0; i < count && !is_destroyed_early; ++i)
    {
      BOOST_TEST_REQUIRE(got[i].calls == 1);
      // Nobody cancelled the rest.
      BOOST_TEST_REQUIRE((got[i].bytes == 1u || (i % 3 != 2 && got[i].is_aborted)));
    }
  }
}
