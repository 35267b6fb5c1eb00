//
// asio_proactor/core/parking_spot.hpp: where a loop without a driver waits.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_PARKING_SPOT_HPP
#define ASIO_PROACTOR_CORE_PARKING_SPOT_HPP

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace asio_proactor::core {

/// Remembers one wake-up: signal() before wait() makes it return at once.
class parking_spot
{
public:
  /// Wait for a signal, at most so long; negative: for ever.
  void wait(std::int64_t limit_ns);

  void signal() noexcept;

private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool signalled_ = false;
};

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_PARKING_SPOT_HPP
