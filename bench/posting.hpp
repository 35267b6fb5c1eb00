// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)

// The work of the benches in which one thread posts handlers to others.

#ifndef ASIO_PROACTOR_BENCH_POSTING_HPP
#define ASIO_PROACTOR_BENCH_POSTING_HPP

#include <atomic>
#include <cstdint>
#include <thread>

namespace bench {

constexpr std::uint64_t posts_per_round = 200'000;
// The poster waits while this many handlers are queued: a queue without bound would measure memory instead.
constexpr std::uint64_t most_queued = 4096;

// Every posted handler adds one to done.
template <class Post>
void post_a_round(const std::atomic<std::uint64_t>& done, Post post)
{
  for (std::uint64_t i = 0; i < posts_per_round; ++i)
  {
    while (i - done.load(std::memory_order_relaxed) >= most_queued)
      std::this_thread::yield();
    post();
  }
}

} // namespace bench

#endif
