// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
#ifndef ASIO_PROACTOR_BENCH_HISTOGRAM_HPP
#define ASIO_PROACTOR_BENCH_HISTOGRAM_HPP

#include <array>
#include <cstdint>

namespace bench {

// Counts latencies in nanoseconds with a relative error below 1/32 and no allocation while measuring.
class histogram
{
public:
  void add(std::uint64_t nanoseconds)
  {
    ++counts_[index_of(nanoseconds)];
    ++total_;
  }

  void clear() { *this = histogram(); }

  // Returns the upper end of the bucket that holds the given fraction of all samples, in microseconds.
  double percentile_us(double fraction) const
  {
    const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (unsigned i = 0; i < counts_.size(); ++i)
    {
      seen += counts_[i];
      if (seen > wanted || (seen == total_ && seen))
        return static_cast<double>(upper_end(i)) / 1e3;
    }
    return 0;
  }

private:
  static constexpr unsigned sub_bits = 5;
  static constexpr unsigned sub_count = 1u << sub_bits;

  static unsigned index_of(std::uint64_t value)
  {
    if (value < sub_count)
      return static_cast<unsigned>(value);
    const unsigned shift = 63u - static_cast<unsigned>(__builtin_clzll(value)) - sub_bits;
    return (shift + 1) * sub_count + static_cast<unsigned>((value >> shift) - sub_count);
  }

  static std::uint64_t upper_end(unsigned index)
  {
    if (index < sub_count)
      return index;
    const unsigned shift = index / sub_count - 1;
    return (std::uint64_t{index % sub_count + sub_count + 1} << shift) - 1;
  }

  std::array<std::uint64_t, (64 - sub_bits + 1) * sub_count> counts_{};
  std::uint64_t total_ = 0;
};

} // namespace bench

#endif
