// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// The timing wheel beside a sorted set that does the same, in virtual time, at random.

#define BOOST_TEST_MODULE timer_wheel
#include <boost/test/included/unit_test.hpp>

#include <algorithm>
#include <asio_proactor/core/timer_wheel.hpp>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <set>
#include <vector>

namespace core = asio_proactor::core;

namespace {

using wheel = core::timer_wheel<std::allocator<void>>;

constexpr std::int64_t ms = 1'000'000, second = 1000 * ms, day = 86400 * second;
constexpr auto longest = std::numeric_limits<std::int64_t>::max(), shortest = std::numeric_limits<std::int64_t>::min();

class model
{
public:
  explicit model(std::uint64_t seed)
    : random_(seed),
      now_(static_cast<std::int64_t>(random_() % (400 * day))),
      wheel_(now_)
  {
    for (int i = 0; i < 200; ++i)
      out_.push_back(&entries_.emplace_back());
  }

  void do_something()
  {
    switch (random_() % 8)
    {
    case 0: return erase();
    case 1: return replace();
    case 2: return advance(distance());
    case 3: return advance_to(wheel_.next_ns());
    default: insert();
    }
  }

  void take_all()
  {
    std::size_t count = 0;
    while (wheel_.pop_any())
      ++count;
    BOOST_TEST_REQUIRE(count == times_.size());
    BOOST_TEST_REQUIRE(wheel_.empty());
    BOOST_TEST_REQUIRE(wheel_.next_ns() == wheel::never);
  }

private:
  // From nothing to years, each order of magnitude as often.
  std::int64_t distance() { return static_cast<std::int64_t>(random_() >> (random_() % 63 + 1)); }

  std::int64_t some_time()
  {
    switch (random_() % 32)
    {
    case 0: return longest;
    case 1: return shortest;
    case 2: return now_;
    case 3: return times_.empty() ? now_ : *times_.begin();
    case 4: return now_ - std::min(now_, distance());
    default: return now_ + std::min(longest - now_, distance());
    }
  }

  core::timer_entry* one_of(std::vector<core::timer_entry*>& from)
  {
    std::swap(from[random_() % from.size()], from.back());
    core::timer_entry* chosen = from.back();
    from.pop_back();
    return chosen;
  }

  void insert()
  {
    if (out_.empty())
      return;
    in_.push_back(one_of(out_));
    const std::int64_t time = some_time();
    wheel_.insert(*in_.back(), time);
    times_.insert(time);
    check();
  }

  void erase()
  {
    if (in_.empty())
      return;
    out_.push_back(one_of(in_));
    times_.erase(times_.find(out_.back()->time_ns()));
    wheel_.erase(*out_.back());
    check();
  }

  void replace()
  {
    if (in_.empty() || out_.empty())
      return;
    core::timer_entry* e = one_of(in_);
    core::timer_entry* other = one_of(out_);
    wheel_.replace(*e, *other);
    BOOST_TEST_REQUIRE(other->time_ns() == e->time_ns());
    in_.push_back(other);
    out_.push_back(e);
    check();
  }

  // Never to the end of time, when even what never comes is due.
  void advance(std::int64_t by) { advance_to(now_ + std::min({by, day, longest - 1 - now_})); }

  void advance_to(std::int64_t time)
  {
    if (time == wheel::never)
      return;
    now_ = std::max(now_, time);
    while (core::timer_entry* due = wheel_.pop_due(now_))
    {
      BOOST_TEST_REQUIRE(!due->is_in());
      BOOST_TEST_REQUIRE(due->time_ns() == *times_.begin());
      times_.erase(times_.begin());
      in_.erase(std::find(in_.begin(), in_.end(), due));
      out_.push_back(due);
    }
    BOOST_TEST_REQUIRE((times_.empty() || *times_.begin() > now_));
    check();
    // Or nobody would ever sleep.
    BOOST_TEST_REQUIRE(wheel_.next_ns() > now_);
  }

  void check()
  {
    BOOST_TEST_REQUIRE(wheel_.empty() == times_.empty());
    if (times_.empty())
      BOOST_TEST_REQUIRE(wheel_.next_ns() == wheel::never);
    else if (random_() % 2 == 0) // As a loop that has other things to do than to sleep.
      BOOST_TEST_REQUIRE(wheel_.next_ns() <= *times_.begin());
  }

  std::mt19937_64 random_;
  std::int64_t now_;
  wheel wheel_;
  std::deque<core::timer_entry> entries_;
  std::vector<core::timer_entry*> in_, out_;
  std::multiset<std::int64_t> times_;
};

int blocks_left = 0;

// Runs out of memory when told to.
template <class T>
struct scarce
{
  using value_type = T;

  scarce() = default;
  template <class U>
  scarce(const scarce<U>&)
  {}

  T* allocate(std::size_t n)
  {
    if (blocks_left == 0)
      throw std::bad_alloc();
    --blocks_left;
    return std::allocator<T>().allocate(n);
  }

  void deallocate(T* p, std::size_t n) { std::allocator<T>().deallocate(p, n); }

  template <class U>
  bool operator==(const scarce<U>&) const
  {
    return true;
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(does_what_a_sorted_set_does)
{
  for (std::uint64_t seed = 0; seed < 300; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed)
    {
      model m(seed);
      for (int i = 0; i < 2000; ++i)
        m.do_something();
      m.take_all();
    }
}

// A slot that is reached wakes the loop, which finds that it is too early for what is in it: seldom.
BOOST_AUTO_TEST_CASE(few_wake_ups_are_too_early)
{
  std::mt19937_64 random(1);
  for (const std::size_t count : {1u, 10u, 1000u, 100000u})
  {
    wheel w(5 * day);
    std::deque<core::timer_entry> entries(count);
    for (core::timer_entry& each : entries)
      w.insert(each, 5 * day + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(3600 * second)));
    std::size_t too_early = 0;
    while (!w.empty())
    {
      const std::int64_t now = w.next_ns();
      too_early += !w.pop_due(now);
    }
    BOOST_TEST_MESSAGE(count << " timers: " << too_early << " times too early");
    BOOST_TEST(too_early <= (count <= 16 ? 0 : count / 5));
  }
}

BOOST_AUTO_TEST_CASE(an_insertion_without_memory_does_nothing)
{
  blocks_left = 1;
  core::timer_wheel<scarce<void>> w(0);
  std::deque<core::timer_entry> entries(1000);
  std::size_t count = 0;
  try
  {
    for (; count < entries.size(); ++count)
      w.insert(entries[count], day - static_cast<std::int64_t>(count));
  }
  catch (const std::bad_alloc&)
  {}
  BOOST_TEST_REQUIRE(count > 0u);
  BOOST_TEST_REQUIRE(count < entries.size());
  BOOST_TEST(!entries[count].is_in());
  // What is in comes out without any.
  blocks_left = 0;
  for (; core::timer_entry* due = w.pop_due(2 * day); --count)
    BOOST_TEST_REQUIRE(due == &entries[count - 1]);
  BOOST_TEST(count == 0u);
  BOOST_TEST(w.empty());
}
