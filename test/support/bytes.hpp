// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

#ifndef ASIO_PROACTOR_TEST_SUPPORT_BYTES_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_BYTES_HPP

#include <cstddef>
#include <random>
#include <string>

namespace test_support {

// Bytes that repeat nowhere, and are the same for the same seed.
inline std::string pattern(std::size_t size, unsigned seed = 1)
{
  std::string data(size, '\0');
  std::minstd_rand random(seed);
  for (auto& c : data)
    c = static_cast<char>(random() >> 8);
  return data;
}

} // namespace test_support

#endif
