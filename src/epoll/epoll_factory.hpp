//
// epoll/epoll_factory.hpp: creates the drivers that work on every Linux.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_EPOLL_EPOLL_FACTORY_HPP
#define ASIO_PROACTOR_SRC_EPOLL_EPOLL_FACTORY_HPP

#include <asio_proactor/core/driver.hpp>
#include <memory>
#include <string>

namespace asio_proactor::epoll {

/// @param reason Why it is epoll, for the description.
std::unique_ptr<core::driver_factory> make_factory(std::string reason);

} // namespace asio_proactor::epoll

#endif // ASIO_PROACTOR_SRC_EPOLL_EPOLL_FACTORY_HPP
