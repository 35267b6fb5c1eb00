// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// The floor of the echo benchmarks: the same work as echo.cpp, written by hand on plain liburing.
// One thread, one io_uring_submit_and_wait per turn of the loop, single-shot accept, receive and send.
//
//   floor_echo --protocol=tcp|unix|udp --buffer=BYTES --flags=plain|coop|single_defer
//              [--path=FILE] [--slots=N] [--once=1] [--poll-first=1] [--register-ring=1] [--entries=N]
//              [--look-us=N] [--piece=BYTES]
//
// --once closes each connection after its first echo. --look-us is how long it looks for the next completion after it has accepted, before it
// sleeps: whoever connects many times would pay for waking it each time. --piece limits a send to a stream, as Asio's async_write does to 64 KiB.
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "floor_ring.hpp"
#include "usage_report.hpp"

namespace {

using bench::check;

// Room for the work of one turn at the largest connection count, so that a turn needs one system call.
constexpr unsigned default_entries = 1024;
constexpr int listen_backlog = 4096;

enum class step : std::uintptr_t
{
  accept = 0,
  receive = 1,
  send = 2
};
constexpr std::uintptr_t step_mask = 3;

struct connection
{
  int fd = -1;
  std::vector<char> buffer;
  std::size_t received = 0, sent = 0;
  // Only datagrams need an address and a message header; they cost a stream connection nothing in the loop.
  sockaddr_storage peer{};
  iovec piece{};
  msghdr message{};
};

struct settings
{
  std::string protocol, flags, path;
  std::size_t buffer, piece;
  unsigned slots, entries;
  bool poll_first, register_ring, once;
  std::chrono::microseconds look;
};

unsigned setup_flags(const std::string& name)
{
  if (name == "plain")
    return 0;
  if (name == "coop")
    return IORING_SETUP_COOP_TASKRUN;
  if (name == "coop_flag")
    return IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  if (name == "single_defer")
    return IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  throw std::invalid_argument("unknown --flags: " + name);
}

class echo_server
{
public:
  explicit echo_server(const settings& chosen) : chosen_(chosen)
  {
    io_uring_params params{};
    params.flags = setup_flags(chosen_.flags) | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP;
    params.cq_entries = chosen_.entries * 8;
    errno = -io_uring_queue_init_params(chosen_.entries, &ring_, &params);
    check(errno ? -1 : 0, "io_uring_queue_init_params");
    if (chosen_.register_ring)
      io_uring_register_ring_fd(&ring_);
    chosen_.protocol == "udp" ? open_datagram() : open_listener();
  }

  void run()
  {
    for (;;)
    {
      wait();
      unsigned head, count = 0;
      io_uring_cqe* cqe;
      io_uring_for_each_cqe(&ring_, head, cqe)
      {
        complete(cqe->user_data, cqe->res);
        ++count;
      }
      io_uring_cq_advance(&ring_, count);
    }
  }

private:
  void wait()
  {
    if (!std::exchange(has_accepted_, false) || !look_first())
      io_uring_submit_and_wait(&ring_, 1);
  }

  // Returns whether a completion is there.
  bool look_first()
  {
    io_uring_submit_and_get_events(&ring_);
    const auto end = std::chrono::steady_clock::now() + chosen_.look;
    while (!has_news())
      if (std::chrono::steady_clock::now() >= end)
        return false;
    if (io_uring_cq_ready(&ring_) == 0)
      io_uring_get_events(&ring_);
    return true;
  }

  bool has_news() const
  {
    return io_uring_cq_ready(&ring_) != 0 || (__atomic_load_n(ring_.sq.kflags, __ATOMIC_ACQUIRE) & IORING_SQ_TASKRUN);
  }

  static void tag(io_uring_sqe* sqe, connection* owner, step what)
  {
    io_uring_sqe_set_data64(sqe, reinterpret_cast<std::uintptr_t>(owner) | static_cast<std::uintptr_t>(what));
  }

  void complete(std::uint64_t data, int result)
  {
    auto* owner = reinterpret_cast<connection*>(data & ~step_mask);
    switch (static_cast<step>(data & step_mask))
    {
    case step::accept:
      start_accept();
      if (result >= 0)
        accepted(result);
      break;
    case step::receive:
      if (result <= 0)
        return finish(owner, result);
      owner->received = static_cast<std::size_t>(result);
      owner->sent = 0;
      start_send(owner);
      break;
    case step::send:
      if (result <= 0)
        return finish(owner, result);
      owner->sent += static_cast<std::size_t>(result);
      if (owner->sent < owner->received)
        return start_send(owner);
      if (chosen_.once)
        return finish(owner, result);
      start_receive(owner);
      break;
    }
  }

