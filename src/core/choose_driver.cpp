//
// core/choose_driver.cpp: which kind of driver a new context gets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "choose_driver.hpp"

#include "../epoll/epoll_factory.hpp"
#include "../uring/uring_factory.hpp"
#include "log.hpp"
#include "wish.hpp"

#include <cerrno>
#include <string>
#include <utility>

namespace asio_proactor::core {

namespace {

enum class preference
{
  automatic,
  uring,
  epoll
};

preference preferred_driver(const wish& wanted)
{
  if (wanted.value.empty() || wanted.value == "auto")
    return preference::automatic;
  if (wanted.value == "uring")
    return preference::uring;
  if (wanted.value == "epoll")
    return preference::epoll;
  reject(wanted, "uring, epoll or auto");
}

// Short memory or descriptors would only show up later, and with less to say, if epoll took over.
bool is_refusal(int error)
{
  return error == EPERM || error == EACCES || error == ENOSYS || error == EINVAL || error == EOPNOTSUPP;
}

factory_maker& replacement()
{
  static factory_maker maker;
  return maker;
}

} // namespace

void replace_choice(factory_maker maker)
{
  replacement() = std::move(maker);
}

driver_choice choose_driver_quietly(const std::string& configured)
{
  const wish wanted = find_wish("ASIO_PROACTOR_DRIVER", "proactor.driver", configured);
  const preference preferred = preferred_driver(wanted);
  if (preferred == preference::epoll)
    return {epoll::make_factory("asked for by " + wanted.origin)};
  const uring::probe_result found = uring::probe();
  if (found.error == 0)
    return {uring::make_factory()};
  if (preferred == preference::automatic && is_refusal(found.error))
    return {epoll::make_factory(found.reason + "; using epoll"), true};
  throw std::system_error(found.error, std::system_category(), "asio_proactor: " + found.reason);
}

std::unique_ptr<driver_factory> choose_driver(const std::string& configured)
{
  if (const factory_maker& maker = replacement())
    return maker();
  driver_choice chosen = choose_driver_quietly(configured);
  log_choice(chosen.factory->describe(), chosen.is_second_choice);
  return std::move(chosen.factory);
}

} // namespace asio_proactor::core
