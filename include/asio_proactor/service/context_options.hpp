//
// asio_proactor/service/context_options.hpp: what a program has configured for a context, by Asio's means (Boost 1.87 and newer).
//
// Source of the keys of Asio and their meaning: "Runtime Configuration" in the overview of Boost.Asio's documentation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_CONTEXT_OPTIONS_HPP
#define ASIO_PROACTOR_SERVICE_CONTEXT_OPTIONS_HPP

#include <asio_proactor/core/choose_waking.hpp>
#include <asio_proactor/service/asio_internals.hpp>
#include <boost/version.hpp>
#include <cstdint>
#include <string>
#if BOOST_VERSION >= 108700
# include <boost/asio/config.hpp>
#endif

namespace asio_proactor::service {

/// How long a thread may wait before it looks for work again, in nanoseconds; negative: as long as there is none. And who ends its wait.
struct wait_options
{
  std::int64_t leader_ns = -1; ///< The thread that waits for I/O: scheduler.task_usec.
  std::int64_t idle_ns = -1;   ///< The others: scheduler.wait_usec.
  core::waking waking = core::waking::eager;
};

/// Of two such limits.
inline std::int64_t shorter_wait(std::int64_t a, std::int64_t b)
{
  return a < 0 || (b >= 0 && b < a) ? b : a;
}

#if BOOST_VERSION >= 108700

/// The value of a key of this library, "proactor.NAME". Empty if the program has given none.
inline std::string configured_value(asio::execution_context& context, const char* name)
{
  char storage[64];
  const char* value =
    asio::use_service<asio::config_service>(context).get_value("proactor", name, storage, sizeof storage);
  return value ? value : "";
}

/// @throws std::system_error if waking is neither thrifty nor eager.
inline wait_options configured_waits(asio::execution_context& context)
{
  constexpr std::int64_t ns_per_us = 1000;
  const asio::config configuration(context);
  const auto limit = [&](const char* key) {
    const long us = configuration.get("scheduler", key, -1L);
    return us < 0 ? std::int64_t{-1} : us * ns_per_us;
  };
  return {limit("task_usec"), limit("wait_usec"), core::choose_waking(configured_value(context, "waking"))};
}

#else

inline std::string configured_value(asio::execution_context&, const char*)
{
  return {};
}

/// @throws std::system_error if waking is neither thrifty nor eager.
inline wait_options configured_waits(asio::execution_context&)
{
  return {-1, -1, core::choose_waking({})};
}

#endif

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_CONTEXT_OPTIONS_HPP
