// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Which processors there are and who gets which, on machines that consist of a few files.

#define BOOST_TEST_MODULE topology
#include <boost/test/included/unit_test.hpp>

#include <algorithm>
#include <asio_proactor/core/topology.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace asio_proactor;

namespace {

// A directory with the files of /proc and /sys that are looked at.
class machine
{
public:
  machine()
  {
    std::string name = (std::filesystem::temp_directory_path() / "topology-XXXXXX").string();
    BOOST_TEST_REQUIRE(::mkdtemp(name.data()));
    root_ = name;
  }
  ~machine() { std::filesystem::remove_all(root_); }

  std::string root() const { return root_.string(); }

  void put(const std::string& file, const std::string& text) const
  {
    const std::filesystem::path path = root_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }

  void node(int number, const std::string& cpus) const
  {
    put("sys/devices/system/node/node" + std::to_string(number) + "/cpulist", cpus);
  }

  void siblings(int cpu, const std::string& list) const
  {
    put("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list", list);
  }

private:
  std::filesystem::path root_;
};

std::vector<int> numbers(const std::vector<cpu>& cpus)
{
  std::vector<int> all;
  for (const cpu& each : cpus)
    all.push_back(each.number);
  return all;
}

using list = std::vector<int>;
using lists = std::vector<list>;

auto says(const std::string& words)
{
  return [words](const std::exception& e) {
    BOOST_TEST_MESSAGE(e.what());
    return std::string(e.what()).find(words) != std::string::npos;
  };
}

const core::placement_supply two_nodes{{{0, 0}, {4, 1}, {1, 0}, {5, 1}}, 0};

} // namespace

BOOST_AUTO_TEST_SUITE(order)

BOOST_AUTO_TEST_CASE(without_sys_the_order_is_that_of_the_numbers)
{
  const machine bare;
  const auto found = core::spread_over_nodes({0, 2, 3}, bare.root());
  BOOST_TEST(numbers(found) == list({0, 2, 3}));
  BOOST_TEST((std::all_of(found.begin(), found.end(), [](const cpu& c) { return c.node == 0; })));
}

BOOST_AUTO_TEST_CASE(nodes_take_turns_and_second_hardware_threads_come_last)
{
  // Two nodes with two cores each, of two hardware threads each.
  const machine m;
  m.put("sys/devices/system/node/online", "0-1");
  m.node(0, "0-1,4-5");
  m.node(1, "2-3,6-7");
  for (int core = 0; core < 4; ++core)
    for (int cpu : {core, core + 4})
      m.siblings(cpu, std::to_string(core) + "," + std::to_string(core + 4));
  const auto found = core::spread_over_nodes({0, 1, 2, 3, 4, 5, 6, 7}, m.root());
  BOOST_TEST(numbers(found) == list({0, 2, 1, 3, 4, 6, 5, 7}));
  BOOST_TEST(found[1].node == 1);
  BOOST_TEST(numbers(core::spread_over_nodes({1, 2, 3, 5}, m.root())) == list({1, 2, 3, 5}));
}

BOOST_AUTO_TEST_CASE(nodes_of_memory_only_are_no_trouble)
{
  const machine m;
  m.put("sys/devices/system/node/online", "0,2");
  m.node(0, "0-1");
  m.node(2, "");
  BOOST_TEST(numbers(core::spread_over_nodes({0, 1}, m.root())) == list({0, 1}));
}

