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
class io_operation : public asio_detail::scheduler_operation, public core::operation
{
protected:
  explicit io_operation(func_type complete) : scheduler_operation(complete) {}

  ~io_operation() = default;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_IO_OPERATION_HPP
