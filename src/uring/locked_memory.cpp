//
// uring/locked_memory.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "locked_memory.hpp"

#include <atomic>
#include <fstream>
#include <limits>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace asio_proactor::uring {

namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

std::atomic<std::uint64_t> bytes_in_use{0};

// Capabilities of a user namespace's root do not count; the initial one maps every user to itself.
bool is_in_initial_user_namespace()
{
  std::uint64_t inside = 1, outside = 1, count = 0;
  std::ifstream("/proc/self/uid_map") >> inside >> outside >> count;
  return inside == 0 && outside == 0 && count == std::numeric_limits<std::uint32_t>::max();
}

bool may_lock_everything()
{
  ::__user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  ::__user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0)
    return false;
  return (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0 &&
         is_in_initial_user_namespace();
}

} // namespace

std::uint64_t lockable_bytes()
{
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || may_lock_everything())
    return unlimited;
  const std::uint64_t used = bytes_in_use.load(std::memory_order_relaxed);
  return used < limit.rlim_cur ? limit.rlim_cur - used : 0;
}

void ring_was_opened(std::uint64_t bytes) noexcept
{
  bytes_in_use.fetch_add(bytes, std::memory_order_relaxed);
}

void ring_was_closed(std::uint64_t bytes) noexcept
{
  bytes_in_use.fetch_sub(bytes, std::memory_order_relaxed);
}

} // namespace asio_proactor::uring
