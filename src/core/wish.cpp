//
// core/wish.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "wish.hpp"

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace asio_proactor::core {

wish find_wish(const std::string& variable, const std::string& key, const std::string& configured)
{
  if (const char* value = std::getenv(variable.c_str()); value && *value)
    return {value, variable};
  if (!configured.empty())
    return {configured, "the configuration key " + key};
  return {};
}

void reject(const wish& wrong, const std::string& choices)
{
  throw std::system_error(EINVAL, std::system_category(),
                          "asio_proactor: " + wrong.origin + " must be " + choices + ", not '" + wrong.value + "'");
}

} // namespace asio_proactor::core
