//
// asio_proactor/core/topology.hpp: which processors there are, which thread gets which, and how it gets there.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_TOPOLOGY_HPP
#define ASIO_PROACTOR_CORE_TOPOLOGY_HPP

#include <asio_proactor/cpus.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace asio_proactor::core {

/// Put processors into the order of usable_cpus().
/** @param root The directory that has sys in it: empty but in tests. */
std::vector<cpu> spread_over_nodes(const std::vector<int>& numbers, const std::string& root);

/// The CPU limit of this process's control group and those above it, rounded up to whole processors; 0: none.
/** @param root The directory that has proc and sys in it: empty but in tests. */
std::size_t cpu_limit(const std::string& root);

/// What the owner of threads asks for.
struct placement_request
{
  std::size_t threads = 0; ///< 0: as many as there are processors to use, or time for.
  placement place = placement::anywhere;
  std::vector<int> cpus; ///< The only ones to use; empty: all that there are.
};

/// What there is.
struct placement_supply
{
  std::vector<cpu> cpus; ///< In the order of usable_cpus().
  std::size_t limit = 0; ///< See cpu_limit().
};

placement_supply find_supply();

/// Decide where each thread may run.
/**
 * @returns The processors of each thread; an empty list is a thread that nothing has to be done for.
 * @throws std::invalid_argument if that cannot be done; the message says what could.
 */
std::vector<std::vector<int>> place_threads(const placement_request& wanted, const placement_supply& supply);

/// Have the calling thread run on these processors only.
/** @throws std::system_error with the name of the processors. */
void bind_this_thread(const std::vector<int>& cpus);

/// Have the calling thread's memory come from the node that it runs on, whatever policy it has inherited.
/** Where that is forbidden, as in some containers, nothing happens: it is what the kernel does by itself. */
void allocate_locally() noexcept;

/// The longest name of a thread, in bytes.
constexpr std::size_t longest_thread_name = 15;

/// Name the calling thread for debuggers and top -H; longer names are cut off.
void name_this_thread(const std::string& name) noexcept;

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_TOPOLOGY_HPP
