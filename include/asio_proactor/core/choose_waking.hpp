//
// asio_proactor/core/choose_waking.hpp: whether threads of one context may leave each other asleep for a moment.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_CHOOSE_WAKING_HPP
#define ASIO_PROACTOR_CORE_CHOOSE_WAKING_HPP

#include <string>

namespace asio_proactor::core {

enum class waking
{
  thrifty, ///< Few short handlers wake nobody: see service::waking_policy.
  eager    ///< Whatever could run on another thread wakes one.
};

/// The wish of the environment variable ASIO_PROACTOR_WAKING, or else that of the program.
/**
 * @param configured What the program has configured, if anything.
 * @throws std::system_error (EINVAL) if the wish is neither thrifty nor eager.
 */
waking choose_waking(const std::string& configured);

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_CHOOSE_WAKING_HPP
