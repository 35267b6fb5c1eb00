//
// asio_proactor/service/transfer_buffers.hpp: a buffer sequence in the form the kernel wants, no larger than it has to be.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_TRANSFER_BUFFERS_HPP
#define ASIO_PROACTOR_SERVICE_TRANSFER_BUFFERS_HPP

#include <algorithm>
#include <array>
#include <asio_proactor/core/operation.hpp>
#include <asio_proactor/service/asio_internals.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detail/buffer_sequence_adapter.hpp>
#include <boost/asio/detail/consuming_buffers.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <sys/uio.h>
#include <type_traits>
#include <vector>

namespace asio_proactor::service {

/// Asio passes at most so many buffers of a sequence to one call; the rest is for the next one.
constexpr std::size_t maximum_vectors = 64;

/// So many are kept inside the operation. It is the number that async_write hands over at once, and holds the header of an
/// HTTP message; 64 would make every operation too large for the memory that Asio recycles.
constexpr std::size_t inline_vectors = 16;

/// How many buffers a type of sequence can have, as far as the type tells.
template <class Sequence>
struct vector_capacity
{
  static constexpr std::size_t value = maximum_vectors;
};

template <class Buffer, std::size_t N>
struct vector_capacity<std::array<Buffer, N>>
{
  static constexpr std::size_t value = N < maximum_vectors ? (N != 0 ? N : 1) : maximum_vectors;
};

// What async_read, async_write and their relatives pass for any sequence of several buffers.
template <class Buffer, std::size_t N>
struct vector_capacity<asio_detail::prepared_buffers<Buffer, N>>
{
  static constexpr std::size_t value = asio_detail::prepared_buffers<Buffer, N>::max_buffers;
};

inline ::iovec to_iovec(const asio::mutable_buffer& b)
{
  return {b.data(), b.size()};
}

inline ::iovec to_iovec(const asio::const_buffer& b)
{
  return {const_cast<void*>(b.data()), b.size()};
}

/// Keeps a copy of the sequence, because it may own the memory, and its buffers as vectors.
/** Buffer is asio::mutable_buffer or asio::const_buffer. Must not move once the vectors are handed out. */
template <class Buffer, class Sequence>
class transfer_buffers
{
  using adapter = asio_detail::buffer_sequence_adapter<Buffer, Sequence>;

public:
  static constexpr bool is_single = adapter::is_single_buffer;

  explicit transfer_buffers(const Sequence& sequence) : sequence_(sequence)
  {
    auto i = asio::buffer_sequence_begin(sequence_);
    const auto end = asio::buffer_sequence_end(sequence_);
    for (; i != end && count_ < few_.size(); ++i, ++count_)
      few_[count_] = to_iovec(Buffer(*i));
    if constexpr (capacity > inline_vectors)
      if (i != end)
        keep_many(i, end);
  }

  transfer_buffers(const transfer_buffers&) = delete;
  transfer_buffers& operator=(const transfer_buffers&) = delete;

  static bool all_empty(const Sequence& sequence) { return adapter::all_empty(sequence); }

  ::iovec* vectors()
  {
    if constexpr (capacity > inline_vectors)
      if (!many_.empty())
        return many_.data();
    return few_.data();
  }
  std::size_t count() const { return count_; }

  /// Only for a sequence that is a single buffer.
  const ::iovec& single() const { return few_[0]; }

  /// Under BOOST_ASIO_ENABLE_BUFFER_DEBUGGING: fail if the program has invalidated a buffer meanwhile.
  void validate() const
  {
#if defined(BOOST_ASIO_ENABLE_BUFFER_DEBUGGING)
    adapter::validate(sequence_);
#endif
  }

private:
  static constexpr std::size_t capacity = is_single ? 1 : vector_capacity<Sequence>::value;

  using many_vectors = std::vector<::iovec, asio::recycling_allocator<::iovec>>;
  struct no_vectors
  {};

  // Takes over what is already in few_; the kernel wants them all in one place.
  template <class Iterator>
  void keep_many(Iterator i, const Iterator& end)
  {
    std::size_t total = count_;
    for (Iterator j = i; j != end && total < capacity; ++j)
      ++total;
    many_.reserve(total);
    many_.assign(few_.begin(), few_.end());
    for (; count_ < total; ++i, ++count_)
      many_.push_back(to_iovec(Buffer(*i)));
  }

  Sequence sequence_;
  std::array<::iovec, (std::min)(capacity, inline_vectors)> few_;
  std::conditional_t<(capacity > inline_vectors), many_vectors, no_vectors> many_;
  std::size_t count_ = 0;
};

/// The arguments of a call on one buffer.
inline core::operation::arguments one_buffer(const ::iovec& v, int flags = 0)
{
  core::operation::arguments a;
  a.buffer = {v.iov_base, static_cast<std::uint32_t>((std::min)(v.iov_len, core::longest_transfer)), flags};
  return a;
}

/// A sequence that is one buffer owns no memory, so its operation has the buffer among its arguments and keeps nothing here.
/** Buffer is asio::mutable_buffer or asio::const_buffer. */
template <class Buffer, class Sequence>
class single_buffer
{
  using adapter = asio_detail::buffer_sequence_adapter<Buffer, Sequence>;

public:
  static constexpr bool is_registered = adapter::is_registered_buffer;

#if defined(BOOST_ASIO_ENABLE_BUFFER_DEBUGGING)
  explicit single_buffer(const Sequence& sequence) : sequence_(sequence) {}
  void validate() const
  {
    adapter::validate(sequence_);
  }
#else
  explicit single_buffer(const Sequence&) {}
  void validate() const {}
#endif

  static ::iovec vector(const Sequence& sequence)
  {
    return to_iovec(adapter::first(sequence));
  }

  static int registered_index(const Sequence& sequence)
  {
    return static_cast<int>(adapter(sequence).registered_id().native_handle());
  }

#if defined(BOOST_ASIO_ENABLE_BUFFER_DEBUGGING)
private:
  Sequence sequence_;
#endif
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_TRANSFER_BUFFERS_HPP
