// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// Who decides whether threads leave each other asleep: the environment, then the program, and nobody by a typing error.

#define BOOST_TEST_MODULE choose_waking
#include <boost/test/included/unit_test.hpp>

#include <asio_proactor/core/choose_waking.hpp>
#include <cstdlib>
#include <string>
#include <system_error>

using asio_proactor::core::choose_waking;
using asio_proactor::core::waking;

namespace {

constexpr const char* variable = "ASIO_PROACTOR_WAKING";

bool complains(const std::string& configured, const std::string& words)
{
  try
  {
    (void)choose_waking(configured);
  }
  catch (const std::system_error& failure)
  {
    return failure.code() == std::errc::invalid_argument &&
           std::string(failure.what()).find(words) != std::string::npos;
  }
  return false;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_program_decides_where_the_environment_is_silent)
{
  for (const char* silent : {static_cast<const char*>(nullptr), ""})
  {
    if (silent)
      ::setenv(variable, silent, 1);
    else
      ::unsetenv(variable);
    BOOST_TEST((choose_waking("") == waking::thrifty));
    BOOST_TEST((choose_waking("thrifty") == waking::thrifty));
    BOOST_TEST((choose_waking("eager") == waking::eager));
  }
}

BOOST_AUTO_TEST_CASE(the_environment_has_the_last_word)
{
  ::setenv(variable, "eager", 1);
  BOOST_TEST((choose_waking("thrifty") == waking::eager));
  ::setenv(variable, "thrifty", 1);
  BOOST_TEST((choose_waking("eager") == waking::thrifty));
  ::unsetenv(variable);
}

BOOST_AUTO_TEST_CASE(anything_else_is_an_error_that_says_so)
{
  BOOST_TEST(complains("lazy", "proactor.waking must be thrifty or eager, not 'lazy'"));
  ::setenv(variable, "1", 1);
  BOOST_TEST(complains("", "ASIO_PROACTOR_WAKING must be thrifty or eager, not '1'"));
  ::unsetenv(variable);
}
