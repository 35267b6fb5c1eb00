// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

#ifndef ASIO_PROACTOR_TEST_SUPPORT_RUNNING_THREADS_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_RUNNING_THREADS_HPP

#include "net.hpp"
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace test_support {

// Threads inside run(), all of them from the beginning, until the end of the scope.
class running_threads
{
public:
  running_threads(asio::io_context& ctx, int count) : work_(ctx.get_executor())
  {
    auto inside = std::make_shared<std::atomic<int>>(0);
    for (int i = 0; i < count; ++i)
    {
      asio::post(ctx, [inside, count] {
        ++*inside;
        while (*inside < count)
          std::this_thread::yield();
      });
      threads_.emplace_back([&ctx] { ctx.run(); });
    }
    while (*inside < count)
      std::this_thread::yield();
  }

  ~running_threads()
  {
    work_.reset();
    for (auto& each : threads_)
      each.join();
  }

private:
  work_guard work_;
  std::vector<std::thread> threads_;
};

// An outcome that another thread may look at.
struct ending
{
  std::atomic<int> calls{0};
  std::atomic<std::size_t> bytes{0};
  std::atomic<bool> is_aborted{false};

  auto handler()
  {
    return [this](error_code ec, std::size_t n) {
      bytes += n;
      is_aborted = ec == asio::error::operation_aborted;
      ++calls;
    };
  }
};

} // namespace test_support

#endif
