// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// Messages of 64 bytes that go back and forth over pairs of UNIX sockets within one process, in plain Boost.Asio: both ends are served by the
// threads of one context, which have all cores to themselves.
//
//   pairs [--threads=N] [--contexts=N] [--pairs=N]
//
// --contexts gives each of the N contexts as many threads as --threads says divided by N, and every Nth pair.
#include <memory>
#include <thread>
#include <vector>

#include "run_context.hpp"
#include "socket_pair.hpp"
#include "usage_report.hpp"

namespace {

constexpr std::uint64_t messages_of_pair = 20'000;

void run(bench::stopwatch& watch, std::size_t threads, std::size_t context_count, std::size_t pair_count)
{
  const bench::contexts contexts = bench::make_contexts(context_count);
  std::vector<std::unique_ptr<bench::socket_pair>> pairs;
  for (std::size_t i = 0; i < pair_count; ++i)
  {
    pairs.push_back(std::make_unique<bench::socket_pair>(*contexts[i % context_count], messages_of_pair));
    pairs.back()->start();
  }
  watch.start();
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i)
    running.emplace_back([&context = *contexts[i % context_count]] { context.run(); });
  for (std::thread& each : running)
    each.join();
  watch.stop(pair_count * messages_of_pair);
  for (const auto& each : pairs)
    each->require_all_messages();
}

} // namespace

int main(int argc, char** argv)
{
  return bench::run_main([&] {
    const std::uint64_t limit_ns = bench::number_option(argc, argv, "ms", 1000) * 1'000'000;
    const std::size_t threads = bench::number_option(argc, argv, "threads", 2);
    const std::size_t contexts = bench::number_option(argc, argv, "contexts", 1);
    const std::size_t pairs = bench::number_option(argc, argv, "pairs", 64);
    bench::stopwatch watch;
    while (watch.wall_ns() < limit_ns)
      run(watch, threads, contexts, pairs);
    watch.print();
  });
}
