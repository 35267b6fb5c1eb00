//
// asio_proactor/service/own_queue.hpp: the handlers that one of several running threads is going to run next.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_OWN_QUEUE_HPP
#define ASIO_PROACTOR_SERVICE_OWN_QUEUE_HPP

#include <asio_proactor/core/light_mutex.hpp>
#include <asio_proactor/service/asio_internals.hpp>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace asio_proactor::service {

/// First in, first out. Its thread pushes and pops; others take from the front, so that what is oldest starts first.
/**
 * The mutex is nearly always free, as it is taken by others only when they have nothing to do.
 */
class own_queue
{
public:
  using operation = asio_detail::scheduler_operation;
  using queue = asio_detail::op_queue<operation>;

  /// Exact for its thread. Others may see an earlier state: who must not miss a push asks is_empty_for_certain().
  bool empty() const { return size() == 0; }

  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

  /// Ordered with every push, so that what was written before is seen by a thread that pushes after it.
  bool is_empty_for_certain()
  {
    std::lock_guard<core::light_mutex> lock(mutex_);
    return empty();
  }

  void push(operation* op)
  {
    std::lock_guard<core::light_mutex> lock(mutex_);
    operations_.push(op);
    resize(size() + 1);
  }

  void push(queue& ops, std::size_t count)
  {
    std::lock_guard<core::light_mutex> lock(mutex_);
    operations_.push(ops);
    resize(size() + count);
  }

  /// The oldest operation, or null.
  operation* pop()
  {
    if (empty())
      return nullptr;
    std::lock_guard<core::light_mutex> lock(mutex_);
    return pop_front();
  }

  /// Move the older half to the end of another thread's queue. Returns the oldest of them instead, or null.
  operation* give_half_to(own_queue& other)
  {
    queue taken;
    std::size_t count = 0;
    {
      std::lock_guard<core::light_mutex> lock(mutex_);
      for (std::size_t left = (size() + 1) / 2; left != 0; --left, ++count)
        taken.push(pop_front());
    }
    operation* first = taken.front();
    if (!first)
      return nullptr;
    taken.pop();
    other.push(taken, count - 1);
    return first;
  }

  /// Move everything to the end of a queue.
  void give_all_to(queue& other)
  {
    std::lock_guard<core::light_mutex> lock(mutex_);
    other.push(operations_);
    resize(0);
  }

private:
  void resize(std::size_t n) { size_.store(n, std::memory_order_relaxed); }

  operation* pop_front()
  {
    operation* op = operations_.front();
    if (!op)
      return nullptr;
    operations_.pop();
    resize(size() - 1);
    return op;
  }

  core::light_mutex mutex_;
  std::atomic<std::size_t> size_{0}; // Written with the mutex held.
  queue operations_;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_OWN_QUEUE_HPP
