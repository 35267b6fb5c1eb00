// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// What every benchmarked server shares: options of the form --name=value, and a clean end by SIGTERM.
#ifndef ASIO_PROACTOR_BENCH_USAGE_REPORT_HPP
#define ASIO_PROACTOR_BENCH_USAGE_REPORT_HPP

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

// Returns the text after "--name=", or fallback where the option is absent.
inline std::string option(int argc, char** argv, const char* name, const char* fallback)
{
  const std::string prefix = std::string("--") + name + "=";
  for (int i = 1; i < argc; ++i)
  {
    if (std::strncmp(argv[i], prefix.c_str(), prefix.size()) == 0)
      return argv[i] + prefix.size();
  }
  return fallback;
}

inline std::uint64_t number_option(int argc, char** argv, const char* name, std::uint64_t fallback)
{
  const std::string text = option(argc, argv, name, "");
  return text.empty() ? fallback : std::strtoull(text.c_str(), nullptr, 10);
}

// Prints what the process used so far as one line of JSON on stdout.
inline void print_usage()
{
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  char line[256];
  const int length = std::snprintf(
    line, sizeof line,
    "{\"user_us\": %lld, \"system_us\": %lld, \"max_rss_kib\": %ld, \"voluntary_switches\": %ld, "
    "\"involuntary_switches\": %ld}\n",
    used.ru_utime.tv_sec * 1000000LL + used.ru_utime.tv_usec, used.ru_stime.tv_sec * 1000000LL + used.ru_stime.tv_usec,
    used.ru_maxrss, used.ru_nvcsw, used.ru_nivcsw);
  // write and not stdio: this may run inside a signal handler.
  if (length > 0 && write(STDOUT_FILENO, line, static_cast<std::size_t>(length)) != length)
    _exit(1);
}

// A handler rather than a signal_set, so that the measured loop holds nothing but the work that is measured.
inline void report_usage_on_sigterm()
{
  struct sigaction action
  {};
  action.sa_handler = [](int) {
    print_usage();
    _exit(0);
  };
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

} // namespace bench

#endif
