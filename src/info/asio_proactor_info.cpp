//
// info/asio_proactor_info.cpp: the program asio-proactor-info, which prints asio_proactor::capabilities().
//
// Exit status: 0, or 1 if no driver works here.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/capabilities.hpp>

#include <cstdio>

namespace {

void print_features(const asio_proactor::capability_report& found)
{
  std::printf("\n%-34s %-6s %-5s %s\n", "feature of io_uring", "Linux", "here", "used for");
  for (const auto& f : found.features)
  {
    std::printf("%-34s %-6s %-5s %s", f.name.c_str(), f.since.c_str(), f.is_there ? "yes" : "no", f.used_for.c_str());
    std::printf(f.is_there ? "\n" : "; without: %s\n", f.otherwise.c_str());
  }
}

} // namespace

int main()
{
  const asio_proactor::capability_report found = asio_proactor::capabilities();
  std::printf("kernel: %s\n", found.kernel.c_str());
  std::printf("driver: %s (%s)\n", found.driver.empty() ? "none" : found.driver.c_str(), found.detail.c_str());
  for (const auto& limit : found.limits)
    std::printf("%s: %s\n", limit.name.c_str(), limit.value.c_str());
  print_features(found);
  if (!found.advice.empty())
    std::printf("\n");
  for (const auto& sentence : found.advice)
    std::printf("advice: %s\n", sentence.c_str());
  return found.driver.empty() ? 1 : 0;
}
