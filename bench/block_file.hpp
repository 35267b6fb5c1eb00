// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
#ifndef ASIO_PROACTOR_BENCH_BLOCK_FILE_HPP
#define ASIO_PROACTOR_BENCH_BLOCK_FILE_HPP

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "measure.hpp"

namespace bench {

constexpr std::size_t block_size = 4096;
constexpr std::uint64_t block_count = 16384; // 64 MiB: larger than the caches of a core, small enough for any machine
constexpr std::uint64_t reads_per_round = 10'000;

// A file of numbered blocks that is gone from its directory as soon as it is open.
class block_file
{
public:
  explicit block_file(bool direct)
  {
    const char* folder = std::getenv("TMPDIR");
    std::string path = std::string(folder ? folder : "/var/tmp") + "/bench-file-XXXXXX";
    const int writer = mkstemp(path.data());
    require(writer >= 0, "cannot make a file in TMPDIR");
    std::vector<char> block(block_size);
    bool written = true;
    for (std::uint64_t i = 0; i < block_count && written; ++i)
    {
      number(block.data(), i);
      written = write(writer, block.data(), block_size) == static_cast<ssize_t>(block_size);
    }
    written = written && fdatasync(writer) == 0;
    fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
    close(writer);
    unlink(path.c_str());
    require(written, "cannot write the file in TMPDIR");
    require(fd_ >= 0, "cannot open the file in TMPDIR again (does its file system know O_DIRECT?)");
  }

  // The descriptor belongs to the caller, who gives it to whatever reads.
  int descriptor() const { return fd_; }

  static void check(const char* block, std::uint64_t index)
  {
    char expected[sizeof index];
    std::memcpy(expected, &index, sizeof index);
    require(std::memcmp(block, expected, sizeof index) == 0 &&
              std::memcmp(block + block_size - sizeof index, expected, sizeof index) == 0,
            "a read brought another block than was asked for");
  }

private:
  static void number(char* block, std::uint64_t index)
  {
    std::memcpy(block, &index, sizeof index);
    std::memcpy(block + block_size - sizeof index, &index, sizeof index);
  }

  int fd_ = -1;
};

// The same order of blocks for every variant.
class block_order
{
public:
  std::uint64_t next() { return random_() % block_count; }

private:
  std::minstd_rand random_{7};
};

struct free_memory
{
  void operator()(char* memory) const { std::free(memory); }
};

// Aligned, as O_DIRECT wants it.
using block_buffer = std::unique_ptr<char, free_memory>;

// One read under way: where to, and of which block.
struct block_slot
{
  block_buffer buffer;
  std::uint64_t block = 0;
};

inline block_buffer make_block_buffer()
{
  return block_buffer(static_cast<char*>(std::aligned_alloc(block_size, block_size)));
}

} // namespace bench

#endif