  void open_datagram()
  {
    const int fd = check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
    print_port(fd);
    for (unsigned i = 0; i < chosen_.slots; ++i)
      start_receive(new_connection(fd));
  }

  void open_listener()
  {
    if (chosen_.protocol == "unix")
    {
      listener_ = check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::snprintf(address.sun_path, sizeof address.sun_path, "%s", chosen_.path.c_str());
      check(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
      std::printf("%s\n", chosen_.path.c_str());
      std::fflush(stdout);
    }
    else
    {
      listener_ = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      check(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
      print_port(listener_);
    }
    check(listen(listener_, listen_backlog), "listen");
    start_accept();
  }

  static void print_port(int fd)
  {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    check(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
    std::printf("%u\n", ntohs(address.sin_port));
    std::fflush(stdout);
  }

  connection* new_connection(int fd)
  {
    auto* made = new connection;
    made->fd = fd;
    made->buffer.resize(chosen_.buffer);
    return made;
  }

  void accepted(int fd)
  {
    has_accepted_ = true;
    const int on = 1;
    if (chosen_.protocol == "tcp")
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    start_receive(new_connection(fd));
  }

  void start_accept()
  {
    io_uring_sqe* sqe = bench::next_sqe(ring_);
    io_uring_prep_accept(sqe, listener_, nullptr, nullptr, SOCK_CLOEXEC);
    tag(sqe, nullptr, step::accept);
  }

  void start_receive(connection* owner)
  {
    io_uring_sqe* sqe = bench::next_sqe(ring_);
    if (chosen_.protocol == "udp")
    {
      owner->piece = {owner->buffer.data(), owner->buffer.size()};
      owner->message = {};
      owner->message.msg_name = &owner->peer;
      owner->message.msg_namelen = sizeof owner->peer;
      owner->message.msg_iov = &owner->piece;
      owner->message.msg_iovlen = 1;
      io_uring_prep_recvmsg(sqe, owner->fd, &owner->message, 0);
    }
    else
    {
      io_uring_prep_recv(sqe, owner->fd, owner->buffer.data(), owner->buffer.size(), 0);
    }
    if (chosen_.poll_first)
      sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    tag(sqe, owner, step::receive);
  }

  void start_send(connection* owner)
  {
    io_uring_sqe* sqe = bench::next_sqe(ring_);
    if (chosen_.protocol == "udp")
    {
      owner->piece.iov_len = owner->received;
      io_uring_prep_sendmsg(sqe, owner->fd, &owner->message, MSG_NOSIGNAL);
    }
    else
    {
      // MSG_WAITALL makes the kernel finish a short send by itself.
      io_uring_prep_send(sqe, owner->fd, owner->buffer.data() + owner->sent,
                         std::min(owner->received - owner->sent, chosen_.piece), MSG_NOSIGNAL | MSG_WAITALL);
    }
    tag(sqe, owner, step::send);
  }

  // An error on the one datagram socket belongs to a peer, not to the server.
  void finish(connection* owner, int result)
  {
    if (chosen_.protocol == "udp" && result < 0)
      return start_receive(owner);
    close(owner->fd);
    delete owner;
  }

  settings chosen_;
  io_uring ring_{};
  int listener_ = -1;
  bool has_accepted_ = false;
};

} // namespace

int main(int argc, char** argv)
{
  bench::report_usage_on_sigterm();
  try
  {
    settings chosen{bench::option(argc, argv, "protocol", "tcp"),
                    bench::option(argc, argv, "flags", "single_defer"),
                    bench::option(argc, argv, "path", ""),
                    bench::number_option(argc, argv, "buffer", 4096),
                    bench::number_option(argc, argv, "piece", std::numeric_limits<std::size_t>::max()),
                    static_cast<unsigned>(bench::number_option(argc, argv, "slots", 16)),
                    static_cast<unsigned>(bench::number_option(argc, argv, "entries", default_entries)),
                    bench::number_option(argc, argv, "poll-first", 0) != 0,
                    bench::number_option(argc, argv, "register-ring", 0) != 0,
                    bench::number_option(argc, argv, "once", 0) != 0,
                    std::chrono::microseconds(bench::number_option(argc, argv, "look-us", 50))};
    echo_server(chosen).run();
  }
  catch (const std::exception& error)
  {
    std::fprintf(stderr, "floor_echo: %s\n", error.what());
    return 1;
  }
}
