// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// What sending without a copy costs beside a plain send, on plain liburing; bench/zero_copy runs it.
//
//   floor_zero_copy --sink=ADDRESS                    reads and discards; prints its port
//   floor_zero_copy --to=ADDRESS --port=N --pid=SINK --size=BYTES --connections=C --ms=N
//                   --mode=plain|bounded|zero_copy|registered
//
// As with async_write, each connection has one message on its way, and the next one begins when the buffer may be changed again.
// Without a copy, no more than that is on its way. A plain send ends when its bytes are in the socket's buffer, which lets more pile up
// than a cache holds; "bounded" is a plain send with a socket buffer of the size of one message, to tell the two effects apart.
// Prints one line of JSON; "copied" is the share of messages that the kernel copied after all.
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "clock.hpp"
#include "floor_ring.hpp"
#include "usage_report.hpp"

namespace {

using bench::check;
using bench::check_ring;
using bench::clock_ns;

// From Linux 6.2; the header of liburing 2.3 is older.
constexpr unsigned report_usage = 1u << 3;
constexpr unsigned was_copied = 1u << 31;
constexpr std::size_t sink_buffer = 256 * 1024;
constexpr std::uint64_t warmup_ns = 100'000'000;

sockaddr_in address_of(const std::string& text, std::uint16_t port)
{
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1)
    throw std::invalid_argument("not an address: " + text);
  return address;
}

int tcp_socket()
{
  return check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
}

struct connection
{
  int fd;
  std::vector<char> buffer;
};

class ring_user
{
public:
  ring_user()
  {
    check_ring(io_uring_queue_init(256, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN),
               "io_uring_queue_init");
  }

protected:
  template <class Complete>
  void turn(Complete complete)
  {
    check_ring(io_uring_submit_and_wait(&ring_, 1), "io_uring_submit_and_wait");
    unsigned head, count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(&ring_, head, cqe)
    {
      complete(reinterpret_cast<connection*>(cqe->user_data), *cqe);
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
  }

  io_uring ring_{};
};

class sink : ring_user
{
public:
  explicit sink(const std::string& address) : listener_(tcp_socket())
  {
    sockaddr_in local = address_of(address, 0);
    socklen_t length = sizeof local;
    check(bind(listener_, reinterpret_cast<sockaddr*>(&local), length), "bind");
    check(listen(listener_, 128), "listen");
    check(getsockname(listener_, reinterpret_cast<sockaddr*>(&local), &length), "getsockname");
    std::printf("%u\n", ntohs(local.sin_port));
    std::fflush(stdout);
  }

  void run()
  {
    accept();
    for (;;)
      turn(
        [this](connection* owner, const io_uring_cqe& cqe) { owner ? received(owner, cqe.res) : accepted(cqe.res); });
  }

private:
  void accept()
  {
    io_uring_sqe* sqe = bench::next_sqe(ring_);
    io_uring_prep_accept(sqe, listener_, nullptr, nullptr, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, nullptr);
  }

  void accepted(int fd)
  {
    check_ring(fd, "accept");
    receive(new connection{fd, std::vector<char>(sink_buffer)});
    accept();
  }

  void receive(connection* owner)
  {
    io_uring_sqe* sqe = bench::next_sqe(ring_);
    io_uring_prep_recv(sqe, owner->fd, owner->buffer.data(), owner->buffer.size(), 0);
    io_uring_sqe_set_data(sqe, owner);
  }

  void received(connection* owner, int result)
  {
    if (result > 0)
      return receive(owner);
    close(owner->fd);
    delete owner;
  }

