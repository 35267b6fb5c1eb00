// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

#ifndef ASIO_PROACTOR_TEST_SUPPORT_SOON_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_SOON_HPP

#include <chrono>
#include <functional>
#include <thread>

namespace test_support {

// Waits without a context of its own, for what other threads do.
inline bool soon(const std::function<bool()>& condition,
                 std::chrono::steady_clock::duration limit = std::chrono::seconds(5))
{
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  return condition();
}

} // namespace test_support

#endif
