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

/// The buffers of a descriptor's transfer: one directly, several as vectors.
template <class Buffer, class Sequence, bool IsSingle = transfer_buffers<Buffer, Sequence>::is_single>
class descriptor_buffers
{
public:
  explicit descriptor_buffers(const Sequence& sequence) : buffers_(sequence) {}

  void describe(core::extended_operation& op, const Sequence&, const transfer_codes& codes, std::uint64_t offset)
  {
    op.code_ = codes.several;
    op.offset_ = offset;
    op.args_.vector = {buffers_.vectors(), static_cast<std::uint32_t>(buffers_.count())};
  }

  void validate() const { buffers_.validate(); }

private:
  transfer_buffers<Buffer, Sequence> buffers_;
};

template <class Buffer, class Sequence>
class descriptor_buffers<Buffer, Sequence, true> : public single_buffer<Buffer, Sequence>
{
public:
  using single_buffer<Buffer, Sequence>::single_buffer;

  void describe(core::extended_operation& op, const Sequence& sequence, const transfer_codes& codes,
                std::uint64_t offset)
  {
    op.code_ = this->is_registered ? codes.registered : codes.one;
    op.offset_ = offset;
    op.args_ = one_buffer(this->vector(sequence));
    if constexpr (single_buffer<Buffer, Sequence>::is_registered)
      op.args_.buffer.flags = this->registered_index(sequence);
  }
};

/// read, write and their relatives with vectors, offsets and registered buffers.
/** Buffer is asio::mutable_buffer to read and asio::const_buffer to write. */
template <class Buffer, class Sequence>
class descriptor_transfer_intent : private descriptor_buffers<Buffer, Sequence>
{
  using buffers = descriptor_buffers<Buffer, Sequence>;

public:
  static constexpr bool has_offset = true;
  static constexpr bool is_read = std::is_same_v<Buffer, asio::mutable_buffer>;

  descriptor_transfer_intent(core::extended_operation& op, int fd, const Sequence& sequence,
                             std::uint64_t offset = core::current_position)
    : buffers(sequence)
  {
    op.fd_ = fd;
    op.zero_means_end_ = is_read && !is_empty(sequence);
    buffers::describe(op, sequence, is_read ? read_codes : write_codes, offset);
  }

  static bool is_empty(const Sequence& sequence) { return transfer_buffers<Buffer, Sequence>::all_empty(sequence); }

  error_code outcome(core::operation& op, std::size_t& bytes)
  {
    buffers::validate();
    return transfer_outcome(op, bytes);
  }
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_DESCRIPTOR_INTENTS_HPP
