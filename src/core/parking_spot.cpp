//
// core/parking_spot.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/parking_spot.hpp>

#include <chrono>

namespace asio_proactor::core {

void parking_spot::wait(std::int64_t limit_ns)
{
  std::unique_lock<std::mutex> lock(mutex_);
  const auto is_signalled = [this] { return signalled_; };
  if (limit_ns < 0)
    condition_.wait(lock, is_signalled);
  else
    condition_.wait_for(lock, std::chrono::nanoseconds(limit_ns), is_signalled);
  signalled_ = false;
}

void parking_spot::signal() noexcept
{
  std::lock_guard<std::mutex> lock(mutex_);
  signalled_ = true;
  condition_.notify_one();
}

} // namespace asio_proactor::core
