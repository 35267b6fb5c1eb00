// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)

// What the hand-written programs do with a ring.

#ifndef ASIO_PROACTOR_BENCH_FLOOR_RING_HPP
#define ASIO_PROACTOR_BENCH_FLOOR_RING_HPP

#include <liburing.h>

#include <cerrno>
#include <system_error>

namespace bench {

// The result of a system call that succeeded.
inline int check(int result, const char* what)
{
  if (result < 0)
    throw std::system_error(errno, std::generic_category(), what);
  return result;
}

// The same of a call of liburing or a completion, which is an error number or none.
inline int check_ring(int result, const char* what)
{
  errno = -result;
  return check(result, what);
}

// A full queue is submitted first.
inline io_uring_sqe* next_sqe(io_uring& ring)
{
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  while (!sqe)
  {
    io_uring_submit(&ring);
    sqe = io_uring_get_sqe(&ring);
  }
  return sqe;
}

} // namespace bench

#endif
