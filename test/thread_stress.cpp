// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Sockets and timers that are started, cancelled, closed, renewed and moved between contexts by any of many threads, at random. Every handler is
// called exactly once, and every byte that was written is read, in order. ASIO_PROACTOR_STRESS_SECONDS makes it last longer,
// ASIO_PROACTOR_STRESS_THREADS is how many run each of the two contexts, and ASIO_PROACTOR_STRESS_SEED repeats the decisions, though not what
// the threads make of them.

#define BOOST_TEST_MODULE thread_stress
#include <boost/test/included/unit_test.hpp>

#include "support/environment.hpp"
#include "support/net.hpp"
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

using namespace test_support;

namespace {

struct tally
{
  std::atomic<long> started{0}, ended{0}, called_twice{0}, wrong_bytes{0}, bytes{0};
};

// What a handler carries to prove that it is called once.
class ticket
{
public:
  explicit ticket(tally& t) : tally_(t), was_used_(std::make_shared<std::atomic<bool>>(false)) { ++t.started; }

  void use() const
  {
    if (was_used_->exchange(true))
      ++tally_.called_twice;
    else
      ++tally_.ended;
  }

private:
  tally& tally_;
  std::shared_ptr<std::atomic<bool>> was_used_;
};

// A pair of connected sockets and a timer, which any thread may do something to while it holds the lock.
class victim : public std::enable_shared_from_this<victim>
{
public:
  victim(std::vector<std::unique_ptr<asio::io_context>>& contexts, tally& t, unsigned long seed)
    : contexts_(contexts),
      tally_(t),
      random_(seed),
      writer_(*contexts[0]),
      reader_(*contexts[0]),
      timer_(*contexts[0])
  {
    renew();
  }

  void do_something()
  {
    std::lock_guard<std::mutex> lock(mutex_);
    switch (random_() % 16)
    {
    case 0: return cancel(writer_);
    case 1: return cancel(reader_);
    case 2: return renew();
    case 3: return move(writer_);
    case 4: return move(reader_);
    case 5: timer_.cancel(); return;
    case 6: return arm();
    case 7: return wait(reader_, socket::wait_read);
    case 8: return wait(writer_, socket::wait_write);
    case 9: return jump();
    default: go_on();
    }
  }

  void end()
  {
    std::lock_guard<std::mutex> lock(mutex_);
    error_code ignored;
    writer_.close(ignored);
    reader_.close(ignored);
    timer_.cancel();
    is_over_ = true;
  }

private:
  using socket = asio::local::stream_protocol::socket;

  asio::io_context& any_context() { return *contexts_[random_() % contexts_.size()]; }

  static void cancel(socket& s)
  {
    error_code ignored;
    s.cancel(ignored);
  }

  void renew()
  {
    if (is_over_)
      return;
    error_code ignored;
    writer_.close(ignored);
    reader_.close(ignored);
    writer_ = socket(any_context());
    reader_ = socket(any_context());
    asio::local::connect_pair(writer_, reader_);
    // What the old pair had under way ends for the old pair.
    ++generation_;
    is_writing_ = is_reading_ = false;
    to_write_ = to_read_ = 0;
    go_on();
  }

  // What is under way ends, and goes on in another context, where it was.
  void move(socket& s)
  {
    if (!s.is_open() || is_writing_ || is_reading_)
      return cancel(s);
    socket moved(any_context());
    moved.assign(asio::local::stream_protocol(), s.release());
    s = std::move(moved);
    go_on();
  }

  void arm()
  {
    if (is_over_)
      return;
    timer_.expires_after(std::chrono::microseconds(random_() % 300));
    timer_.async_wait([self = shared_from_this(), t = ticket(tally_)](error_code) { t.use(); });
  }

  void wait(socket& s, socket::wait_type what)
  {
    if (s.is_open())
      s.async_wait(what, [self = shared_from_this(), t = ticket(tally_)](error_code) { t.use(); });
  }

  void jump()
  {
    // A context that has run out of work calls nothing any more.
    if (is_over_)
      return;
    asio::post(any_context(), [self = shared_from_this(), t = ticket(tally_)] {
      t.use();
      std::lock_guard<std::mutex> lock(self->mutex_);
      self->go_on();
    });
  }

  void go_on()
  {
    if (!is_over_ && writer_.is_open() && !weak_from_this().expired())
    {
      write();
      read();
    }
  }

