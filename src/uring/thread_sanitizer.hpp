//
// uring/thread_sanitizer.hpp: tells ThreadSanitizer about the order that the kernel guarantees.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_URING_THREAD_SANITIZER_HPP
#define ASIO_PROACTOR_SRC_URING_THREAD_SANITIZER_HPP

#include <asio_proactor/core/biased_mutex.hpp>

#if defined(ASIO_PROACTOR_THREAD_SANITIZER)
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace asio_proactor::uring {

/// What was written before the submission is seen by whoever reaps the completion.
inline void hand_to_kernel([[maybe_unused]] void* request)
{
#if defined(ASIO_PROACTOR_THREAD_SANITIZER)
  __tsan_release(request);
#endif
}

inline void take_from_kernel([[maybe_unused]] void* request)
{
#if defined(ASIO_PROACTOR_THREAD_SANITIZER)
  __tsan_acquire(request);
#endif
}

} // namespace asio_proactor::uring

#endif // ASIO_PROACTOR_SRC_URING_THREAD_SANITIZER_HPP
