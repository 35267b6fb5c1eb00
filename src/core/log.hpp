//
// core/log.hpp: says which driver a context got.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_CORE_LOG_HPP
#define ASIO_PROACTOR_SRC_CORE_LOG_HPP

#include <asio_proactor/core/driver.hpp>

namespace asio_proactor::core {

/// Log the choice as asio_proactor/log.hpp says.
/** @param is_second_choice Whether a program gets less than it could have. */
void log_choice(const driver_description& chosen, bool is_second_choice);

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_SRC_CORE_LOG_HPP
