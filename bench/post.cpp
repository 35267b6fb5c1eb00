// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// Handlers posted to an io_context, in plain Boost.Asio.
//
//   post --mode=chain    one running thread; each handler posts the next one
//   post --mode=threads  one thread posts, two other threads run the handlers
//   post --mode=strands  two running threads; chains of handlers that jump between two strands of their own
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <memory>
#include <thread>
#include <vector>

#include "measure.hpp"
#include "posting.hpp"
#include "run_context.hpp"
#include "usage_report.hpp"

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t chain_length = 200'000;

struct chain
{
  asio::io_context& context;
  std::uint64_t left;

  void next()
  {
    if (left-- > 1)
      asio::post(context, [this] { next(); });
  }
};

void run_chain(bench::stopwatch& watch)
{
  bench::context context;
  chain work{context, chain_length};
  asio::post(context, [&work] { work.next(); });
  watch.start();
  const std::size_t ran = context.run();
  watch.stop(chain_length);
  bench::require(ran == chain_length, "handlers of the chain were lost");
}

void run_threads(bench::stopwatch& watch)
{
  bench::context context;
  std::atomic<std::uint64_t> done{0};
  auto guard = asio::make_work_guard(context);
  std::thread first([&] { context.run(); }), second([&] { context.run(); });
  watch.start();
  bench::post_a_round(done, [&] { asio::post(context, [&done] { done.fetch_add(1, std::memory_order_relaxed); }); });
  guard.reset();
  first.join();
  second.join();
  watch.stop(bench::posts_per_round);
  bench::require(done == bench::posts_per_round, "posted handlers were lost");
}

constexpr std::uint64_t strand_chains = 16;
constexpr std::uint64_t jumps = 10'000;

struct strand_chain
{
  explicit strand_chain(asio::io_context& context) : here(context.get_executor()), there(context.get_executor()) {}

  asio::strand<asio::io_context::executor_type> here, there;
  std::uint64_t left = jumps;

  void next()
  {
    if (left-- > 1)
      asio::post(left % 2 ? here : there, [this] { next(); });
  }
};

void run_strands(bench::stopwatch& watch)
{
  bench::context context;
  std::vector<std::unique_ptr<strand_chain>> chains;
  for (std::uint64_t i = 0; i < strand_chains; ++i)
  {
    chains.push_back(std::make_unique<strand_chain>(context));
    asio::post(chains.back()->here, [chain = chains.back().get()] { chain->next(); });
  }
  watch.start();
  std::thread other([&] { context.run(); });
  context.run();
  other.join();
  watch.stop(strand_chains * jumps);
  for (const auto& each : chains)
    bench::require(each->left == 0, "handlers of a strand were lost");
}

} // namespace

int main(int argc, char** argv)
{
  return bench::run_main([&] {
    const std::string mode = bench::option(argc, argv, "mode", "chain");
    bench::require(mode == "chain" || mode == "threads" || mode == "strands", "post: unknown --mode");
    const std::uint64_t limit_ns = bench::number_option(argc, argv, "ms", 1000) * 1'000'000;
    bench::stopwatch watch;
    while (watch.wall_ns() < limit_ns)
      mode == "chain" ? run_chain(watch) : mode == "threads" ? run_threads(watch) : run_strands(watch);
    watch.print();
  });
}
