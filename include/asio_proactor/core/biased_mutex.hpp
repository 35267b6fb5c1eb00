//
// asio_proactor/core/biased_mutex.hpp: a mutex that costs its usual owner neither a lock nor an atomic read-modify-write.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_BIASED_MUTEX_HPP
#define ASIO_PROACTOR_CORE_BIASED_MUTEX_HPP

#include <asio_proactor/core/light_mutex.hpp>
#include <atomic>

#if defined(__SANITIZE_THREAD__)
# define ASIO_PROACTOR_THREAD_SANITIZER 1
#elif defined(__has_feature)
# if __has_feature(thread_sanitizer)
#  define ASIO_PROACTOR_THREAD_SANITIZER 1
# endif
#endif

namespace asio_proactor::core {

/// Its address tells threads apart; cheaper than std::this_thread::get_id().
inline thread_local char thread_marker = 0;

/// A mutual exclusion lock that may be biased towards one thread.
/**
 * While a thread holds the bias, locking and unlocking it from that thread are plain loads and stores. Any other thread
 * that locks it pays instead: it announces itself, makes every core pass a memory barrier (membarrier(2)) and waits for
 * the owner to leave its critical section. This is the right trade for an event loop: one thread locks millions of
 * times a second, the others now and then. Without a bias, and where membarrier is missing or under ThreadSanitizer
 * (which cannot see a barrier made for another thread), it is an ordinary mutex.
 *
 * Critical sections must be short and must not block: another thread may be spinning. Not recursive.
 */
class biased_mutex
{
public:
  class guard;

  biased_mutex() = default;
  biased_mutex(const biased_mutex&) = delete;
  biased_mutex& operator=(const biased_mutex&) = delete;

  /// Whether the calling thread holds the bias. Only the calling thread can change the answer from no to yes.
  bool biased_to_this_thread() const { return owner_.load(std::memory_order_relaxed) == &thread_marker; }

  /// Whether the calling thread holds the bias and no other thread has asked for it to be given up.
  bool bias_is_undisputed() const { return biased_to_this_thread() && !disputed_.load(std::memory_order_relaxed); }

  /// Bias the mutex towards the calling thread, while nobody has the bias. To be called with the mutex held; does
  /// nothing where it cannot work. An earlier dispute is forgotten.
  void bias_to_this_thread(guard& held);

  /// Take the bias away for good; its owner locks like everybody else from now on. To be called with the mutex held.
  void dispute(guard& held);

  /// Give up the bias. To be called by its owner with the mutex held.
  void unbias(guard& held);

private:
  // Waits until the owner is seen outside, with the promise that it will see revoked_ before it comes in again.
  void wait_for_owner();

  // Whether every thread of the process can be made to pass a barrier; asked once per process.
  static bool barrier_is_available();

  std::atomic<const void*> owner_{nullptr};
  std::atomic<bool> inside_{false};   // The owner is in a critical section it entered without the mutex.
  std::atomic<bool> revoked_{false};  // Somebody else wants in, or is in.
  std::atomic<bool> disputed_{false}; // revoked_ stays set when the mutex is released.
  light_mutex mutex_;
};

/// Holds a biased_mutex for a scope and remembers which way it was taken.
class biased_mutex::guard
{
public:
  [[gnu::always_inline]] explicit guard(biased_mutex& m) : mutex_(m) { lock(); }

  guard(const guard&) = delete;
  guard& operator=(const guard&) = delete;

  [[gnu::always_inline]] ~guard()
  {
    if (state_ != state::open)
      unlock();
  }

  bool owns_lock() const { return state_ != state::open; }

  // Forced, where g++ changes its mind with every change nearby.
  [[gnu::always_inline]] void lock()
  {
    if (mutex_.biased_to_this_thread())
    {
      mutex_.inside_.store(true, std::memory_order_relaxed);
      // The other side's membarrier stands in for the processor's fence here; only the compiler must be kept in order.
      std::atomic_signal_fence(std::memory_order_seq_cst);
      if (!mutex_.revoked_.load(std::memory_order_acquire))
      {
        state_ = state::inside;
        return;
      }
      mutex_.inside_.store(false, std::memory_order_release);
    }
    lock_shared_way();
  }

  [[gnu::always_inline]] void unlock()
  {
    if (state_ == state::inside)
    {
      mutex_.inside_.store(false, std::memory_order_release);
      state_ = state::open;
    }
    else
      unlock_shared_way();
  }

  /// The mutex underneath, for waiting on a condition variable. Only while the bias is disputed or absent.
  light_mutex& native() { return mutex_.mutex_; }

private:
  friend class biased_mutex;

  enum class state
  {
    open,   // Not held.
    inside, // Held by the owner without the mutex.
    locked  // Held through the mutex.
  };

  void lock_shared_way();
  void unlock_shared_way();

  biased_mutex& mutex_;
  state state_ = state::open;
};

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_BIASED_MUTEX_HPP
