//
// asio_proactor/capabilities.hpp: what this machine lets the library do, without a context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CAPABILITIES_HPP
#define ASIO_PROACTOR_CAPABILITIES_HPP

#include <string>
#include <vector>

namespace asio_proactor {

/// Something of io_uring that the library uses where the kernel has it.
struct kernel_feature
{
  std::string name;  ///< As in linux/io_uring.h: "IORING_SETUP_DEFER_TASKRUN".
  std::string since; ///< The first release of Linux that has it: "6.1". Distributions move features to older kernels.
  bool is_required;  ///< Without it the epoll driver serves.
  bool is_there;     ///< Found by trying it in this process; false throughout where io_uring is refused.
  std::string used_for;  ///< What the library does with it.
  std::string otherwise; ///< What happens without it.
};

/// A limit of the process or the system that bears on I/O.
struct system_limit
{
  std::string name;  ///< "RLIMIT_NOFILE", "kernel.io_uring_disabled", "seccomp".
  std::string value; ///< With its unit: "8 MiB", "1024", "filter".
};

/// What was found.
struct capability_report
{
  std::string kernel; ///< The kernel's release: "6.18.2-amd64".
  std::string
    driver; ///< What serves a new context that asks for nothing else: "uring", "epoll", or empty if nothing works.
  std::string detail;                   ///< The features in use, or why it is not io_uring.
  std::vector<kernel_feature> features; ///< Oldest first.
  std::vector<system_limit> limits;
  std::vector<std::string> advice; ///< What to change for more speed or capacity, a sentence each; often empty.
};

/// Find out what this process can do here.
/**
 * Nothing is remembered and nothing is changed: rings are made, tried and closed again. The environment variable
 * ASIO_PROACTOR_DRIVER counts as it does for a context. Takes about a millisecond.
 *
 * @throws std::bad_alloc only. A driver that was asked for and does not work leaves capability_report::driver empty,
 * with the reason in detail.
 *
 * Thread safe. The installed program asio-proactor-info prints the same.
 *
 * @code
 * const auto found = asio_proactor::capabilities();
 * if (found.driver != "uring")
 *   std::clog << "no io_uring: " << found.detail << '\n';
 * @endcode
 */
capability_report capabilities();

} // namespace asio_proactor

#endif // ASIO_PROACTOR_CAPABILITIES_HPP
