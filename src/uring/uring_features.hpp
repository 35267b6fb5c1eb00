//
// uring/uring_features.hpp: which features of io_uring are used, and which of them are here.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_URING_URING_FEATURES_HPP
#define ASIO_PROACTOR_SRC_URING_URING_FEATURES_HPP

#include "ring.hpp"

#include <asio_proactor/capabilities.hpp>
#include <vector>

namespace asio_proactor::uring {

/// Whether the kernel has what the driver cannot do without.
bool has_all_required(ring& r);

/// Try every feature that the driver uses.
std::vector<kernel_feature> find_features();

} // namespace asio_proactor::uring

#endif // ASIO_PROACTOR_SRC_URING_URING_FEATURES_HPP
