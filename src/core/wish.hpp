//
// core/wish.hpp: what the people behind a program want, where there is a choice.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_CORE_WISH_HPP
#define ASIO_PROACTOR_SRC_CORE_WISH_HPP

#include <string>

namespace asio_proactor::core {

struct wish
{
  std::string value;  // Empty if nobody has one.
  std::string origin; // "the configuration key proactor.driver"
};

/// Who operates a program has the last word over who wrote it.
/**
 * @param variable The environment variable that counts if it is set, and not empty.
 * @param key, configured The key of the program's own configuration, and what it says there, if anything.
 */
wish find_wish(const std::string& variable, const std::string& key, const std::string& configured);

/// @throws std::system_error (EINVAL) that tells what the wish must be: "uring, epoll or auto".
[[noreturn]] void reject(const wish& wrong, const std::string& choices);

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_SRC_CORE_WISH_HPP
