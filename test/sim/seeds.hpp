//
// Schedules by the thousand, each from a seed of its own, and a single one again when it has failed.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_TEST_SIM_SEEDS_HPP
#define ASIO_PROACTOR_TEST_SIM_SEEDS_HPP

#include "simulated_kernel.hpp"
#include "support/environment.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>

namespace sim {

/// Runs the schedules of the seeds 1 to usual, or what ASIO_PROACTOR_SIM_SEEDS and ASIO_PROACTOR_SIM_SEED say.
template <class Schedule>
void for_each_seed(std::uint64_t usual, Schedule schedule)
{
  using test_support::number_from_environment;
  constexpr std::uint64_t none = ~std::uint64_t{0};
  const std::uint64_t only = number_from_environment("ASIO_PROACTOR_SIM_SEED", none);
  const std::uint64_t first = only == none ? 1 : only;
  const std::uint64_t count = only == none ? number_from_environment("ASIO_PROACTOR_SIM_SEEDS", usual) : 1;
  for (std::uint64_t seed = first; seed < first + count; ++seed)
    try
    {
      schedule(seed);
    }
    catch (const violation& broken)
    {
      BOOST_FAIL("seed " << seed << ": " << broken.what() << "; again with ASIO_PROACTOR_SIM_SEED=" << seed);
    }
  BOOST_TEST_MESSAGE(count << " schedules");
  BOOST_TEST(count > 0u);
}

} // namespace sim

#endif // ASIO_PROACTOR_TEST_SIM_SEEDS_HPP
