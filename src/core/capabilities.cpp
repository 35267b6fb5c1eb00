//
// core/capabilities.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/capabilities.hpp>

#include <asio_proactor/core/driver.hpp>

#include "../uring/uring_features.hpp"
#include "choose_driver.hpp"

#include <algorithm>
#include <fstream>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <system_error>

namespace asio_proactor {

namespace {

constexpr ::rlim_t bytes_per_kib = 1024;
constexpr ::rlim_t bytes_per_mib = 1024 * bytes_per_kib;

// A server with fewer runs out of them under a load that it could otherwise serve.
constexpr ::rlim_t few_descriptors = 4096;

::rlim_t soft_limit(decltype(RLIMIT_NOFILE) resource)
{
  ::rlimit limit{};
  return ::getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

std::string count_text(::rlim_t limit)
{
  return limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit);
}

std::string memory_text(::rlim_t bytes)
{
  if (bytes == RLIM_INFINITY)
    return "unlimited";
  return bytes >= bytes_per_mib ? std::to_string(bytes / bytes_per_mib) + " MiB"
                                : std::to_string(bytes / bytes_per_kib) + " KiB";
}

std::string kernel_release()
{
  ::utsname name{};
  return ::uname(&name) == 0 ? name.release : "unknown";
}

std::string sysctl(const std::string& file)
{
  std::string value;
  std::ifstream("/proc/sys/kernel/" + file) >> value;
  return value.empty() ? "not in this kernel" : value;
}

// Source of the numbers: prctl(2), PR_GET_SECCOMP.
std::string seccomp_mode()
{
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "Seccomp:" && status >> word)
      return word == "2" ? "filter" : word == "1" ? "strict" : "off";
  return "unknown";
}

std::vector<system_limit> find_limits()
{
  return {{"RLIMIT_NOFILE", count_text(soft_limit(RLIMIT_NOFILE))},
          {"RLIMIT_MEMLOCK", memory_text(soft_limit(RLIMIT_MEMLOCK))},
          {"kernel.io_uring_disabled", sysctl("io_uring_disabled")},
          {"seccomp", seccomp_mode()}};
}

void choose(capability_report& report)
{
  try
  {
    const core::driver_choice chosen = core::choose_driver_quietly({});
    const core::driver_description d = chosen.factory->describe();
    report.driver = d.name;
    report.detail = d.detail;
    if (chosen.is_second_choice)
      report.advice.push_back("io_uring would take less CPU: allow io_uring_setup, io_uring_enter and "
                              "io_uring_register in the container's seccomp "
                              "profile, set kernel.io_uring_disabled to 0, or use Linux 5.11 or newer, whichever the "
                              "reason above calls for.");
  }
  catch (const std::system_error& failure)
  {
    report.detail = failure.what();
  }
}

void advise(capability_report& report)
{
  if (report.driver == "uring")
    for (const kernel_feature& f : report.features)
      if (!f.is_there)
        report.advice.push_back("Linux " + f.since + " or newer has " + f.name + "; without it: " + f.otherwise + ".");
  if (soft_limit(RLIMIT_NOFILE) < few_descriptors)
    report.advice.push_back("Each connection takes a descriptor: raise RLIMIT_NOFILE (ulimit -n).");
  if (report.driver == "uring" && soft_limit(RLIMIT_MEMLOCK) < bytes_per_mib)
    report.advice.push_back("Registered buffers are locked memory: raise RLIMIT_MEMLOCK (ulimit -l) to use them.");
}

} // namespace

capability_report capabilities()
{
  capability_report report;
  report.kernel = kernel_release();
  report.features = uring::find_features();
  report.limits = find_limits();
  choose(report);
  advise(report);
  return report;
}

} // namespace asio_proactor
