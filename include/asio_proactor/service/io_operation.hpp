//
// asio_proactor/service/io_operation.hpp: an operation of the core that ends in an Asio handler.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_IO_OPERATION_HPP
#define ASIO_PROACTOR_SERVICE_IO_OPERATION_HPP

#include <asio_proactor/core/operation.hpp>
#include <asio_proactor/service/asio_internals.hpp>

namespace asio_proactor::service {

/// Both what the core starts and what the loop runs; in one allocation with the handler.
template <class CoreOperation>
class io_operation_of : public asio_detail::scheduler_operation, public CoreOperation
{
protected:
  explicit io_operation_of(func_type complete) : scheduler_operation(complete) {}

  ~io_operation_of() = default;
};

using io_operation = io_operation_of<core::operation>;
using extended_io_operation = io_operation_of<core::extended_operation>;

/// What the loop runs when an operation of the core is over.
inline asio_detail::scheduler_operation& to_be_run(core::operation& op)
{
  if (op.is_extended_)
    return static_cast<extended_io_operation&>(static_cast<core::extended_operation&>(op));
  return static_cast<io_operation&>(op);
}

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IO_OPERATION_HPP
