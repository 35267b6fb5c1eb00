// A mutex must exclude, and whoever sleeps for it must be woken.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/light_mutex.hpp>

#include <boost/test/unit_test.hpp>
#include <atomic>
#include <chrono>
#include <mutex>
#include <sys/resource.h>
#include <thread>
#include <vector>

using asio_proactor::core::light_mutex;

namespace {

long times_asleep()
{
  ::rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

} // namespace

BOOST_AUTO_TEST_CASE(excludes)
{
  constexpr int rounds = 100000, threads = 4;
  light_mutex m;
  long sum = 0;
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back([&] {
      for (int n = 0; n < rounds; ++n)
      {
        const std::lock_guard<light_mutex> held(m);
        ++sum;
      }
    });
  for (std::thread& each : all)
    each.join();
  BOOST_TEST(sum == long{rounds} * threads);
}

BOOST_AUTO_TEST_CASE(tells_a_taken_one_from_a_free_one)
{
  light_mutex m;
  BOOST_TEST(m.try_lock());
  BOOST_TEST(!m.try_lock());
  m.unlock();
  BOOST_TEST(m.try_lock());
  m.unlock();
}

BOOST_AUTO_TEST_CASE(who_waits_long_sleeps_and_all_are_woken)
{
  constexpr int threads = 3;
  light_mutex m;
  std::atomic<int> at_the_lock{0};
  std::atomic<int> have_slept{0};
  int have_had_it = 0;
  std::vector<std::thread> all;
  m.lock();
  for (int i = 0; i < threads; ++i)
    all.emplace_back([&] {
      const long before = times_asleep();
      ++at_the_lock;
      const std::lock_guard<light_mutex> held(m);
      have_slept += times_asleep() != before;
      ++have_had_it;
    });
  while (at_the_lock != threads)
    std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  BOOST_TEST(have_had_it == 0);
  m.unlock();
  for (std::thread& each : all)
    each.join();
  BOOST_TEST(have_had_it == threads);
  BOOST_TEST(have_slept == threads);
}
