// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// capabilities() and the log, beside what the kernel itself says.

#define BOOST_TEST_MODULE capabilities
#include <boost/test/included/unit_test.hpp>

#include "support/environment.hpp"
#include <algorithm>
#include <asio_proactor/capabilities.hpp>
#include <asio_proactor/core/driver.hpp>
#include <asio_proactor/log.hpp>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <vector>

namespace {

std::string value_of(const asio_proactor::capability_report& report, const std::string& name)
{
  for (const auto& limit : report.limits)
    if (limit.name == name)
      return limit.value;
  return "missing";
}

bool has(const asio_proactor::capability_report& report, const std::string& name)
{
  const auto found =
    std::find_if(report.features.begin(), report.features.end(), [&](const auto& f) { return f.name == name; });
  BOOST_TEST_REQUIRE((found != report.features.end()));
  return found->is_there;
}

// Asks the kernel itself; flags as in linux/io_uring.h.
bool kernel_accepts(unsigned flags)
{
  unsigned params[64] = {};
  params[2] = flags; // io_uring_params::flags
  const long fd = ::syscall(SYS_io_uring_setup, 1, params);
  if (fd >= 0)
    ::close(static_cast<int>(fd));
  return fd >= 0;
}

constexpr unsigned coop_taskrun = 1u << 8;
constexpr unsigned single_issuer_and_defer = (1u << 12) | (1u << 13);

} // namespace

BOOST_AUTO_TEST_CASE(features_are_those_of_the_kernel)
{
  const auto report = asio_proactor::capabilities();
  BOOST_TEST(has(report, "IORING_SETUP_COOP_TASKRUN") == kernel_accepts(coop_taskrun));
  BOOST_TEST(has(report, "IORING_SETUP_DEFER_TASKRUN") == kernel_accepts(single_issuer_and_defer));
  ::utsname name{};
  ::uname(&name);
  BOOST_TEST(report.kernel == name.release);
}

BOOST_AUTO_TEST_CASE(the_driver_is_the_one_that_a_context_gets)
{
  const auto report = asio_proactor::capabilities();
  BOOST_TEST(report.driver == asio_proactor::core::choose_driver()->describe().name);
  BOOST_TEST(report.detail == asio_proactor::core::choose_driver()->describe().detail);
  const bool all_required = std::all_of(report.features.begin(), report.features.end(),
                                        [](const auto& f) { return f.is_there || !f.is_required; });
  if (report.driver == "uring")
    BOOST_TEST(all_required);
}

BOOST_AUTO_TEST_CASE(an_impossible_wish_is_reported_not_thrown)
{
  const test_support::driver_variable changed("none");
  const auto report = asio_proactor::capabilities();
  BOOST_TEST(report.driver.empty());
  BOOST_TEST(report.detail.find("ASIO_PROACTOR_DRIVER") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(few_descriptors_are_shown_and_advised_against)
{
  ::rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const ::rlimit few = {100, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  const auto report = asio_proactor::capabilities();
  ::setrlimit(RLIMIT_NOFILE, &before);
  BOOST_TEST(value_of(report, "RLIMIT_NOFILE") == "100");
  BOOST_TEST(std::any_of(report.advice.begin(), report.advice.end(),
                         [](const std::string& text) { return text.find("RLIMIT_NOFILE") != std::string::npos; }));
}

BOOST_AUTO_TEST_CASE(nothing_is_left_open)
{
  const auto open_descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 1000; ++fd)
      count += ::fcntl(fd, F_GETFD) >= 0;
    return count;
  };
  (void)asio_proactor::capabilities();
  const int before = open_descriptors();
  (void)asio_proactor::capabilities();
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(a_log_handler_hears_of_every_choice)
{
  std::vector<std::string> heard;
  auto before = asio_proactor::set_log_handler([&](const std::string& line) { heard.push_back(line); });
  BOOST_TEST(!before);
  const auto d = asio_proactor::core::choose_driver()->describe();
  (void)asio_proactor::core::choose_driver();
  (void)asio_proactor::capabilities(); // Asks, and gets nothing.
  BOOST_TEST_REQUIRE(heard.size() == 2u);
  BOOST_TEST(heard[0] == "asio_proactor: driver " + d.name + ": " + d.detail);
  BOOST_TEST(heard[1] == heard[0]);
  BOOST_TEST(static_cast<bool>(asio_proactor::set_log_handler(nullptr)));
}