  void write()
  {
    if (is_writing_)
      return;
    is_writing_ = true;
    // Short, so that a reader who does not read does not stop everything.
    for (std::size_t i = 0; i < out_.size(); ++i)
      out_[i] = static_cast<unsigned char>(to_write_ + i);
    const std::size_t size = 1 + random_() % out_.size();
    writer_.async_write_some(asio::buffer(out_, size), [self = shared_from_this(), t = ticket(tally_),
                                                        g = generation_](error_code, std::size_t n) {
      t.use();
      std::lock_guard<std::mutex> lock(self->mutex_);
      if (g != self->generation_)
        return;
      self->is_writing_ = false;
      self->to_write_ += n;
    });
  }

  void read()
  {
    if (is_reading_)
      return;
    is_reading_ = true;
    auto in = std::make_shared<std::array<unsigned char, 64>>();
    reader_.async_read_some(asio::buffer(*in), [self = shared_from_this(), t = ticket(tally_), in,
                                                g = generation_](error_code ec, std::size_t n) {
      t.use();
      std::lock_guard<std::mutex> lock(self->mutex_);
      if (g != self->generation_)
        return;
      self->is_reading_ = false;
      for (std::size_t i = 0; i < n; ++i)
        self->tally_.wrong_bytes += (*in)[i] != static_cast<unsigned char>(self->to_read_ + i);
      self->to_read_ += n;
      self->tally_.bytes += static_cast<long>(n);
      if (!ec)
        self->go_on();
    });
  }

  std::vector<std::unique_ptr<asio::io_context>>& contexts_;
  tally& tally_;
  std::mutex mutex_;
  std::mt19937_64 random_;
  socket writer_, reader_;
  asio::steady_timer timer_;
  std::array<unsigned char, 48> out_{};
  std::size_t to_write_ = 0, to_read_ = 0;
  unsigned generation_ = 0;
  bool is_writing_ = false, is_reading_ = false, is_over_ = false;
};

} // namespace

BOOST_AUTO_TEST_CASE(everything_from_every_thread)
{
  const auto seconds = std::chrono::seconds(number_from_environment("ASIO_PROACTOR_STRESS_SECONDS", 2));
  const unsigned long seed = number_from_environment("ASIO_PROACTOR_STRESS_SEED", std::random_device{}());
  const unsigned long runners_of_each = number_from_environment("ASIO_PROACTOR_STRESS_THREADS", 3);
  BOOST_TEST_MESSAGE("ASIO_PROACTOR_STRESS_SEED=" << seed);
  constexpr int victims_count = 40, disturbers = 2;

  tally t;
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  std::vector<std::unique_ptr<work_guard>> work;
  std::vector<std::thread> runners, others;
  for (int i = 0; i < 2; ++i)
  {
    contexts.push_back(std::make_unique<asio::io_context>());
    work.push_back(std::make_unique<work_guard>(contexts.back()->get_executor()));
  }
  std::vector<std::shared_ptr<victim>> victims;
  for (int i = 0; i < victims_count; ++i)
    victims.push_back(std::make_shared<victim>(contexts, t, seed + static_cast<unsigned long>(i)));
  for (auto& ctx : contexts)
    for (unsigned long i = 0; i < runners_of_each; ++i)
      runners.emplace_back([&ctx] { ctx->run(); });

  const auto end = steady::now() + seconds;
  for (int i = 0; i < disturbers; ++i)
    others.emplace_back([&, i] {
      std::mt19937_64 random(seed + 1000 + static_cast<unsigned long>(i));
      while (steady::now() < end)
      {
        for (int n = 0; n < 20; ++n)
          victims[random() % victims.size()]->do_something();
        // From inside a handler as well, on whichever thread that is.
        asio::post(*contexts[random() % contexts.size()], [v = victims[random() % victims.size()], k = ticket(t)] {
          k.use();
          v->do_something();
        });
        if (random() % 8 == 0)
          std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
      }
    });
  for (auto& each : others)
    each.join();
  for (auto& each : victims)
    each->end();
  work.clear();
  for (auto& each : runners)
    each.join();

  BOOST_TEST_MESSAGE(t.ended << " handlers, " << t.bytes << " bytes");
  BOOST_TEST(t.started == t.ended);
  BOOST_TEST(t.called_twice == 0);
  BOOST_TEST(t.wrong_bytes == 0);
  BOOST_TEST(t.bytes > 0);
}
