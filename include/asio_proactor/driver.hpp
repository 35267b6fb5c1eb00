//
// asio_proactor/driver.hpp: which kernel interface serves a context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DRIVER_HPP
#define ASIO_PROACTOR_DRIVER_HPP

#include <asio_proactor/drop_in.hpp>

#include <boost/asio/execution_context.hpp>
#include <string>

namespace asio_proactor {

/// The kind of driver that serves a context, and what it uses of the kernel.
struct driver_information
{
  std::string name;   ///< "uring".
  std::string detail; ///< Features in use, for people: "COOP_TASKRUN, NO_IOWAIT".
};

/// Find out which driver serves a context.
/**
 * The driver is chosen with the first I/O object or timer of the context, and here if there was none yet; it stays for
 * the context's life.
 *
 * @param context An io_context, a thread_pool or any other execution context of a program built with the drop-in.
 * @throws std::system_error if no driver works on this machine; the message says what was refused and what to do.
 *
 * Thread safe.
 *
 * @code
 * boost::asio::io_context context;
 * std::cout << asio_proactor::driver_of(context).name << '\n'; // uring
 * @endcode
 */
inline driver_information driver_of(boost::asio::execution_context& context)
{
  auto& service = boost::asio::use_service<boost::asio::detail::io_uring_service>(context);
  const core::driver_description& d = service.proactor().description();
  return {d.name, d.detail};
}

} // namespace asio_proactor

#endif // ASIO_PROACTOR_DRIVER_HPP
