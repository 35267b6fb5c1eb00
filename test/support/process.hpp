// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// What the process has at the moment.

#ifndef ASIO_PROACTOR_TEST_SUPPORT_PROCESS_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_PROCESS_HPP

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace test_support {

inline std::size_t entries_of(const char* directory)
{
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

// Those of the kernel that work for io_uring are among them.
inline std::size_t count_of_threads()
{
  return entries_of("/proc/self/task");
}

inline std::size_t count_of_descriptors()
{
  return entries_of("/proc/self/fd");
}

} // namespace test_support

#endif
