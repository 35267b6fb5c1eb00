//
// asio_proactor/core/cheap_clock.hpp: a clock that may be read before every handler.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_CHEAP_CLOCK_HPP
#define ASIO_PROACTOR_CORE_CHEAP_CLOCK_HPP

#include <chrono>
#include <cstdint>

namespace asio_proactor::core {

#if defined(__x86_64__)

/// Ticks of the time stamp counter: no system call, no conversion. Good for "roughly so long", not for timers.
inline std::uint64_t cheap_ticks()
{
  return __builtin_ia32_rdtsc();
}

/// About a millisecond on processors of 2 to 4 GHz.
constexpr std::uint64_t ticks_in_1_ms = 3 * 1000 * 1000;

#else

inline std::uint64_t cheap_ticks()
{
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

constexpr std::uint64_t ticks_in_1_ms = 1000 * 1000;

#endif

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_CHEAP_CLOCK_HPP
