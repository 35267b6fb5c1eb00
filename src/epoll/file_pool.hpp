//
// epoll/file_pool.hpp: threads for what epoll cannot wait for, the reading and writing of files.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_EPOLL_FILE_POOL_HPP
#define ASIO_PROACTOR_SRC_EPOLL_FILE_POOL_HPP

#include <asio_proactor/core/operation.hpp>
#include <asio_proactor/core/wake_event.hpp>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace asio_proactor::epoll {

/// Makes blocking calls on a few threads, which are started when there is something to do.
/** Thread safe. An operation belongs to the pool from submit() until take_done() or withdraw() gives it back. */
class file_pool
{
public:
  /// @param wake Signalled when a call has returned.
  explicit file_pool(core::wake_event& wake) : wake_(wake) {}

  /// Every operation must have been given back.
  ~file_pool() { stop(); }

  file_pool(const file_pool&) = delete;
  file_pool& operator=(const file_pool&) = delete;

  void submit(core::operation& op);

  /// Take an operation back before its call has begun. Returns whether that was possible.
  bool withdraw(core::operation& op);

  /// Move the operations whose calls have returned to the queue, with their results.
  void take_done(core::operation_queue& done);

  bool has_done() const { return has_done_.load(std::memory_order_acquire); }

  /// End the threads; the next submit() starts new ones. No operation may be here. For a fork, which threads do not survive.
  void stop();

private:
  void serve();

  core::wake_event& wake_;
  std::mutex mutex_;
  std::condition_variable work_is_there_;
  core::operation_queue queue_;
  core::operation_queue done_;
  std::atomic<bool> has_done_{false}; // Written with the mutex held.
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  unsigned queued_ = 0;
  bool stops_ = false;
};

} // namespace asio_proactor::epoll

#endif // ASIO_PROACTOR_SRC_EPOLL_FILE_POOL_HPP
