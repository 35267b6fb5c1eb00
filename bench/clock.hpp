// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)

// The kernel's clocks, of time and of CPU time.

#ifndef ASIO_PROACTOR_BENCH_CLOCK_HPP
#define ASIO_PROACTOR_BENCH_CLOCK_HPP

#include <time.h>

#include <cstdint>

namespace bench {

inline std::uint64_t clock_ns(clockid_t clock)
{
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace bench

#endif
