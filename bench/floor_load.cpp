// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// The load generator of the echo benchmarks: plain liburing with multishot receives and sends that report nothing but failure,
// one thread, so that a message costs it less than it costs the servers it measures.
// Every byte that comes back is compared with what has to come back. The result is one line of JSON on stdout.
//
//   floor_load --protocol=tcp|unix|udp (--port=N | --path=FILE) --connections=C --size=BYTES --depth=D
//              --warmup-ms=N --ms=N [--pid=SERVER] [--reconnect=1] [--hold=1]
//
// Instead of --size, --send=FILE and --receive=FILE name a request and the answer to expect, such as those of HTTP.
// --depth keeps that many messages in flight per connection. --reconnect has each message use a connection of its own,
// which the server closes. --pid adds the CPU time that the server process spent in the measured window.
// --hold prints "ready" once connected and waits for a line on stdin, so that a tracer sees the messages and nothing else.
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "clock.hpp"
#include "floor_ring.hpp"
#include "histogram.hpp"
#include "usage_report.hpp"

namespace {

using bench::check;
using bench::check_ring;
using bench::clock_ns;

// A prime, so that a message never lines up with the pattern and a shifted echo is noticed.
constexpr std::size_t pattern_period = 65521;
// A message that has not come back this long after the end is lost: the run fails.
constexpr std::uint64_t drain_limit_ns = 3'000'000'000;
constexpr unsigned ring_entries = 2048;
constexpr unsigned completion_entries = 32768;
// Small messages need many buffers of a few bytes, large ones few that still fit a cache.
constexpr std::size_t small_buffer = 4096, large_buffer = 65536;
constexpr unsigned small_buffer_count = 2048, large_buffer_count = 128;
constexpr std::uint64_t send_tag = 1;

// What a message and its answer look like, over and over: an endless stream of known bytes.
class byte_stream
{
public:
  // An echo: bytes that repeat so late and so oddly that a lost or shifted piece is noticed.
  static byte_stream pattern(std::size_t message_size)
  {
    std::vector<char> bytes(pattern_period);
    for (std::size_t i = 0; i < pattern_period; ++i)
      bytes[i] = static_cast<char>((i * i + 31 * i) >> 3);
    return byte_stream(std::move(bytes), message_size);
  }

  static byte_stream file(const std::string& path)
  {
    std::ifstream input(path, std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(input)), std::istreambuf_iterator<char>());
    if (bytes.empty())
      throw std::runtime_error("nothing to read in " + path);
    const std::size_t size = bytes.size();
    return byte_stream(std::move(bytes), size);
  }

  std::size_t message_size() const { return message_size_; }
  const char* at(std::uint64_t offset) const { return bytes_.data() + offset % period_; }

  // Lets at() be read for this many bytes from any offset.
  void extend(std::size_t length)
  {
    while (bytes_.size() < period_ + length)
      bytes_.push_back(bytes_[bytes_.size() - period_]);
  }

private:
  byte_stream(std::vector<char> bytes, std::size_t message_size)
    : bytes_(std::move(bytes)),
      period_(bytes_.size()),
      message_size_(message_size)
  {}

  std::vector<char> bytes_;
  std::size_t period_, message_size_;
};

struct settings
{
  std::string protocol, path, send, receive;
  std::uint16_t port;
  std::size_t connections, size, depth;
  std::uint64_t warmup_ns, measure_ns;
  pid_t pid;
  bool reconnect, hold;
};

struct client
{
  int fd = -1;
  bool sending = false;
  // Positions in the endless stream of pattern bytes; they differ between connections so that mixed-up echoes show.
  std::uint64_t origin = 0, queued = 0, sent = 0, received = 0;
  std::vector<std::uint64_t> sent_at;
};

// The ring and the buffers that the kernel picks from for each receive.
class receiving_ring
{
public:
  receiving_ring(std::size_t buffer_size, unsigned count) : buffer_size_(buffer_size), count_(count)
  {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = completion_entries;
    check_ring(io_uring_queue_init_params(ring_entries, &ring_, &params), "io_uring_queue_init_params");
    void* memory =
      mmap(nullptr, count * sizeof(io_uring_buf), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (memory == MAP_FAILED)
      throw std::bad_alloc();
    provided_ = static_cast<io_uring_buf_ring*>(memory);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
    registration.ring_entries = count;
    check_ring(io_uring_register_buf_ring(&ring_, &registration, 0), "io_uring_register_buf_ring");
    io_uring_buf_ring_init(provided_);
    bytes_.resize(buffer_size * count);
    for (unsigned i = 0; i < count; ++i)
      give_back(i);
  }

  io_uring* operator->() { return &ring_; }
  io_uring* get() { return &ring_; }

  const char* buffer(unsigned index) const { return bytes_.data() + index * buffer_size_; }

  void give_back(unsigned index)
  {
    io_uring_buf_ring_add(provided_, bytes_.data() + index * buffer_size_, static_cast<unsigned>(buffer_size_),
                          static_cast<unsigned short>(index), io_uring_buf_ring_mask(count_), 0);
    io_uring_buf_ring_advance(provided_, 1);
  }

  io_uring_sqe* next_sqe() { return bench::next_sqe(ring_); }

private:
  std::size_t buffer_size_;
  unsigned count_;
  io_uring ring_{};
  io_uring_buf_ring* provided_ = nullptr;
  std::vector<char> bytes_;
};

class load
{
public:
  explicit load(const settings& chosen)
    : chosen_(chosen),
      out_(chosen.send.empty() ? byte_stream::pattern(chosen.size) : byte_stream::file(chosen.send)),
      in_(chosen.send.empty() ? byte_stream::pattern(chosen.size) : byte_stream::file(chosen.receive)),
      ring_(in_.message_size() <= small_buffer ? small_buffer : large_buffer,
            in_.message_size() <= small_buffer ? small_buffer_count : large_buffer_count)
  {
    out_.extend(out_.message_size() * chosen_.depth);
    in_.extend(large_buffer);
    if (chosen_.pid && clock_getcpuclockid(chosen_.pid, &server_clock_))
      throw std::runtime_error("no such --pid");
    clients_.resize(chosen_.connections);
    for (std::size_t i = 0; i < clients_.size(); ++i)
    {
      clients_[i].sent_at.resize(chosen_.depth);
      clients_[i].origin = chosen_.send.empty() ? i * 7919 : 0;
      open(clients_[i]);
    }
  }

