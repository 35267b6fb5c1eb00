//
// uring/uring_factory.hpp: finds out what io_uring offers here and creates drivers for it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_URING_URING_FACTORY_HPP
#define ASIO_PROACTOR_SRC_URING_URING_FACTORY_HPP

#include <asio_proactor/core/driver.hpp>
#include <memory>
#include <string>

namespace asio_proactor::uring {

/// What a probe of this process found.
struct probe_result
{
  int error = 0;      ///< 0, or the errno that says why io_uring cannot be used.
  std::string reason; ///< The same as a sentence with advice.
  std::string detail; ///< What is in use when it can.
  bool has_fast_ring = false;
};

/// Probes with the first call, and again only after a shortage of memory or descriptors. Thread safe.
probe_result probe();

/// Only when probe().error is 0.
std::unique_ptr<core::driver_factory> make_factory();

} // namespace asio_proactor::uring

#endif // ASIO_PROACTOR_SRC_URING_URING_FACTORY_HPP
