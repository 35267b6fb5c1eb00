// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// The least that handlers posted from outside can cost which are allocated one by one by the poster and released by whoever runs them, as
// Asio's are: the work of `post --mode=threads` on a list without order, lock or loop. What separates Asio from this is all that a better
// queue could win.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "measure.hpp"
#include "posting.hpp"
#include "usage_report.hpp"

namespace {

// As large as Asio's operation for a function that holds one pointer, with the byte that Asio adds to remember the size.
struct function
{
  function* next;
  void (*call)(function&);
  std::atomic<std::uint64_t>* done;
  std::byte rest[9];
};

// Pushed one by one, taken all at once.
class shared_list
{
public:
  void push(function* added)
  {
    added->next = head_.load(std::memory_order_relaxed);
    while (!head_.compare_exchange_weak(added->next, added))
    {}
  }

  // Null when the end has come.
  function* take_all()
  {
    for (;;)
    {
      if (function* all = head_.load(std::memory_order_relaxed) ? head_.exchange(nullptr) : nullptr)
        return all;
      if (is_over_)
        return nullptr;
      std::this_thread::yield();
    }
  }

  void end() { is_over_ = true; }

private:
  std::atomic<function*> head_{nullptr};
  std::atomic<bool> is_over_{false};
};

void run(shared_list& list)
{
  while (function* each = list.take_all())
  {
    while (each)
    {
      function* next = each->next;
      each->call(*each);
      delete each;
      each = next;
    }
  }
}

void run_round(bench::stopwatch& watch)
{
  shared_list list;
  std::atomic<std::uint64_t> done{0};
  std::thread first([&] { run(list); }), second([&] { run(list); });
  watch.start();
  bench::post_a_round(done, [&] {
    auto* added = new function;
    added->call = [](function& self) { self.done->fetch_add(1, std::memory_order_relaxed); };
    added->done = &done;
    list.push(added);
  });
  list.end();
  first.join();
  second.join();
  watch.stop(bench::posts_per_round);
  bench::require(done == bench::posts_per_round, "posted functions were lost");
}

} // namespace

int main(int argc, char** argv)
{
  return bench::run_main([&] {
    const std::uint64_t limit_ns = bench::number_option(argc, argv, "ms", 1000) * 1'000'000;
    bench::stopwatch watch;
    while (watch.wall_ns() < limit_ns)
      run_round(watch);
    watch.print();
  });
}
