//
// asio_proactor/log.hpp: where the library's one log line goes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_LOG_HPP
#define ASIO_PROACTOR_LOG_HPP

#include <functional>
#include <string>

namespace asio_proactor {

/// Receives a line without its end: "asio_proactor: driver epoll: io_uring is denied to this process (...); using epoll".
using log_handler = std::function<void(const std::string& line)>;

/// Receive the library's log lines instead of finding them on standard error.
/**
 * The library says one thing only: which driver a context got, and why. Without a handler that is said once per
 * process, on standard error, and only if a program got less than it could have; the environment variable
 * ASIO_PROACTOR_LOG changes that to never (0) or always (any other value). A handler is called for every context,
 * whatever the variable says, by the thread that makes the first I/O object or timer of the context.
 *
 * @param handler Called by one thread at a time. It must not throw and must not call this function. Empty: standard error again.
 * @returns The handler that was there before.
 *
 * Thread safe. Meant to be called before the first context is used.
 *
 * @code
 * asio_proactor::set_log_handler([](const std::string& line) { syslog(LOG_NOTICE, "%s", line.c_str()); });
 * @endcode
 */
log_handler set_log_handler(log_handler handler);

} // namespace asio_proactor

#endif // ASIO_PROACTOR_LOG_HPP
