//
// core/topology.cpp: what sched_getaffinity(2), /sys and the control group say about processors.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/topology.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <sched.h>
#include <sstream>
#include <string>
#include <system_error>
#include <tuple>
#include <unistd.h>

namespace asio_proactor {

namespace {

// The form of cpulist files: "0-3,8,10-11".
std::vector<int> parse_list(const std::string& text)
{
  std::vector<int> numbers;
  std::istringstream in(text);
  for (int first = 0; in >> first;)
  {
    int last = first;
    if (in.peek() == '-')
      in.ignore() >> last;
    for (; first <= last; ++first)
      numbers.push_back(first);
    in.ignore();
  }
  return numbers;
}

std::string first_line(const std::string& file)
{
  std::string line;
  std::getline(std::ifstream(file), line);
  return line;
}

std::map<int, int> nodes_of_cpus(const std::string& root)
{
  const std::string directory = root + "/sys/devices/system/node/";
  std::map<int, int> nodes;
  for (int node : parse_list(first_line(directory + "online")))
    for (int number : parse_list(first_line(directory + "node" + std::to_string(node) + "/cpulist")))
      nodes[number] = node;
  return nodes;
}

// 0 for the first hardware thread of a core, 1 for the second.
int hardware_thread(int number, const std::string& root)
{
  const std::vector<int> siblings = parse_list(
    first_line(root + "/sys/devices/system/cpu/cpu" + std::to_string(number) + "/topology/thread_siblings_list"));
  const auto found = std::find(siblings.begin(), siblings.end(), number);
  return found == siblings.end() ? 0 : static_cast<int>(found - siblings.begin());
}

// Sets of the usual size have room for 1024 processors; the kernel says when it knows more.
std::vector<int> allowed_cpus()
{
  for (int room = CPU_SETSIZE;; room *= 2)
  {
    const std::size_t bytes = CPU_ALLOC_SIZE(room);
    std::vector<unsigned long> words(bytes / sizeof(unsigned long));
    auto* set = reinterpret_cast<::cpu_set_t*>(words.data());
    if (::sched_getaffinity(::getpid(), bytes, set) == 0)
    {
      std::vector<int> numbers;
      for (int number = 0; number < room; ++number)
        if (CPU_ISSET_S(number, bytes, set))
          numbers.push_back(number);
      return numbers;
    }
    if (errno != EINVAL)
      throw std::system_error(errno, std::system_category(), "asio_proactor: sched_getaffinity");
  }
}

// Its form: "150000 100000" for one and a half processors, "max 100000" for no limit.
std::size_t whole_cpus(const std::string& cpu_max)
{
  std::istringstream in(cpu_max);
  std::size_t quota_us = 0, period_us = 0;
  if (!(in >> quota_us >> period_us) || quota_us == 0 || period_us == 0)
    return 0;
  return (quota_us + period_us - 1) / period_us;
}

// The line of version 2 is "0::/the/group".
std::string control_group(const std::string& root)
{
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);)
    if (line.compare(0, 3, "0::") == 0)
      return line.substr(3);
  return "/";
}

} // namespace

namespace core {

std::vector<cpu> spread_over_nodes(const std::vector<int>& numbers, const std::string& root)
{
  struct candidate
  {
    cpu what;
    int hardware_thread;
    int turn; // how many of the same kind its node has had before it
  };
  const std::map<int, int> nodes = nodes_of_cpus(root);
  std::map<std::pair<int, int>, int> turns;
  std::vector<candidate> candidates;
  candidates.reserve(numbers.size());
  for (int number : numbers)
  {
    const auto found = nodes.find(number);
    const int node = found == nodes.end() ? 0 : found->second;
    const int thread = hardware_thread(number, root);
    candidates.push_back({{number, node}, thread, turns[{node, thread}]++});
  }
  std::sort(candidates.begin(), candidates.end(), [](const candidate& a, const candidate& b) {
    return std::tie(a.hardware_thread, a.turn, a.what.node) < std::tie(b.hardware_thread, b.turn, b.what.node);
  });
  std::vector<cpu> ordered;
  ordered.reserve(candidates.size());
  for (const candidate& each : candidates)
    ordered.push_back(each.what);
  return ordered;
}

std::size_t cpu_limit(const std::string& root)
{
  const std::string groups = root + "/sys/fs/cgroup";
  std::size_t least = 0;
  for (std::string group = control_group(root);; group.erase(group.rfind('/')))
  {
    const std::size_t limit = whole_cpus(first_line(std::string(groups).append(group).append("/cpu.max")));
    if (limit != 0)
      least = least == 0 ? limit : std::min(least, limit);
    if (group.rfind('/') == std::string::npos)
      return least;
  }
}

placement_supply find_supply()
{
  return {usable_cpus(), cpu_limit("")};
}

} // namespace core

std::vector<cpu> usable_cpus()
{
  return core::spread_over_nodes(allowed_cpus(), "");
}

std::size_t usable_cpu_count()
{
  const core::placement_supply supply = core::find_supply();
  return supply.limit == 0 ? supply.cpus.size() : std::min(supply.limit, supply.cpus.size());
}

} // namespace asio_proactor
