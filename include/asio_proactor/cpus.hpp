//
// asio_proactor/cpus.hpp: the processors that this process may use, for who places threads.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CPUS_HPP
#define ASIO_PROACTOR_CPUS_HPP

#include <cstddef>
#include <vector>

namespace asio_proactor {

/// A processor, as the kernel counts them: a core, or one of the hardware threads of a core.
struct cpu
{
  int number; ///< As in taskset and /proc/cpuinfo.
  int node;   ///< Its NUMA node; 0 throughout on a machine without.
};

/// Find out which processors this process may run on.
/**
 * @returns What sched_getaffinity(2) allows the process's first thread, in an order of which any first part is a good
 * choice: all cores come before the second hardware thread of any, and NUMA nodes take turns.
 * @throws std::system_error if the kernel does not say; std::bad_alloc.
 *
 * What /sys does not tell (a container may hide it) counts as one node, and as cores with one hardware thread each.
 * Thread safe.
 *
 * @code
 * // One context per processor of the node that the network card is on.
 * asio_proactor::context_pool_options options;
 * options.place = asio_proactor::placement::cpu;
 * for (const auto& each : asio_proactor::usable_cpus())
 *   if (each.node == 1)
 *     options.cpus.push_back(each.number);
 * @endcode
 */
std::vector<cpu> usable_cpus();

/// Find out for how many processors there is time: how many threads of one processor each are worth having.
/**
 * @returns The size of usable_cpus(), or the CPU limit of the control group (cpu.max of version 2, rounded up) where
 * that is less.
 * @throws As usable_cpus(). Thread safe.
 */
std::size_t usable_cpu_count();

/// Where a thread may run.
enum class placement
{
  anywhere, ///< On all processors that are to be used; the kernel moves it between them.
  node,     ///< On those of one NUMA node.
  cpu       ///< On one, which no other thread of the same owner gets.
};

} // namespace asio_proactor

#endif // ASIO_PROACTOR_CPUS_HPP
