// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// The floor of the file benchmarks: the same work as file.cpp, written by hand on plain liburing, or with one read in flight by calls.
//
//   floor_file --depth=N [--direct=1]
#include <liburing.h>
#include <sys/uio.h>

#include "block_file.hpp"
#include "usage_report.hpp"

namespace {

constexpr unsigned ring_entries = 256;

class reader
{
public:
  reader(int descriptor, std::uint64_t depth) : descriptor_(descriptor), slots_(depth)
  {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CLAMP;
    bench::require(io_uring_queue_init_params(ring_entries, &ring_, &params) == 0, "io_uring_queue_init_params failed");
    bench::require(depth <= ring_entries, "--depth is larger than the ring");
    for (slot& each : slots_)
      each.buffer = bench::make_block_buffer();
  }

  ~reader() { io_uring_queue_exit(&ring_); }

  void run()
  {
    if (slots_.size() == 1)
      run_one_by_one();
    else
      run_on_ring();
  }

private:
  using slot = bench::block_slot;

  // A single read of what is in memory is cheaper as a call than as a request.
  void run_one_by_one()
  {
    slot& only = slots_.front();
    for (std::uint64_t i = 0; i < bench::reads_per_round; ++i)
    {
      only.block = order_.next();
      const iovec block = {only.buffer.get(), bench::block_size};
      const off_t offset = static_cast<off_t>(only.block * bench::block_size);
      ssize_t size = preadv2(descriptor_, &block, 1, offset, RWF_NOWAIT);
      if (size != static_cast<ssize_t>(bench::block_size))
        size = preadv2(descriptor_, &block, 1, offset, 0);
      bench::require(size == static_cast<ssize_t>(bench::block_size), "a read failed or was short");
      bench::block_file::check(only.buffer.get(), only.block);
    }
  }

  void run_on_ring()
  {
    std::uint64_t done = 0;
    left_ = bench::reads_per_round;
    for (slot& each : slots_)
      read(each);
    while (done < bench::reads_per_round)
    {
      io_uring_submit_and_wait(&ring_, 1);
      unsigned head, count = 0;
      io_uring_cqe* cqe;
      io_uring_for_each_cqe(&ring_, head, cqe)
      {
        bench::require(cqe->res == static_cast<int>(bench::block_size), "a read failed or was short");
        slot& finished = *reinterpret_cast<slot*>(cqe->user_data);
        bench::block_file::check(finished.buffer.get(), finished.block);
        read(finished);
        ++count;
      }
      io_uring_cq_advance(&ring_, count);
      done += count;
    }
  }

  void read(slot& chosen)
  {
    if (left_ == 0)
      return;
    --left_;
    chosen.block = order_.next();
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_read(sqe, descriptor_, chosen.buffer.get(), bench::block_size, chosen.block * bench::block_size);
    io_uring_sqe_set_data(sqe, &chosen);
  }

  int descriptor_;
  io_uring ring_{};
  std::vector<slot> slots_;
  bench::block_order order_;
  std::uint64_t left_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
  return bench::run_main([&] {
    const std::uint64_t limit_ns = bench::number_option(argc, argv, "ms", 1000) * 1'000'000;
    const bench::block_file file(bench::number_option(argc, argv, "direct", 0) != 0);
    reader reading(file.descriptor(), bench::number_option(argc, argv, "depth", 1));
    bench::stopwatch watch;
    while (watch.wall_ns() < limit_ns)
    {
      watch.start();
      reading.run();
      watch.stop(bench::reads_per_round);
    }
    watch.print();
  });
}
