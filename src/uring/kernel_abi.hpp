//
// uring/kernel_abi.hpp: constants of the io_uring ABI that are newer than the oldest supported liburing.
//
// Source: include/uapi/linux/io_uring.h of the kernel release named with each.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_URING_KERNEL_ABI_HPP
#define ASIO_PROACTOR_SRC_URING_KERNEL_ABI_HPP

namespace asio_proactor::uring::abi {

constexpr unsigned enter_no_iowait = 1u << 7;    // 6.15: waiting is idle time, not I/O wait.
constexpr unsigned feature_no_iowait = 1u << 17; // 6.15

} // namespace asio_proactor::uring::abi

#endif // ASIO_PROACTOR_SRC_URING_KERNEL_ABI_HPP
