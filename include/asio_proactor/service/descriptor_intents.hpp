//
// asio_proactor/service/descriptor_intents.hpp: what each asynchronous read or write of a descriptor asks of the core.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_DESCRIPTOR_INTENTS_HPP
#define ASIO_PROACTOR_SERVICE_DESCRIPTOR_INTENTS_HPP

#include <asio_proactor/service/socket_intents.hpp>

namespace asio_proactor::service {

/// The calls that one transfer direction has: for one buffer, for several, for a registered one.
struct transfer_codes
{
  core::opcode one;
  core::opcode several;
  core::opcode registered;
};

constexpr transfer_codes read_codes = {core::opcode::read, core::opcode::read_vector, core::opcode::read_fixed};
constexpr transfer_codes write_codes = {core::opcode::write, core::opcode::write_vector, core::opcode::write_fixed};

/// read, write and their relatives with vectors, offsets and registered buffers.
/** Buffer is asio::mutable_buffer to read and asio::const_buffer to write. */
template <class Buffer, class Sequence>
class descriptor_transfer_intent
{
public:
  using buffers = transfer_buffers<Buffer, Sequence>;

  static constexpr bool is_read = std::is_same_v<Buffer, asio::mutable_buffer>;
  static constexpr transfer_codes codes = is_read ? read_codes : write_codes;

  descriptor_transfer_intent(int fd, const Sequence& sequence, std::uint64_t offset = core::current_position)
    : fd_(fd),
      offset_(offset),
      zero_means_end_(is_read && !buffers::all_empty(sequence)),
      buffers_(sequence)
  {}

  void prepare(core::operation& op)
  {
    op.fd_ = fd_;
    if constexpr (buffers::is_single)
    {
      op.code_ = buffers::is_registered ? codes.registered : codes.one;
      op.args_ = one_buffer(buffers_.single(), offset_);
      if constexpr (buffers::is_registered)
        op.flags_ = buffers_.registered_index();
    }
    else
    {
      op.code_ = codes.several;
      op.args_.vector = {buffers_.vectors(), buffers_.count(), offset_};
    }
  }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers_.validate();
    return transfer_outcome(op, bytes, zero_means_end_);
  }

private:
  int fd_;
  std::uint64_t offset_;
  bool zero_means_end_;
  buffers buffers_;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_DESCRIPTOR_INTENTS_HPP
