// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

#ifndef ASIO_PROACTOR_TEST_SUPPORT_WATCHDOG_HPP
#define ASIO_PROACTOR_TEST_SUPPORT_WATCHDOG_HPP

#include "sanitizers.hpp"
#include <boost/test/tree/observer.hpp>
#include <boost/test/framework.hpp>
#include <boost/test/tree/test_unit.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace test_support {

constexpr unsigned watchdog_seconds = is_sanitized ? 60 : 20;

// How many times slower than a machine the tests may be: an emulated one (test/kernels/run) needs more than the usual limit.
inline unsigned patience()
{
  const char* text = std::getenv("ASIO_PROACTOR_TEST_PATIENCE");
  const int factor = text ? std::atoi(text) : 1;
  return factor > 1 ? static_cast<unsigned>(factor) : 1;
}

// Exit status of a test program that was ended by its watchdog.
constexpr int hung_status = 124;

// A test that hangs must fail under its own name within seconds. An alarm is used rather than a
// thread, so that tests which fork or count threads see only what they started themselves.
class watchdog : public boost::unit_test::test_observer
{
public:
  void test_unit_start(const boost::unit_test::test_unit& unit) override
  {
    if (unit.p_type != boost::unit_test::TUT_CASE)
      return;
    std::strncpy(name(), unit.full_name().c_str(), name_size - 1);
    ::alarm(watchdog_seconds * patience());
  }

  void test_unit_finish(const boost::unit_test::test_unit&, unsigned long) override { ::alarm(0); }

  static void install()
  {
    static watchdog instance;
    struct sigaction action = {};
    action.sa_handler = &watchdog::expired;
    ::sigaction(SIGALRM, &action, nullptr);
    boost::unit_test::framework::register_observer(instance);
  }

private:
  static constexpr std::size_t name_size = 128;

  // Only async-signal-safe calls: the program may hang inside an allocator or a lock.
  static void expired(int)
  {
    say("\n*** watchdog: test case \"");
    say(name());
    say("\" hangs, program ended\n");
    ::_exit(hung_status);
  }

  static void say(const char* text)
  {
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0)
      ::_exit(hung_status);
  }

  static char* name()
  {
    static char text[name_size];
    return text;
  }
};

struct watchdog_installer
{
  watchdog_installer() { watchdog::install(); }
};

} // namespace test_support

using asio_proactor_test_watchdog = test_support::watchdog_installer;
BOOST_TEST_GLOBAL_FIXTURE(asio_proactor_test_watchdog);

#endif