  void run()
  {
    if (chosen_.hold)
    {
      std::puts("ready");
      std::fflush(stdout);
      if (std::getchar() == EOF)
        throw std::runtime_error("stdin was closed before the start");
    }
    now_ = clock_ns(CLOCK_MONOTONIC);
    for (client& each : clients_)
      top_up(each, chosen_.depth);
    run_until(now_ + chosen_.warmup_ns);
    latency_.clear();
    const std::uint64_t first_message = messages_, start = now_, server_start = server_cpu();
    const std::uint64_t own_start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    run_until(now_ + chosen_.measure_ns);
    const double seconds = static_cast<double>(now_ - start) / 1e9;
    const double count = static_cast<double>(messages_ - first_message);
    const double server_us = static_cast<double>(server_cpu() - server_start) / 1e3;
    const double own_us = static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own_start) / 1e3;
    drain();
    std::printf(
      "{\"messages\": %.0f, \"seconds\": %.4f, \"messages_per_second\": %.1f, \"server_cpu_us_per_message\": %.4f, "
      "\"server_busy\": %.3f, \"load_busy\": %.3f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, "
      "\"total_messages\": %llu}\n",
      count, seconds, count / seconds, count ? server_us / count : 0, server_us / 1e6 / seconds, own_us / 1e6 / seconds,
      latency_.percentile_us(0.5), latency_.percentile_us(0.99), latency_.percentile_us(0.999),
      static_cast<unsigned long long>(messages_));
    if (count == 0)
      throw std::runtime_error("no message came back");
  }

private:
  std::uint64_t server_cpu() const { return chosen_.pid ? clock_ns(server_clock_) : 0; }

  // A stream may carry one send at a time, or the kernel could put their bytes out of order. Where a connection never has
  // more than one message in flight, there can be no second send, and success need not be reported.
  bool sends_silently() const { return chosen_.depth == 1 || datagrams(); }
  bool datagrams() const { return chosen_.protocol == "udp"; }

