//
// asio_proactor/service/inbox.hpp: hands operations to a loop from threads that do not run it, without a lock.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_INBOX_HPP
#define ASIO_PROACTOR_SERVICE_INBOX_HPP

#include <asio_proactor/service/asio_internals.hpp>
#include <atomic>

namespace asio_proactor::service {

/// Many threads push, one at a time takes everything, in the order of the pushes.
class inbox
{
public:
  using operation = asio_detail::scheduler_operation;

  bool empty() const { return newest_.load(std::memory_order_acquire) == nullptr; }

  /// Sequentially consistent, so that a loop which announces its sleep before it looks here cannot miss it.
  void push(operation* op)
  {
    operation* before = newest_.load(std::memory_order_relaxed);
    do
      asio_detail::op_queue_access::next(op, before);
    while (!newest_.compare_exchange_weak(before, op, std::memory_order_seq_cst, std::memory_order_relaxed));
  }

  bool empty_after_announcement() const { return newest_.load(std::memory_order_seq_cst) == nullptr; }

  /// Returns how many there were.
  unsigned take_all(asio_detail::op_queue<operation>& queue)
  {
    operation* op = newest_.exchange(nullptr, std::memory_order_acquire);
    operation* oldest = nullptr;
    unsigned count = 0;
    for (; op; ++count)
    {
      operation* older = asio_detail::op_queue_access::next(op);
      asio_detail::op_queue_access::next(op, oldest);
      oldest = op;
      op = older;
    }
    while (oldest)
    {
      operation* newer = asio_detail::op_queue_access::next(oldest);
      queue.push(oldest);
      oldest = newer;
    }
    return count;
  }

private:
  std::atomic<operation*> newest_{nullptr};
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_INBOX_HPP
