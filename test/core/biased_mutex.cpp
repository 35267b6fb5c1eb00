// The lock that is free for one thread must still exclude all others.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/biased_mutex.hpp>

#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

using asio_proactor::core::biased_mutex;

namespace {

constexpr int owner_rounds = 200000;
constexpr int other_rounds = 500;

void add(biased_mutex& m, long& sum, int rounds)
{
  for (int i = 0; i < rounds; ++i)
  {
    biased_mutex::guard held(m);
    ++sum;
  }
}

void take_bias(biased_mutex& m)
{
  biased_mutex::guard held(m);
  m.bias_to_this_thread(held);
}

void give_up_bias(biased_mutex& m)
{
  biased_mutex::guard held(m);
  m.unbias(held);
}

} // namespace

BOOST_AUTO_TEST_CASE(excludes_others_from_the_owner_and_the_owner_from_others)
{
  biased_mutex m;
  long sum = 0;
  take_bias(m);
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i)
    others.emplace_back([&] { add(m, sum, other_rounds); });
  add(m, sum, owner_rounds);
  for (std::thread& t : others)
    t.join();
  BOOST_TEST(sum == owner_rounds + 3L * other_rounds);
  give_up_bias(m);
  BOOST_TEST(!m.biased_to_this_thread());
}

BOOST_AUTO_TEST_CASE(a_disputed_bias_excludes_too)
{
  biased_mutex m;
  long sum = 0;
  take_bias(m);
  std::thread other([&] {
    {
      biased_mutex::guard held(m);
      m.dispute(held);
    }
    add(m, sum, owner_rounds);
  });
  add(m, sum, owner_rounds);
  other.join();
  BOOST_TEST(sum == 2L * owner_rounds);
  BOOST_TEST(!m.bias_is_undisputed());
  give_up_bias(m);
}

BOOST_AUTO_TEST_CASE(the_bias_can_move_from_thread_to_thread)
{
  biased_mutex m;
  long sum = 0;
  for (int i = 0; i < 20; ++i)
    std::thread([&] {
      take_bias(m);
      add(m, sum, 100);
      give_up_bias(m);
    }).join();
  BOOST_TEST(sum == 2000);
}
