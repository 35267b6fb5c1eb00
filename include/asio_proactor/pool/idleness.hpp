//
// asio_proactor/pool/idleness.hpp: when several loops that give each other work are out of work, all of them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_POOL_IDLENESS_HPP
#define ASIO_PROACTOR_POOL_IDLENESS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace asio_proactor::pool {

/// Counts periods: one ends whenever a loop has run handlers, which may have given work to any other.
/**
 * A loop that finds nothing to do says so, with the period that it began to look in, and waits. When all have said so
 * for the same period, none of them has run anything since, so none can have got anything: whoever gave it would have
 * ended the period before finding itself idle. The last one to find nothing has those look again that have said so for
 * an earlier period. Thread safe.
 */
class common_idleness
{
public:
  struct verdict
  {
    bool is_over;                     ///< All loops are idle.
    std::vector<std::size_t> to_wake; ///< These have to look again.
  };

  explicit common_idleness(std::size_t loops) : loops_(loops) {}

  std::uint64_t period() const
  {
    const std::lock_guard held(mutex_);
    return period_;
  }

  /// A loop has run handlers.
  void worked()
  {
    const std::lock_guard held(mutex_);
    ++period_;
  }

  /// A loop has found nothing to do, and is going to wait.
  verdict idle(std::size_t number, std::uint64_t since)
  {
    const std::lock_guard held(mutex_);
    loops_[number] = {since, true};
    verdict found{false, {}};
    // One that is still busy will get here in its turn.
    if (!std::all_of(loops_.begin(), loops_.end(), [](const loop& each) { return each.is_waiting; }))
      return found;
    for (std::size_t i = 0; i < loops_.size(); ++i)
      if (loops_[i].idle_since != period_)
        found.to_wake.push_back(i);
    for (std::size_t i : found.to_wake)
      loops_[i].is_waiting = false;
    found.is_over = found.to_wake.empty();
    return found;
  }

  /// A loop waits no longer.
  void busy(std::size_t number)
  {
    const std::lock_guard held(mutex_);
    loops_[number].is_waiting = false;
  }

private:
  struct loop
  {
    std::uint64_t idle_since = 0; // 0: has never been idle
    bool is_waiting = false;
  };

  mutable std::mutex mutex_;
  std::uint64_t period_ = 1;
  std::vector<loop> loops_;
};

} // namespace asio_proactor::pool

#endif // ASIO_PROACTOR_POOL_IDLENESS_HPP
