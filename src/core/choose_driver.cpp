//
// core/choose_driver.cpp: which kind of driver a new context gets, and the one log line that says so.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/driver.hpp>

#include "../epoll/epoll_factory.hpp"
#include "../uring/uring_factory.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

namespace asio_proactor::core {

namespace {

constexpr const char* driver_variable = "ASIO_PROACTOR_DRIVER";
constexpr const char* log_variable = "ASIO_PROACTOR_LOG";

enum class preference
{
  automatic,
  uring,
  epoll
};

preference wanted_driver()
{
  const char* text = std::getenv(driver_variable);
  const std::string wanted = text ? text : "";
  if (wanted.empty() || wanted == "auto")
    return preference::automatic;
  if (wanted == "uring")
    return preference::uring;
  if (wanted == "epoll")
    return preference::epoll;
  throw std::system_error(EINVAL, std::system_category(),
                          std::string("asio_proactor: ") + driver_variable + " must be uring, epoll or auto, not '" +
                            wanted + "'");
}

// ASIO_PROACTOR_LOG=0 asks for silence, any other value for a line in every case, and none for a line only when a
// program gets less than it could have.
void log_once(const driver_description& d, bool is_second_choice)
{
  static std::once_flag once;
  std::call_once(once, [&] {
    const char* wanted = std::getenv(log_variable);
    if (wanted ? std::strcmp(wanted, "0") != 0 : is_second_choice)
      std::fprintf(stderr, "asio_proactor: driver %s: %s\n", d.name.c_str(), d.detail.c_str());
  });
}

// Short memory or descriptors would only show up later, and with less to say, if epoll took over.
bool is_refusal(int error)
{
  return error == EPERM || error == EACCES || error == ENOSYS || error == EINVAL || error == EOPNOTSUPP;
}

} // namespace

std::unique_ptr<driver_factory> choose_driver()
{
  const preference wanted = wanted_driver();
  std::unique_ptr<driver_factory> factory;
  bool is_second_choice = false;
  if (wanted == preference::epoll)
    factory = epoll::make_factory(std::string("asked for by ") + driver_variable);
  else
  {
    const uring::probe_result found = uring::probe();
    if (found.error == 0)
      factory = uring::make_factory();
    else if (wanted == preference::automatic && is_refusal(found.error))
    {
      factory = epoll::make_factory(found.reason + "; using epoll");
      is_second_choice = true;
    }
    else
      throw std::system_error(found.error, std::system_category(), "asio_proactor: " + found.reason);
  }
  log_once(factory->describe(), is_second_choice);
  return factory;
}

} // namespace asio_proactor::core