  int listener_;
};

enum class mode
{
  plain,
  bounded,
  zero_copy,
  registered
};

mode mode_of(const std::string& name)
{
  if (name == "plain")
    return mode::plain;
  if (name == "bounded")
    return mode::bounded;
  if (name == "zero_copy")
    return mode::zero_copy;
  if (name == "registered")
    return mode::registered;
  throw std::invalid_argument("unknown --mode: " + name);
}

class sender : ring_user
{
public:
  sender(mode how, std::size_t size, std::size_t connections, const sockaddr_in& to) : how_(how), size_(size)
  {
    std::vector<iovec> pieces;
    for (std::size_t i = 0; i < connections; ++i)
    {
      auto made = std::make_unique<connection>(connection{tcp_socket(), std::vector<char>(size, 'x')});
      check(connect(made->fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
      const int on = 1;
      check(setsockopt(made->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
      // Linux doubles it, for its own part of the memory. More than the usual limit takes privileges.
      const int bound = static_cast<int>(size);
      if (how == mode::bounded && setsockopt(made->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bound, sizeof bound) != 0)
        check(setsockopt(made->fd, SOL_SOCKET, SO_SNDBUF, &bound, sizeof bound), "setsockopt");
      pieces.push_back({made->buffer.data(), size});
      connections_.push_back(std::move(made));
    }
    if (how == mode::registered)
      check_ring(io_uring_register_buffers(&ring_, pieces.data(), static_cast<unsigned>(pieces.size())),
                 "register_buffers");
  }

  void run(std::uint64_t measure_ns, clockid_t sink_clock)
  {
    for (std::size_t i = 0; i < connections_.size(); ++i)
      send(i);
    run_for(warmup_ns);
    messages_ = copied_ = 0;
    const std::uint64_t start = clock_ns(CLOCK_MONOTONIC), own = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
                        theirs = clock_ns(sink_clock);
    run_for(measure_ns);
    const double seconds = static_cast<double>(clock_ns(CLOCK_MONOTONIC) - start) / 1e9,
                 count = static_cast<double>(messages_);
    std::printf("{\"messages\": %.0f, \"messages_per_second\": %.1f, \"sender_cpu_us_per_message\": %.3f, "
                "\"sink_cpu_us_per_message\": %.3f, \"copied\": %.3f}\n",
                count, count / seconds, static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own) / 1e3 / count,
                static_cast<double>(clock_ns(sink_clock) - theirs) / 1e3 / count, static_cast<double>(copied_) / count);
  }

private:
  void run_for(std::uint64_t ns)
  {
    const std::uint64_t end = clock_ns(CLOCK_MONOTONIC) + ns;
    while (clock_ns(CLOCK_MONOTONIC) < end)
      turn(
        [this](connection* owner, const io_uring_cqe& cqe) { complete(reinterpret_cast<std::uintptr_t>(owner), cqe); });
  }

  void send(std::size_t index)
  {
    connection& from = *connections_[index];
    constexpr int flags = MSG_NOSIGNAL | MSG_WAITALL;
    io_uring_sqe* sqe = bench::next_sqe(ring_);
    if (how_ == mode::plain || how_ == mode::bounded)
      io_uring_prep_send(sqe, from.fd, from.buffer.data(), size_, flags);
    else if (how_ == mode::zero_copy)
      io_uring_prep_send_zc(sqe, from.fd, from.buffer.data(), size_, flags, report_usage);
    else
      io_uring_prep_send_zc_fixed(sqe, from.fd, from.buffer.data(), size_, flags, report_usage,
                                  static_cast<unsigned>(index));
    io_uring_sqe_set_data64(sqe, index);
  }

  // The kernel reports first what it sent and then, as a notification, that it no longer needs the buffer.
  void complete(std::size_t index, const io_uring_cqe& cqe)
  {
    if (cqe.flags & IORING_CQE_F_NOTIF)
      copied_ += (static_cast<unsigned>(cqe.res) & was_copied) != 0;
    else if (check_ring(cqe.res, "send") != static_cast<int>(size_))
      throw std::runtime_error("a send was short");
    if (cqe.flags & IORING_CQE_F_MORE)
      return;
    ++messages_;
    send(index);
  }

  const mode how_;
  const std::size_t size_;
  std::vector<std::unique_ptr<connection>> connections_;
  std::uint64_t messages_ = 0, copied_ = 0;
};

void run_sender(int argc, char** argv)
{
  const auto port = static_cast<std::uint16_t>(bench::number_option(argc, argv, "port", 0));
  clockid_t sink_clock;
  if (clock_getcpuclockid(static_cast<pid_t>(bench::number_option(argc, argv, "pid", 0)), &sink_clock))
    throw std::runtime_error("no such --pid");
  sender sending(mode_of(bench::option(argc, argv, "mode", "plain")), bench::number_option(argc, argv, "size", 16384),
                 bench::number_option(argc, argv, "connections", 4),
                 address_of(bench::option(argc, argv, "to", "127.0.0.1"), port));
  sending.run(bench::number_option(argc, argv, "ms", 1000) * 1'000'000, sink_clock);
}

} // namespace

int main(int argc, char** argv)
{
  try
  {
    const std::string sink_address = bench::option(argc, argv, "sink", "");
    if (sink_address.empty())
      run_sender(argc, argv);
    else
      sink(sink_address).run();
  }
  catch (const std::exception& error)
  {
    std::fprintf(stderr, "floor_zero_copy: %s\n", error.what());
    return 1;
  }
}
