//
// epoll/file_pool.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "file_pool.hpp"

#include "../core/retry.hpp"

#include <cassert>
#include <csignal>
#include <pthread.h>

namespace asio_proactor::epoll {

namespace {

// Enough to keep a disk busy. A program that needs more has io_uring.
constexpr std::size_t maximum_threads = 4;

// Signals are for the program's own threads.
class signals_blocked
{
public:
  signals_blocked()
  {
    ::sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
  ::sigset_t before_;
};

} // namespace

void file_pool::submit(core::operation& op)
{
  const std::lock_guard<std::mutex> held(mutex_);
  queue_.push(op);
  ++queued_;
  if (queued_ > idle_ && threads_.size() < maximum_threads)
  {
    const signals_blocked inherited;
    threads_.emplace_back([this] { serve(); });
  }
  else
    work_is_there_.notify_one();
}

bool file_pool::withdraw(core::operation& op)
{
  const std::lock_guard<std::mutex> held(mutex_);
  core::operation_queue others;
  bool found = false;
  while (core::operation* each = queue_.pop())
    if (each == &op)
      found = true;
    else
      others.push(*each);
  queue_ = others;
  queued_ -= found;
  return found;
}

void file_pool::take_done(core::operation_queue& done)
{
  if (!has_done())
    return;
  const std::lock_guard<std::mutex> held(mutex_);
  while (core::operation* op = done_.pop())
    done.push(*op);
  has_done_.store(false, std::memory_order_relaxed);
}

void file_pool::stop()
{
  {
    const std::lock_guard<std::mutex> held(mutex_);
    assert(queue_.empty());
    stops_ = true;
  }
  work_is_there_.notify_all();
  for (std::thread& each : threads_)
    each.join();
  threads_.clear();
  stops_ = false;
}

void file_pool::serve()
{
  std::unique_lock<std::mutex> held(mutex_);
  for (;;)
  {
    ++idle_;
    work_is_there_.wait(held, [this] { return stops_ || !queue_.empty(); });
    --idle_;
    core::operation* op = queue_.pop();
    if (!op)
      return;
    --queued_;
    held.unlock();
    const int result = core::attempt(*op);
    held.lock();
    op->result_ = result;
    done_.push(*op);
    has_done_.store(true, std::memory_order_release);
    wake_.signal();
  }
}

} // namespace asio_proactor::epoll
