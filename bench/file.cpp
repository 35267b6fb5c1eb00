// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// Random reads of 4 KiB from a file, in plain Boost.Asio.
//
//   file --depth=N [--direct=1]
//
// --depth is the number of reads in flight; --direct goes past the page cache.
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/random_access_file.hpp>

#include "block_file.hpp"
#include "run_context.hpp"
#include "usage_report.hpp"

#ifdef BOOST_ASIO_HAS_FILE

namespace asio = boost::asio;

namespace {

class reader
{
public:
  reader(asio::io_context& context, int descriptor, std::uint64_t depth) : file_(context, descriptor), slots_(depth)
  {
    for (slot& each : slots_)
      each.buffer = bench::make_block_buffer();
  }

  std::uint64_t done() const { return done_; }

  void start()
  {
    done_ = 0;
    left_ = bench::reads_per_round;
    for (slot& each : slots_)
      read(each);
  }

private:
  using slot = bench::block_slot;

  void read(slot& chosen)
  {
    if (left_ == 0)
      return;
    --left_;
    chosen.block = order_.next();
    file_.async_read_some_at(chosen.block * bench::block_size, asio::buffer(chosen.buffer.get(), bench::block_size),
                             [this, &chosen](boost::system::error_code error, std::size_t size) {
                               bench::require(!error && size == bench::block_size, "a read failed or was short");
                               bench::block_file::check(chosen.buffer.get(), chosen.block);
                               ++done_;
                               read(chosen);
                             });
  }

  asio::random_access_file file_;
  std::vector<slot> slots_;
  bench::block_order order_;
  std::uint64_t left_ = 0, done_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
  return bench::run_main([&] {
    const std::uint64_t limit_ns = bench::number_option(argc, argv, "ms", 1000) * 1'000'000;
    const bench::block_file file(bench::number_option(argc, argv, "direct", 0) != 0);
    bench::context context;
    reader reading(context, file.descriptor(), bench::number_option(argc, argv, "depth", 1));
    bench::stopwatch watch;
    while (watch.wall_ns() < limit_ns)
    {
      watch.start();
      reading.start();
      context.run();
      watch.stop(bench::reads_per_round);
      bench::require(reading.done() == bench::reads_per_round, "reads were lost");
      context.restart();
    }
    watch.print();
  });
}

#else

int main()
{
  std::fputs("file: Boost.Asio has no files on epoll\n", stderr);
  return 1;
}

#endif
