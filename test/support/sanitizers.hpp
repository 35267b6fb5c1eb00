// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Whether the test is built with a sanitizer. g++ says so by a macro, clang by a feature.

#ifndef ASIO_PROACTOR_TEST_SUPPORT_SANITIZERS_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_SANITIZERS_HPP

#if defined(__SANITIZE_ADDRESS__)
# define TEST_HAS_ADDRESS_SANITIZER
#endif
#if defined(__SANITIZE_THREAD__)
# define TEST_HAS_THREAD_SANITIZER
#endif
#if defined(__has_feature)
# if __has_feature(address_sanitizer) && !defined(TEST_HAS_ADDRESS_SANITIZER)
#  define TEST_HAS_ADDRESS_SANITIZER
# endif
# if __has_feature(thread_sanitizer) && !defined(TEST_HAS_THREAD_SANITIZER)
#  define TEST_HAS_THREAD_SANITIZER
# endif
#endif

namespace test_support {

#if defined(TEST_HAS_ADDRESS_SANITIZER) || defined(TEST_HAS_THREAD_SANITIZER)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

} // namespace test_support

#endif