  void open(client& each)
  {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_in);
    int family = AF_INET;
    if (chosen_.protocol == "unix")
    {
      auto& address = reinterpret_cast<sockaddr_un&>(storage);
      address.sun_family = AF_UNIX;
      std::snprintf(address.sun_path, sizeof address.sun_path, "%s", chosen_.path.c_str());
      length = sizeof address;
      family = AF_UNIX;
    }
    else
    {
      auto& address = reinterpret_cast<sockaddr_in&>(storage);
      address.sin_family = AF_INET;
      address.sin_port = htons(chosen_.port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    each.fd = check(socket(family, (datagrams() ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0), "socket");
    check(connect(each.fd, reinterpret_cast<sockaddr*>(&storage), length), "connect");
    const int on = 1;
    if (chosen_.protocol == "tcp")
      setsockopt(each.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    start_receive(each);
  }

  void start_receive(client& each)
  {
    io_uring_sqe* sqe = ring_.next_sqe();
    io_uring_prep_recv_multishot(sqe, each.fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    io_uring_sqe_set_data(sqe, &each);
  }

  void run_until(std::uint64_t end)
  {
    while (now_ < end)
    {
      __kernel_timespec limit{0, 100'000'000};
      io_uring_cqe* cqe;
      io_uring_submit_and_wait_timeout(ring_.get(), &cqe, 1, &limit, nullptr);
      now_ = clock_ns(CLOCK_MONOTONIC);
      unsigned head, count = 0;
      io_uring_for_each_cqe(ring_.get(), head, cqe)
      {
        complete(*cqe);
        ++count;
      }
      io_uring_cq_advance(ring_.get(), count);
    }
  }

  // Every message is waited for, so that none can be lost unnoticed and a count of system calls fits a count of messages.
  void drain()
  {
    stopping_ = true;
    const std::uint64_t end = now_ + drain_limit_ns;
    const auto busy = [this](const client& each) { return each.received < expected(each); };
    while (std::any_of(clients_.begin(), clients_.end(), busy))
    {
      if (now_ >= end)
        throw std::runtime_error("messages were lost");
      run_until(now_ + 1);
    }
  }

  // Bytes that all messages handed to the kernel so far will bring back.
  std::uint64_t expected(const client& each) const { return each.queued / out_.message_size() * in_.message_size(); }

  void complete(const io_uring_cqe& cqe)
  {
    if (cqe.user_data == LIBURING_UDATA_TIMEOUT)
      return;
    client& each = *reinterpret_cast<client*>(cqe.user_data & ~send_tag);
    if (cqe.user_data & send_tag)
      return sent(each, cqe.res);
    if (cqe.res > 0)
    {
      const unsigned index = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
      received(each, ring_.buffer(index), static_cast<std::size_t>(cqe.res));
      ring_.give_back(index);
      if (!(cqe.flags & IORING_CQE_F_MORE))
        start_receive(each);
    }
    else if (cqe.res == -ENOBUFS)
    {
      start_receive(each);
    }
    else
    {
      closed(each, -cqe.res);
    }
  }

  void sent(client& each, int result)
  {
    each.sent += static_cast<std::uint64_t>(check_ring(result, "send"));
    each.sending = false;
    send_rest(each);
  }

  void closed(client& each, int error)
  {
    errno = error;
    check(error ? -1 : 0, "recv");
    if (!chosen_.reconnect || each.received < expected(each))
      throw std::runtime_error("the server closed a connection that was in use");
    close(each.fd);
    count_messages(each, 0, 1);
    if (stopping_)
      return;
    each.queued = each.sent = each.received = 0;
    now_ = clock_ns(CLOCK_MONOTONIC);
    open(each);
    top_up(each, 1);
  }

  void received(client& each, const char* bytes, std::size_t size)
  {
    if (std::memcmp(bytes, in_.at(each.origin + each.received), size) != 0)
      throw std::runtime_error("other bytes came back than had to come back");
    const std::uint64_t before = each.received / in_.message_size();
    each.received += size;
    if (each.received > expected(each))
      throw std::runtime_error("more bytes came back than were asked for");
    const std::uint64_t after = each.received / in_.message_size();
    if (after == before || chosen_.reconnect)
      return;
    count_messages(each, before, after);
    if (!stopping_)
      top_up(each, after - before);
  }

  void count_messages(client& each, std::uint64_t before, std::uint64_t after)
  {
    now_ = clock_ns(CLOCK_MONOTONIC);
    for (std::uint64_t i = before; i < after; ++i)
      latency_.add(now_ - each.sent_at[i % chosen_.depth]);
    messages_ += after - before;
  }

  void top_up(client& each, std::uint64_t count)
  {
    const std::uint64_t first = each.queued / out_.message_size();
    for (std::uint64_t i = first; i < first + count; ++i)
      each.sent_at[i % chosen_.depth] = now_;
    each.queued += count * out_.message_size();
    send_rest(each);
  }

  void send_rest(client& each)
  {
    while (each.sent < each.queued && !each.sending)
    {
      const std::size_t length = datagrams() ? out_.message_size() : static_cast<std::size_t>(each.queued - each.sent);
      io_uring_sqe* sqe = ring_.next_sqe();
      io_uring_prep_send(sqe, each.fd, out_.at(each.origin + each.sent), length, MSG_NOSIGNAL | MSG_WAITALL);
      io_uring_sqe_set_data64(sqe, reinterpret_cast<std::uintptr_t>(&each) | send_tag);
      if (sends_silently())
      {
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        each.sent += length;
      }
      else
      {
        each.sending = true;
      }
    }
  }

  settings chosen_;
  byte_stream out_, in_;
  receiving_ring ring_;
  std::vector<client> clients_;
  bench::histogram latency_;
  clockid_t server_clock_{};
  bool stopping_ = false;
  std::uint64_t now_ = 0, messages_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
  try
  {
    settings chosen{bench::option(argc, argv, "protocol", "tcp"),
                    bench::option(argc, argv, "path", ""),
                    bench::option(argc, argv, "send", ""),
                    bench::option(argc, argv, "receive", ""),
                    static_cast<std::uint16_t>(bench::number_option(argc, argv, "port", 0)),
                    bench::number_option(argc, argv, "connections", 1),
                    bench::number_option(argc, argv, "size", 64),
                    bench::number_option(argc, argv, "depth", 1),
                    bench::number_option(argc, argv, "warmup-ms", 200) * 1'000'000,
                    bench::number_option(argc, argv, "ms", 1000) * 1'000'000,
                    static_cast<pid_t>(bench::number_option(argc, argv, "pid", 0)),
                    bench::number_option(argc, argv, "reconnect", 0) != 0,
                    bench::number_option(argc, argv, "hold", 0) != 0};
    auto generator = std::make_unique<load>(chosen);
    generator->run();
  }
  catch (const std::exception& error)
  {
    std::fprintf(stderr, "floor_load: %s\n", error.what());
    return 1;
  }
}
