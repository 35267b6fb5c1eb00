//
// uring/locked_memory.hpp: the share of RLIMIT_MEMLOCK that rings may take.
//
// Newer kernels count a ring's queues as locked memory of the user unless the process may lock what it wants, and give it back
// some time after the ring was closed.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_URING_LOCKED_MEMORY_HPP
#define ASIO_PROACTOR_SRC_URING_LOCKED_MEMORY_HPP

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <thread>

namespace asio_proactor::uring {

/// Bytes that this process may still lock, as far as it is known here; the largest number if they are not limited.
std::uint64_t lockable_bytes();

/// Note that a ring has come or gone.
void ring_was_opened(std::uint64_t bytes) noexcept;
void ring_was_closed(std::uint64_t bytes) noexcept;

/// Repeat what fails for want of memory, a quarter of a second long: that of closed rings, even of a process that has ended, comes
/// back after some ten milliseconds.
/** @param attempt Returns 0 or -errno. */
template <class Attempt>
int patiently(Attempt attempt)
{
  constexpr std::chrono::milliseconds longest_pause{128};
  int error = attempt();
  for (std::chrono::milliseconds pause{1}; error == -ENOMEM && pause <= longest_pause; pause *= 2)
  {
    std::this_thread::sleep_for(pause);
    error = attempt();
  }
  return error;
}

} // namespace asio_proactor::uring

#endif // ASIO_PROACTOR_SRC_URING_LOCKED_MEMORY_HPP
