//
// core/choose_waking.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/choose_waking.hpp>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace asio_proactor::core {

namespace {

waking parse(const std::string& name, const std::string& origin)
{
  if (name == "thrifty")
    return waking::thrifty;
  if (name == "eager")
    return waking::eager;
  throw std::system_error(EINVAL, std::system_category(),
                          "asio_proactor: " + origin + " must be thrifty or eager, not '" + name + "'");
}

} // namespace

waking choose_waking(const std::string& configured)
{
  const char* const variable = "ASIO_PROACTOR_WAKING";
  if (const char* name = std::getenv(variable); name && *name)
    return parse(name, variable);
  return configured.empty() ? waking::thrifty : parse(configured, "the configuration key proactor.waking");
}

} // namespace asio_proactor::core
