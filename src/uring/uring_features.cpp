//
// uring/uring_features.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "uring_features.hpp"

#include "kernel_abi.hpp"

#include <algorithm>
#include <iterator>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace asio_proactor::uring {

namespace {

constexpr int required_opcodes[] = {
  IORING_OP_RECV,    IORING_OP_SEND,       IORING_OP_RECVMSG,     IORING_OP_SENDMSG,      IORING_OP_ACCEPT,
  IORING_OP_CONNECT, IORING_OP_POLL_ADD,   IORING_OP_READ,        IORING_OP_WRITE,        IORING_OP_READV,
  IORING_OP_WRITEV,  IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED, IORING_OP_ASYNC_CANCEL,
};

constexpr ring_options small_ring{4, 0, 0};

bool has_required_opcodes(ring& r)
{
  ::io_uring_probe* p = ::io_uring_get_probe_ring(r.native());
  if (!p)
    return false;
  const bool all = std::all_of(std::begin(required_opcodes), std::end(required_opcodes),
                               [p](int opcode) { return ::io_uring_opcode_supported(p, opcode) != 0; });
  ::io_uring_free_probe(p);
  return all;
}

template <unsigned Bit>
bool has_feature_bit(ring& r)
{
  return r.has_feature(Bit);
}

template <unsigned Flags>
bool accepts_setup_flags(ring&)
{
  ring other;
  ring_options options = small_ring;
  options.setup_flags = Flags;
  return other.open(options) == 0;
}

// Older kernels refuse the flag, which stands in a field that they expect to be 0.
bool has_multishot_poll(ring& r)
{
  const int readable = ::eventfd(1, EFD_CLOEXEC);
  if (readable < 0)
    return false;
  ::io_uring_prep_poll_multishot(r.next_entry(), readable, POLLIN);
  ::io_uring_cqe* cqe = nullptr;
  const bool is_answered = ::io_uring_submit_and_wait(r.native(), 1) == 1 && ::io_uring_peek_cqe(r.native(), &cqe) == 0;
  const bool is_accepted = is_answered && cqe->res >= 0;
  ::close(readable);
  return is_accepted;
}

bool can_register_ring(ring& r)
{
  return ::io_uring_register_ring_fd(r.native()) == 1;
}

struct used_feature
{
  const char* name;
  const char* since;
  bool is_required;
  bool (*is_there)(ring&);
  const char* used_for;
  const char* otherwise;
};

constexpr const char* epoll_serves = "epoll serves";

// Source of the releases: io_uring_setup(2), io_uring_enter(2), io_uring_register(2) of liburing.
constexpr used_feature used_features[] = {
  {"IORING_FEAT_NODROP", "5.5", true, has_feature_bit<IORING_FEAT_NODROP>, "more completions than the queue holds",
   epoll_serves},
  {"IORING_OP_*: 14 kinds of request", "5.6", true, has_required_opcodes,
   "accept, connect, receive, send, read, write, poll, cancel", epoll_serves},
  {"IORING_FEAT_FAST_POLL", "5.7", true, has_feature_bit<IORING_FEAT_FAST_POLL>,
   "sockets that wait without a worker thread", epoll_serves},
  {"IORING_FEAT_EXT_ARG", "5.11", true, has_feature_bit<IORING_FEAT_EXT_ARG>,
   "waiting until the next timer in the same call", epoll_serves},
  {"IORING_POLL_ADD_MULTI", "5.13", false, has_multishot_poll, "wake-ups from other threads, armed once",
   "armed again after each"},
  {"IORING_FEAT_CQE_SKIP", "5.17", false, has_feature_bit<IORING_FEAT_CQE_SKIP>,
   "cancelling without a completion of its own", "one more completion per cancellation"},
  {"IORING_REGISTER_RING_FDS", "5.18", false, can_register_ring, "cheaper system calls in a loop with one thread",
   "a look-up of the descriptor per call"},
  {"IORING_SETUP_COOP_TASKRUN", "5.19", false,
   accepts_setup_flags<IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG>,
   "completions that do not interrupt the program", "an interrupt per completion: about twice the CPU"},
  {"IORING_SETUP_DEFER_TASKRUN", "6.1", false,
   accepts_setup_flags<IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN>,
   "a ring of its own for a thread that is alone in run()", "the ring that all threads share"},
  {"IORING_ENTER_NO_IOWAIT", "6.15", false, has_feature_bit<abi::feature_no_iowait>, "waiting that counts as idle time",
   "waiting is shown as I/O wait"},
};

} // namespace

bool has_all_required(ring& r)
{
  return std::all_of(std::begin(used_features), std::end(used_features),
                     [&r](const used_feature& f) { return !f.is_required || f.is_there(r); });
}

std::vector<kernel_feature> find_features()
{
  ring r;
  const bool is_open = r.open(small_ring) == 0;
  std::vector<kernel_feature> found;
  for (const used_feature& f : used_features)
    found.push_back({f.name, f.since, f.is_required, is_open && f.is_there(r), f.used_for, f.otherwise});
  return found;
}

} // namespace asio_proactor::uring
