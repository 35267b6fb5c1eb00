//
// core/choose_driver.hpp: choose_driver() of core/driver.hpp, for who wants to know and not to use.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_CORE_CHOOSE_DRIVER_HPP
#define ASIO_PROACTOR_SRC_CORE_CHOOSE_DRIVER_HPP

#include <asio_proactor/core/driver.hpp>
#include <functional>
#include <memory>
#include <string>

namespace asio_proactor::core {

struct driver_choice
{
  std::unique_ptr<driver_factory> factory;
  bool is_second_choice = false; ///< io_uring was refused.
};

using factory_maker = std::function<std::unique_ptr<driver_factory>()>;

/// From now on every new context gets its drivers from here: how tests put a kernel of their own under a program. Not thread safe.
/** @param maker Empty: back to the usual choice. */
void replace_choice(factory_maker maker);

/// The same choice, and nothing is logged.
driver_choice choose_driver_quietly(const std::string& configured);

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_SRC_CORE_CHOOSE_DRIVER_HPP
