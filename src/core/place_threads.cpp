//
// core/place_threads.cpp: which thread runs where.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/topology.hpp>

#include <algorithm>
#include <cerrno>
#include <pthread.h>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace asio_proactor::core {

namespace {

// More than any kernel has processors: a negative number that has become unsigned, most likely.
constexpr std::size_t most_threads = 65536;

[[noreturn]] void refuse(const std::string& what)
{
  throw std::invalid_argument("asio_proactor: " + what);
}

std::string text_of(const std::vector<int>& numbers)
{
  std::string text;
  for (int number : numbers)
    text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

std::vector<int> numbers_of(const std::vector<cpu>& cpus)
{
  std::vector<int> numbers;
  numbers.reserve(cpus.size());
  for (const cpu& each : cpus)
    numbers.push_back(each.number);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// In the order of the request, whose author had a reason for it.
std::vector<cpu> requested(const std::vector<int>& wanted, const std::vector<cpu>& there)
{
  std::vector<cpu> chosen;
  for (int number : wanted)
  {
    const auto is_it = [number](const cpu& each) { return each.number == number; };
    const auto found = std::find_if(there.begin(), there.end(), is_it);
    if (found == there.end())
      refuse("CPU " + std::to_string(number) + " is not one of those that this process may run on (" +
             text_of(numbers_of(there)) + "); they are set by taskset, a container's cpuset or sched_setaffinity");
    if (std::any_of(chosen.begin(), chosen.end(), is_it))
      refuse("CPU " + std::to_string(number) + " is named twice");
    chosen.push_back(*found);
  }
  return chosen;
}

std::vector<std::vector<int>> one_each(std::size_t threads, const std::vector<cpu>& cpus)
{
  if (threads > cpus.size())
    refuse(std::to_string(threads) + " threads cannot have a CPU each where there are " + std::to_string(cpus.size()) +
           ": ask for no more than that, or for placement::node or placement::anywhere");
  std::vector<std::vector<int>> places;
  places.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i)
    places.push_back({cpus[i].number});
  return places;
}

// Nodes take turns, in the order in which they first occur.
std::vector<std::vector<int>> one_node_each(std::size_t threads, const std::vector<cpu>& cpus)
{
  std::vector<int> nodes;
  for (const cpu& each : cpus)
    if (std::find(nodes.begin(), nodes.end(), each.node) == nodes.end())
      nodes.push_back(each.node);
  std::vector<std::vector<int>> places(threads);
  for (std::size_t i = 0; i < threads; ++i)
    for (const cpu& each : cpus)
      if (each.node == nodes[i % nodes.size()])
        places[i].push_back(each.number);
  return places;
}

std::size_t count_of_threads(const placement_request& wanted, std::size_t cpus, std::size_t limit)
{
  if (wanted.threads > most_threads)
    refuse(std::to_string(wanted.threads) + " is no sensible number of threads");
  if (wanted.threads != 0)
    return wanted.threads;
  // Who names processors has counted them.
  return limit == 0 || !wanted.cpus.empty() ? cpus : std::min(cpus, limit);
}

} // namespace

std::vector<std::vector<int>> place_threads(const placement_request& wanted, const placement_supply& supply)
{
  const std::vector<cpu> cpus = wanted.cpus.empty() ? supply.cpus : requested(wanted.cpus, supply.cpus);
  const std::size_t threads = count_of_threads(wanted, cpus.size(), supply.limit);
  if (wanted.place == placement::cpu)
    return one_each(threads, cpus);
  if (wanted.place == placement::node)
    return one_node_each(threads, cpus);
  return std::vector<std::vector<int>>(threads, wanted.cpus);
}

void bind_this_thread(const std::vector<int>& cpus)
{
  const int room = std::max<int>(CPU_SETSIZE, *std::max_element(cpus.begin(), cpus.end()) + 1);
  const std::size_t bytes = CPU_ALLOC_SIZE(room);
  std::vector<unsigned long> words(bytes / sizeof(unsigned long));
  auto* set = reinterpret_cast<::cpu_set_t*>(words.data());
  for (int number : cpus)
    CPU_SET_S(number, bytes, set);
  if (const int error = ::pthread_setaffinity_np(::pthread_self(), bytes, set))
    throw std::system_error(error, std::system_category(),
                            "asio_proactor: a thread cannot be bound to CPU " + text_of(cpus) +
                              "; ask for others, or for placement::anywhere");
}

void allocate_locally() noexcept
{
  // Source of the number: MPOL_LOCAL in linux/mempolicy.h, which not every system has installed.
  constexpr int mpol_local = 4;
  ::syscall(SYS_set_mempolicy, mpol_local, nullptr, 0);
}

void name_this_thread(const std::string& name) noexcept
{
  char shortened[longest_thread_name + 1] = {};
  name.copy(shortened, longest_thread_name);
  ::pthread_setname_np(::pthread_self(), shortened);
}

} // namespace asio_proactor::core
