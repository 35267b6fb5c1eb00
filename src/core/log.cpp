//
// core/log.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "log.hpp"

#include <asio_proactor/log.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

namespace asio_proactor {

namespace {

struct log_target
{
  std::mutex mutex;
  log_handler handler;
  bool has_spoken = false; // To standard error.
};

log_target& target()
{
  // Never destroyed: contexts of static lifetime may still come.
  static auto* const t = new log_target;
  return *t;
}

bool is_wanted_on_stderr(bool is_second_choice)
{
  const char* wanted = std::getenv("ASIO_PROACTOR_LOG");
  return wanted ? std::strcmp(wanted, "0") != 0 : is_second_choice;
}

} // namespace

log_handler set_log_handler(log_handler handler)
{
  log_target& t = target();
  const std::lock_guard<std::mutex> held(t.mutex);
  std::swap(t.handler, handler);
  return handler;
}

void core::log_choice(const driver_description& chosen, bool is_second_choice)
{
  const std::string line = "asio_proactor: driver " + chosen.name + ": " + chosen.detail;
  log_target& t = target();
  const std::lock_guard<std::mutex> held(t.mutex);
  if (t.handler)
    t.handler(line);
  else if (!t.has_spoken && is_wanted_on_stderr(is_second_choice))
  {
    t.has_spoken = true;
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

} // namespace asio_proactor
