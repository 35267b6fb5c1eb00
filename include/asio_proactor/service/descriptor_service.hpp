//
// asio_proactor/service/descriptor_service.hpp: pipes, terminals, serial ports and whatever else has a descriptor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_DESCRIPTOR_SERVICE_HPP
#define ASIO_PROACTOR_SERVICE_DESCRIPTOR_SERVICE_HPP

#include <asio_proactor/service/descriptor_intents.hpp>
#include <asio_proactor/service/start_operation.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detail/descriptor_ops.hpp>
#include <boost/asio/posix/descriptor_base.hpp>

namespace asio_proactor::service {

namespace descriptor_ops = asio_detail::descriptor_ops;

/// Everything that Asio's descriptor, pipe and serial port classes ask of their service.
class descriptor_service
{
public:
  using native_handle_type = int;

  class implementation_type
  {
  private:
    friend class descriptor_service;
    friend class file_service;

    int descriptor_ = -1;
    descriptor_ops::state_type state_ = 0;
    core::io_object* object_ = nullptr;
    bool overlapping_ = false; // Positional file access: operations of one direction run side by side.
  };

  explicit descriptor_service(engine& e) : engine_(e) { engine_.attach_to_loop(); }

  void shutdown() {}

  void construct(implementation_type& impl)
  {
    // What kind of file it is belongs to the type of the I/O object and outlives close().
    const bool overlapping = impl.overlapping_;
    impl = implementation_type();
    impl.overlapping_ = overlapping;
  }

  void move_construct(implementation_type& impl, implementation_type& other) noexcept
  {
    impl = other;
    construct(other);
  }

  void move_assign(implementation_type& impl, descriptor_service&, implementation_type& other)
  {
    destroy(impl);
    impl = other;
    construct(other);
  }

  void destroy(implementation_type& impl)
  {
    if (is_open(impl))
    {
      error_code ignored;
      close_descriptor(impl, ignored);
    }
  }

