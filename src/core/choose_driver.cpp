//
// core/choose_driver.cpp: which kind of driver a new context gets, and the one log line that says so.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/driver.hpp>

#include "../uring/uring_factory.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace asio_proactor::core {

namespace {

void log_once(const driver_description& d)
{
  static std::once_flag once;
  std::call_once(once, [&] {
    const char* wanted = std::getenv("ASIO_PROACTOR_LOG");
    if (wanted && std::strcmp(wanted, "0") != 0)
      std::fprintf(stderr, "asio_proactor: driver %s: %s\n", d.name.c_str(), d.detail.c_str());
  });
}

} // namespace

std::unique_ptr<driver_factory> choose_driver()
{
  const uring::probe_result& found = uring::probe();
  if (found.error != 0)
    throw std::system_error(found.error, std::system_category(), "asio_proactor: " + found.reason);
  std::unique_ptr<driver_factory> factory = uring::make_factory();
  log_once(factory->describe());
  return factory;
}

} // namespace asio_proactor::core
