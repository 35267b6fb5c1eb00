//
// core/retry.hpp: what a result means for an operation: its end, another attempt, or a wait for readiness.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_CORE_RETRY_HPP
#define ASIO_PROACTOR_SRC_CORE_RETRY_HPP

#include <asio_proactor/core/operation.hpp>
#include <optional>

namespace asio_proactor::core {

/// The events whose arrival makes another attempt at the operation worthwhile.
unsigned readiness_of(const operation& op);

/// What to ask a poll request for, so that it wakes up for all of the events; it may then wake up for more.
unsigned waking_events(unsigned events);

/// Whether the call found nothing to do on a descriptor with O_NONBLOCK, and should wait for readiness.
bool wants_readiness(const operation& op, int result);

/// Whether the result is to be kept from the program and the operation made again.
bool is_to_be_repeated(const operation& op, int result);

/// The result as the program sees it.
int final_result(const operation& op, int result);

/// Undo what an operation that counts as cancelled has done after all. Returns -ECANCELED.
int discard_result(const operation& op, int result);

/// Make the system call, repeated if a signal interrupts it. It blocks where the descriptor and the call do.
/** @return What the program is told, -EAGAIN among it. */
int attempt(operation& op);

/// The most operations of a line that are attempted together.
constexpr unsigned longest_line = 32;

/// send(2), recv(2) and relatives: never block when they are told so.
bool is_socket_transfer(opcode code);

/// read(2), write(2) and relatives: not only for sockets, and without a flag that keeps them from blocking.
bool is_file_call(opcode code);

/// Whether an operation reads at a position of a file. Those of an io_object may overtake each other.
bool is_positional_read(const operation& op);

/// Make the system call, now, without blocking. Nothing when it would block.
std::optional<int> attempt_without_blocking(operation& op);

/// The same, whether or not the descriptor has O_NONBLOCK.
std::optional<int> attempt_without_blocking_on_any(operation& op);

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_SRC_CORE_RETRY_HPP
