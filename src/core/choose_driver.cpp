//
// core/choose_driver.cpp: which kind of driver a new context gets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "choose_driver.hpp"

#include "../epoll/epoll_factory.hpp"
#include "../uring/uring_factory.hpp"
#include "log.hpp"

#include <cerrno>
#include <cstdlib>
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

struct request
{
  preference driver = preference::automatic;
  std::string origin; // "the environment variable ASIO_PROACTOR_DRIVER"
};

preference parse(const std::string& name, const std::string& origin)
{
  if (name == "auto")
    return preference::automatic;
  if (name == "uring")
    return preference::uring;
  if (name == "epoll")
    return preference::epoll;
  throw std::system_error(EINVAL, std::system_category(),
                          "asio_proactor: " + origin + " must be uring, epoll or auto, not '" + name + "'");
}

// Who operates a program has the last word over who wrote it.
request wanted_driver(const std::string& configured)
{
  const char* const variable = "ASIO_PROACTOR_DRIVER";
  if (const char* name = std::getenv(variable); name && *name)
    return {parse(name, variable), variable};
  const char* const key = "the configuration key proactor.driver";
  if (!configured.empty())
    return {parse(configured, key), key};
  return {};
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
  const request wanted = wanted_driver(configured);
  if (wanted.driver == preference::epoll)
    return {epoll::make_factory("asked for by " + wanted.origin)};
  const uring::probe_result found = uring::probe();
  if (found.error == 0)
    return {uring::make_factory()};
  if (wanted.driver == preference::automatic && is_refusal(found.error))
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
