// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// What the benchmarks without a client share: a stopwatch, a count of allocations, and the line of JSON that bench/run reads.
// It replaces malloc (glibc's), so only one source file of a program may include it.
#ifndef ASIO_PROACTOR_BENCH_MEASURE_HPP
#define ASIO_PROACTOR_BENCH_MEASURE_HPP

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "clock.hpp"

namespace bench {

inline std::atomic<std::uint64_t> allocations{0};

// Adds up the stretches between start() and stop(): what prepares the work stays outside.
class stopwatch
{
public:
  void start()
  {
    wall_start_ = clock_ns(CLOCK_MONOTONIC);
    cpu_start_ = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    allocation_start_ = allocations;
  }

  void stop(std::uint64_t operations)
  {
    wall_ns_ += clock_ns(CLOCK_MONOTONIC) - wall_start_;
    cpu_ns_ += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start_;
    allocated_ += allocations - allocation_start_;
    operations_ += operations;
  }

  std::uint64_t wall_ns() const { return wall_ns_; }

  void print(double p50_us = 0, double p99_us = 0) const
  {
    const auto count = static_cast<double>(operations_);
    std::printf("{\"messages\": %.0f, \"messages_per_second\": %.1f, \"server_cpu_us_per_message\": %.5f, "
                "\"allocations_per_message\": %.4f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
                count, count * 1e9 / static_cast<double>(wall_ns_), static_cast<double>(cpu_ns_) / 1e3 / count,
                static_cast<double>(allocated_) / count, p50_us, p99_us);
  }

private:
  std::uint64_t wall_start_ = 0, cpu_start_ = 0, allocation_start_ = 0;
  std::uint64_t wall_ns_ = 0, cpu_ns_ = 0, allocated_ = 0, operations_ = 0;
};

// A benchmark that did not do its work has no figures: it ends with an error.
inline void require(bool held, const char* what)
{
  if (!held)
    throw std::runtime_error(what);
}

template <class Main>
int run_main(Main&& body)
{
  try
  {
    body();
    return 0;
  }
  catch (const std::exception& error)
  {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

} // namespace bench

extern "C" {
// glibc's own entry points behind the names that are replaced here.
void* __libc_malloc(std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

// Asio allocates its operations through aligned_alloc, so counting operator new alone would miss them.
void* malloc(std::size_t size)
{
  bench::allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size)
{
  bench::allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, size);
}
}

#endif
