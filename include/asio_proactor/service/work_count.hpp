//
// asio_proactor/service/work_count.hpp: counts unfinished work, for free on the thread that runs a loop alone.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_WORK_COUNT_HPP
#define ASIO_PROACTOR_SERVICE_WORK_COUNT_HPP

#include <atomic>

namespace asio_proactor::service {

/// A counter in two parts: one for everybody, atomic, and one that only a single running thread touches.
/**
 * While a thread counts locally, the shared part holds a large token, so that no other thread can see it reach zero:
 * whether all work is done is then for the local thread to find out.
 */
class work_count
{
public:
  // --- Any thread -----------------------------------------------------------------------------------------------

  void add_shared(long n = 1) { shared_.fetch_add(n, std::memory_order_relaxed); }

  /// Returns whether nothing is left.
  bool subtract_shared(long n = 1) { return shared_.fetch_sub(n, std::memory_order_seq_cst) == n; }

  /// Whether some thread counts locally, and therefore has to look at the total when the shared part shrinks.
  bool is_local() const { return is_local_.load(std::memory_order_seq_cst); }

  /// The total, exact if no other thread counts locally.
  long total() const
  {
    return shared_.load(std::memory_order_seq_cst) + local_.load(std::memory_order_relaxed) -
           (is_local_.load(std::memory_order_relaxed) ? token : 0);
  }

  // --- The local thread -----------------------------------------------------------------------------------------

  void become_local()
  {
    add_shared(token);
    is_local_.store(true, std::memory_order_seq_cst);
  }

  void add_local(long n) { local_.store(local_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }

  /// Returns whether nothing is left.
  bool subtract_local()
  {
    add_local(-1);
    return local_.load(std::memory_order_relaxed) + shared_.load(std::memory_order_seq_cst) == token;
  }

  /// Merge the local part and end counting locally. Returns whether nothing is left at all.
  bool stop_being_local()
  {
    const long change = local_.load(std::memory_order_relaxed) - token;
    // In this order the total looks too large, never zero, to a thread that reads it in between.
    is_local_.store(false, std::memory_order_seq_cst);
    local_.store(0, std::memory_order_seq_cst);
    return shared_.fetch_add(change, std::memory_order_seq_cst) + change == 0;
  }

private:
  // More than there can be of work, and far from overflow.
  static constexpr long token = 1L << (sizeof(long) * 8 - 8);

  std::atomic<long> shared_{0};
  std::atomic<long> local_{0}; // Written by one thread with plain loads and stores.
  std::atomic<bool> is_local_{false};
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_WORK_COUNT_HPP
