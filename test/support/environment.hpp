// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

#ifndef ASIO_PROACTOR_TEST_SUPPORT_ENVIRONMENT_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_ENVIRONMENT_HPP

#include <cstdint>
#include <cstdlib>
#include <string>

namespace test_support {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise)
{
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// ASIO_PROACTOR_DRIVER has another value while this lives.
class driver_variable
{
public:
  explicit driver_variable(const char* value) { ::setenv(name, value, 1); }
  ~driver_variable()
  {
    if (was_set_)
      ::setenv(name, before_.c_str(), 1);
    else
      ::unsetenv(name);
  }
  driver_variable(const driver_variable&) = delete;
  driver_variable& operator=(const driver_variable&) = delete;

private:
  static constexpr const char* name = "ASIO_PROACTOR_DRIVER";
  const char* const found_ = std::getenv(name);
  const bool was_set_ = found_ != nullptr;
  const std::string before_ = found_ ? found_ : "";
};

} // namespace test_support

#endif
