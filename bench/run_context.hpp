// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASIO_PROACTOR_BENCH_RUN_CONTEXT_HPP
#define ASIO_PROACTOR_BENCH_RUN_CONTEXT_HPP

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/version.hpp>

#if BOOST_VERSION >= 109200
# include <boost/asio/config.hpp>
#endif

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace bench {

// Where Asio can be configured at run time, variables such as BENCH_REACTOR_IO_URING_RING_SIZE do it, and the hint is one of them.
class context : public boost::asio::io_context
{
public:
#if BOOST_VERSION >= 109200
  explicit context(int = BOOST_ASIO_CONCURRENCY_HINT_DEFAULT)
    : boost::asio::io_context(boost::asio::config_from_env("bench"))
  {}
#else
  explicit context(int concurrency_hint = BOOST_ASIO_CONCURRENCY_HINT_DEFAULT)
    : boost::asio::io_context(concurrency_hint)
  {}
#endif
};

// The calling thread is one of them.
inline void run_on_threads(boost::asio::io_context& context, std::size_t threads)
{
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads; ++i)
    others.emplace_back([&context] { context.run(); });
  context.run();
  for (std::thread& each : others)
    each.join();
}

using contexts = std::vector<std::unique_ptr<context>>;

inline contexts make_contexts(std::size_t count)
{
  contexts made(count);
  for (auto& each : made)
    each = std::make_unique<context>();
  return made;
}

// The threads are divided among the contexts, each of which is kept running.
inline void run_on_threads(const contexts& all, std::size_t threads)
{
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < all.size(); ++i)
  {
    others.emplace_back([&context = *all[i], each = threads / all.size()] {
      const auto stays = boost::asio::make_work_guard(context);
      run_on_threads(context, each);
    });
  }
  run_on_threads(*all.front(), threads / all.size());
  for (std::thread& each : others)
    each.join();
}

} // namespace bench

#endif
