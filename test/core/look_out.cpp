// When a loop looks out for the next connection before it sleeps, and when it leaves that out.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <uring/look_out.hpp>

#include <boost/test/unit_test.hpp>

using asio_proactor::uring::look_out;

namespace {

// Of waits that each follow a connection, those that begin with a look.
int looks(look_out& looker, int waits, bool finds)
{
  int count = 0;
  for (int i = 0; i < waits; ++i)
  {
    looker.connection_came();
    if (!looker.begins())
      continue;
    ++count;
    looker.ended(finds);
  }
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(looking_out)

BOOST_AUTO_TEST_CASE(only_the_wait_behind_a_connection_begins_with_a_look)
{
  look_out looker;
  BOOST_TEST(!looker.begins());
  looker.connection_came();
  looker.connection_came();
  BOOST_TEST(looker.begins());
  looker.ended(true);
  BOOST_TEST(!looker.begins());
}

BOOST_AUTO_TEST_CASE(as_long_as_it_finds_something_it_looks_every_time)
{
  look_out looker;
  BOOST_TEST(looks(looker, 1000, true) == 1000);
}

BOOST_AUTO_TEST_CASE(where_it_finds_nothing_it_looks_ever_more_rarely)
{
  look_out looker;
  BOOST_TEST(looks(looker, 1 + 2 + 4, false) == 3);
  looks(looker, 1000, false);
  constexpr int period = look_out::most_left_out + 1;
  BOOST_TEST(looks(looker, 100 * period, false) == 100);
}

BOOST_AUTO_TEST_CASE(what_was_there_before_the_look_says_nothing)
{
  look_out looker;
  looks(looker, 1000, false);
  while (looks(looker, 1, false) == 0)
  {}
  looks(looker, look_out::most_left_out, false);
  for (int i = 0; i < 3; ++i)
  {
    looker.connection_came();
    BOOST_TEST(looker.begins());
  }
  looker.ended(false);
  BOOST_TEST(looks(looker, look_out::most_left_out, false) == 0);
  BOOST_TEST(looks(looker, 1, false) == 1);
}

BOOST_AUTO_TEST_CASE(one_find_makes_it_look_every_time_again)
{
  look_out looker;
  looks(looker, 1000, false);
  BOOST_TEST(looks(looker, look_out::most_left_out + 1, true) >= 1);
  BOOST_TEST(looks(looker, 100, true) == 100);
}

BOOST_AUTO_TEST_SUITE_END()