BOOST_AUTO_TEST_CASE(this_machine_has_what_the_kernel_allows)
{
  ::cpu_set_t set;
  BOOST_TEST_REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
  const auto found = usable_cpus();
  BOOST_TEST(found.size() == static_cast<std::size_t>(CPU_COUNT(&set)));
  for (const cpu& each : found)
    BOOST_TEST(CPU_ISSET(each.number, &set));
  BOOST_TEST((usable_cpu_count() >= 1 && usable_cpu_count() <= found.size()));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(limit)

BOOST_AUTO_TEST_CASE(none_without_a_control_group)
{
  const machine bare;
  BOOST_TEST(core::cpu_limit(bare.root()) == 0u);
}

BOOST_AUTO_TEST_CASE(the_least_of_the_group_and_those_above_it)
{
  const machine m;
  m.put("proc/self/cgroup", "4:cpu:/elsewhere\n0::/outer/inner");
  m.put("sys/fs/cgroup/outer/inner/cpu.max", "max 100000");
  BOOST_TEST(core::cpu_limit(m.root()) == 0u);
  m.put("sys/fs/cgroup/outer/cpu.max", "250000 100000");
  BOOST_TEST(core::cpu_limit(m.root()) == 3u);
  m.put("sys/fs/cgroup/outer/inner/cpu.max", "50000 100000");
  BOOST_TEST(core::cpu_limit(m.root()) == 1u);
}

BOOST_AUTO_TEST_CASE(a_group_of_its_own_namespace_is_the_root)
{
  const machine m;
  m.put("proc/self/cgroup", "0::/");
  m.put("sys/fs/cgroup/cpu.max", "200000 100000");
  BOOST_TEST(core::cpu_limit(m.root()) == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(placing)

BOOST_AUTO_TEST_CASE(one_thread_per_processor_is_the_default)
{
  BOOST_TEST((core::place_threads({}, two_nodes) == lists(4)));
  BOOST_TEST((core::place_threads({0, placement::cpu, {}}, two_nodes) == lists{{0}, {4}, {1}, {5}}));
}

BOOST_AUTO_TEST_CASE(a_limit_counts_unless_processors_are_named)
{
  core::placement_supply limited = two_nodes;
  limited.limit = 2;
  BOOST_TEST((core::place_threads({0, placement::cpu, {}}, limited) == lists{{0}, {4}}));
  BOOST_TEST(core::place_threads({0, placement::cpu, {5, 0, 1}}, limited).size() == 3u);
  BOOST_TEST(core::place_threads({4, placement::anywhere, {}}, limited).size() == 4u);
  limited.limit = 9;
  BOOST_TEST(core::place_threads({}, limited).size() == 4u);
}

BOOST_AUTO_TEST_CASE(threads_take_turns_on_nodes)
{
  BOOST_TEST((core::place_threads({3, placement::node, {}}, two_nodes) == lists{{0, 1}, {4, 5}, {0, 1}}));
  BOOST_TEST((core::place_threads({2, placement::node, {5, 4}}, two_nodes) == lists{{5, 4}, {5, 4}}));
}

BOOST_AUTO_TEST_CASE(named_processors_are_used_in_their_order)
{
  BOOST_TEST((core::place_threads({0, placement::cpu, {5, 0}}, two_nodes) == lists{{5}, {0}}));
  BOOST_TEST((core::place_threads({1, placement::anywhere, {5, 0}}, two_nodes) == lists{{5, 0}}));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_is_refused_with_what_could)
{
  const auto place = [](std::size_t threads, placement where, list cpus) {
    return core::place_threads({threads, where, std::move(cpus)}, two_nodes);
  };
  BOOST_CHECK_EXCEPTION(place(5, placement::cpu, {}), std::invalid_argument, says("where there are 4"));
  BOOST_CHECK_EXCEPTION(place(0, placement::cpu, {2}), std::invalid_argument, says("(0,1,4,5)"));
  BOOST_CHECK_EXCEPTION(place(0, placement::anywhere, {1, 1}), std::invalid_argument, says("CPU 1 is named twice"));
  BOOST_CHECK_EXCEPTION(place(0, placement::node, {-1}), std::invalid_argument, says("CPU -1"));
  BOOST_CHECK_EXCEPTION(place(static_cast<std::size_t>(-1), placement::anywhere, {}), std::invalid_argument,
                        says("no sensible number"));
}

BOOST_AUTO_TEST_CASE(a_thread_is_bound_or_told_why_not)
{
  std::thread([] {
    const int last = usable_cpus().back().number;
    core::bind_this_thread({last});
    BOOST_TEST(::sched_getcpu() == last);
    BOOST_CHECK_EXCEPTION(core::bind_this_thread({5000}), std::system_error, says("5000"));
  }).join();
}

BOOST_AUTO_TEST_SUITE_END()