  error_code assign(implementation_type& impl, const native_handle_type& fd, error_code& ec)
  {
    ec = error_code();
    if (is_open(impl))
      ec = asio::error::already_open;
    else
    {
      impl.object_ = engine_.register_object(impl.overlapping_);
      impl.descriptor_ = fd;
      // Somebody else may share it, and then its blocking mode is not ours to change back when it is closed.
      impl.state_ = descriptor_ops::possible_dup;
    }
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  bool is_open(const implementation_type& impl) const { return impl.descriptor_ != -1; }

  error_code close(implementation_type& impl, error_code& ec)
  {
    ec = error_code();
    if (is_open(impl))
      close_descriptor(impl, ec);
    // Linux has closed the descriptor even if close(2) reports an error.
    construct(impl);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  native_handle_type native_handle(const implementation_type& impl) const { return impl.descriptor_; }

  native_handle_type release(implementation_type& impl)
  {
    error_code ignored;
    return release(impl, ignored);
  }

  native_handle_type release(implementation_type& impl, error_code& ec)
  {
    ec = error_code();
    const int fd = impl.descriptor_;
    if (is_open(impl))
    {
      BOOST_ASIO_HANDLER_OPERATION((engine_.context(), "descriptor", &impl, impl.descriptor_, "release"));
      engine_.deregister(impl.object_, impl.descriptor_, core::proactor::descriptor_fate::released);
      construct(impl);
    }
    return fd;
  }

  error_code cancel(implementation_type& impl, error_code& ec)
  {
    ec = error_code();
    if (!is_open(impl))
    {
      ec = asio::error::bad_descriptor;
      BOOST_ASIO_ERROR_LOCATION(ec);
      return ec;
    }
    BOOST_ASIO_HANDLER_OPERATION((engine_.context(), "descriptor", &impl, impl.descriptor_, "cancel"));
    engine_.cancel(impl.object_);
    return ec;
  }

  template <class Command>
  error_code io_control(implementation_type& impl, Command& command, error_code& ec)
  {
    descriptor_ops::ioctl(impl.descriptor_, impl.state_, command.name(),
                          static_cast<asio_detail::ioctl_arg_type*>(command.data()), ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    engine_.mode_changed(impl.descriptor_);
    return ec;
  }

  bool non_blocking(const implementation_type& impl) const
  {
    return (impl.state_ & descriptor_ops::user_set_non_blocking) != 0;
  }

  error_code non_blocking(implementation_type& impl, bool mode, error_code& ec)
  {
    descriptor_ops::set_user_non_blocking(impl.descriptor_, impl.state_, mode, ec);
    engine_.mode_changed(impl.descriptor_);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  bool native_non_blocking(const implementation_type& impl) const
  {
    return (impl.state_ & descriptor_ops::internal_non_blocking) != 0;
  }

  error_code native_non_blocking(implementation_type& impl, bool mode, error_code& ec)
  {
    descriptor_ops::set_internal_non_blocking(impl.descriptor_, impl.state_, mode, ec);
    engine_.mode_changed(impl.descriptor_);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  error_code wait(implementation_type& impl, asio::posix::descriptor_base::wait_type w, error_code& ec)
  {
    before_blocking_call(impl);
    switch (w)
    {
    case asio::posix::descriptor_base::wait_read: descriptor_ops::poll_read(impl.descriptor_, impl.state_, ec); break;
    case asio::posix::descriptor_base::wait_write: descriptor_ops::poll_write(impl.descriptor_, impl.state_, ec); break;
    case asio::posix::descriptor_base::wait_error: descriptor_ops::poll_error(impl.descriptor_, impl.state_, ec); break;
    default: ec = asio::error::invalid_argument; break;
    }
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  template <class Handler, class IoExecutor>
  void async_wait(implementation_type& impl, asio::posix::descriptor_base::wait_type w, Handler& handler,
                  const IoExecutor& io_executor)
  {
    start<plain_operation<wait_intent, Handler, IoExecutor>>(impl, core::direction::readiness, "async_wait", handler,
                                                             io_executor, always_in_kernel(), impl.descriptor_,
                                                             events_of(w));
  }

  // --- Writing --------------------------------------------------------------------------------------------------

  template <class Sequence>
  std::size_t write_some(implementation_type& impl, const Sequence& sequence, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::const_buffer, Sequence> b(sequence);
    const std::size_t n =
      descriptor_ops::sync_write(impl.descriptor_, impl.state_, b.vectors(), b.count(), b.all_empty(sequence), ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return n;
  }

  std::size_t write_some(implementation_type& impl, const asio::null_buffers&, error_code& ec)
  {
    before_blocking_call(impl);
    descriptor_ops::poll_write(impl.descriptor_, impl.state_, ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return 0;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_write_some(implementation_type& impl, const Sequence& sequence, Handler& handler,
                        const IoExecutor& io_executor)
  {
    start_transfer<asio::const_buffer>(impl, "async_write_some", core::current_position, sequence, handler,
                                       io_executor);
  }

  template <class Handler, class IoExecutor>
  void async_write_some(implementation_type& impl, const asio::null_buffers&, Handler& handler,
                        const IoExecutor& io_executor)
  {
    start<transfer_operation<wait_intent, Handler, IoExecutor>>(impl, core::direction::readiness,
                                                                "async_write_some(null_buffers)", handler, io_executor,
                                                                always_in_kernel(), impl.descriptor_, POLLOUT);
  }

  template <class Sequence>
  std::size_t write_some_at(implementation_type& impl, std::uint64_t offset, const Sequence& sequence, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::const_buffer, Sequence> b(sequence);
    const std::size_t n = descriptor_ops::sync_write_at(impl.descriptor_, impl.state_, offset, b.vectors(), b.count(),
                                                        b.all_empty(sequence), ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return n;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_write_some_at(implementation_type& impl, std::uint64_t offset, const Sequence& sequence, Handler& handler,
                           const IoExecutor& io_executor)
  {
    start_transfer<asio::const_buffer>(impl, "async_write_some_at", offset, sequence, handler, io_executor);
  }

  // --- Reading --------------------------------------------------------------------------------------------------

  template <class Sequence>
  std::size_t read_some(implementation_type& impl, const Sequence& sequence, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::mutable_buffer, Sequence> b(sequence);
    const std::size_t n =
      descriptor_ops::sync_read(impl.descriptor_, impl.state_, b.vectors(), b.count(), b.all_empty(sequence), ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return n;
  }

  std::size_t read_some(implementation_type& impl, const asio::null_buffers&, error_code& ec)
  {
    before_blocking_call(impl);
    descriptor_ops::poll_read(impl.descriptor_, impl.state_, ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return 0;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_read_some(implementation_type& impl, const Sequence& sequence, Handler& handler,
                       const IoExecutor& io_executor)
  {
    start_transfer<asio::mutable_buffer>(impl, "async_read_some", core::current_position, sequence, handler,
                                         io_executor);
  }

  template <class Handler, class IoExecutor>
  void async_read_some(implementation_type& impl, const asio::null_buffers&, Handler& handler,
                       const IoExecutor& io_executor)
  {
    start<transfer_operation<wait_intent, Handler, IoExecutor>>(impl, core::direction::readiness,
                                                                "async_read_some(null_buffers)", handler, io_executor,
                                                                always_in_kernel(), impl.descriptor_, POLLIN);
  }

  template <class Sequence>
  std::size_t read_some_at(implementation_type& impl, std::uint64_t offset, const Sequence& sequence, error_code& ec)
  {
    before_blocking_call(impl);
    transfer_buffers<asio::mutable_buffer, Sequence> b(sequence);
    const std::size_t n = descriptor_ops::sync_read_at(impl.descriptor_, impl.state_, offset, b.vectors(), b.count(),
                                                       b.all_empty(sequence), ec);
    BOOST_ASIO_ERROR_LOCATION(ec);
    return n;
  }

  template <class Sequence, class Handler, class IoExecutor>
  void async_read_some_at(implementation_type& impl, std::uint64_t offset, const Sequence& sequence, Handler& handler,
                          const IoExecutor& io_executor)
  {
    start_transfer<asio::mutable_buffer>(impl, "async_read_some_at", offset, sequence, handler, io_executor);
  }

protected:
  // A descriptor in non-blocking mode does not wait for anything.
  void before_blocking_call(const implementation_type& impl)
  {
    if ((impl.state_ & descriptor_ops::user_set_non_blocking) == 0)
      engine_.before_blocking_call();
  }

  template <class Buffer, class Sequence, class Handler, class IoExecutor>
  void start_transfer(implementation_type& impl, const char* function, std::uint64_t offset, const Sequence& sequence,
                      Handler& handler, const IoExecutor& io_executor)
  {
    using intent = descriptor_transfer_intent<Buffer, Sequence>;
    const unless_empty_and_when_ready before_start = {intent::is_empty(sequence), native_non_blocking(impl)};
    start<transfer_operation<intent, Handler, IoExecutor>>(
      impl, intent::is_read ? core::direction::read : core::direction::write, function, handler, io_executor,
      before_start, impl.descriptor_, sequence, offset);
  }

  template <class Operation, class Handler, class IoExecutor, class BeforeStart, class... Arguments>
  void start(implementation_type& impl, core::direction d, const char* function, Handler& handler,
             const IoExecutor& io_executor, BeforeStart before_start, Arguments&&... arguments)
  {
    start_operation<Operation>(engine_, impl.object_, d,
                               tracked_object{"descriptor", &impl, impl.descriptor_, function}, handler, io_executor,
                               before_start, std::forward<Arguments>(arguments)...);
  }

  engine& engine_;

private:
  void close_descriptor(implementation_type& impl, error_code& ec)
  {
    BOOST_ASIO_HANDLER_OPERATION((engine_.context(), "descriptor", &impl, impl.descriptor_, "close"));
    engine_.deregister(impl.object_, impl.descriptor_);
    descriptor_ops::close(impl.descriptor_, impl.state_, ec);
  }
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_DESCRIPTOR_SERVICE_HPP
