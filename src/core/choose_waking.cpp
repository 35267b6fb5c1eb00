//
// core/choose_waking.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/choose_waking.hpp>

#include "wish.hpp"

namespace asio_proactor::core {

waking choose_waking(const std::string& configured)
{
  const wish wanted = find_wish("ASIO_PROACTOR_WAKING", "proactor.waking", configured);
  if (wanted.value.empty() || wanted.value == "thrifty")
    return waking::thrifty;
  if (wanted.value == "eager")
    return waking::eager;
  reject(wanted, "thrifty or eager");
}

} // namespace asio_proactor::core
