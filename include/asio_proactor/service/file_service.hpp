//
// asio_proactor/service/file_service.hpp: stream_file and random_access_file.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_FILE_SERVICE_HPP
#define ASIO_PROACTOR_SERVICE_FILE_SERVICE_HPP

#include <asio_proactor/service/descriptor_service.hpp>
#include <boost/asio/file_base.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asio_proactor::service {

/// Descriptors of files. Reads, and writes, of a random_access_file overlap; those of a stream_file keep their order.
class file_service : public descriptor_service
{
public:
  using descriptor_service::descriptor_service;

  /// A new file object: random_access_file as long as nothing else is said.
  void construct(implementation_type& impl)
  {
    descriptor_service::construct(impl);
    impl.overlapping_ = true;
  }

  /// Called by the constructors of stream_file, some of which have opened the file before.
  void set_is_stream(implementation_type& impl, bool is_stream)
  {
    impl.overlapping_ = !is_stream;
    if (!is_open(impl))
      return;
    engine_.set_overlapping(*impl.object_, impl.overlapping_);
    advise(impl);
  }

  error_code open(implementation_type& impl, const char* path, asio::file_base::flags flags, error_code& ec)
  {
    if (is_open(impl))
    {
      ec = asio::error::already_open;
      BOOST_ASIO_ERROR_LOCATION(ec);
      return ec;
    }
    const int fd = descriptor_ops::open(path, static_cast<int>(flags), 0777, ec);
    if (fd >= 0)
    {
      assign(impl, fd, ec);
      advise(impl);
    }
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }

  std::uint64_t size(const implementation_type& impl, error_code& ec) const
  {
    struct ::stat s;
    check(::fstat(impl.descriptor_, &s), ec);
    return ec ? 0 : static_cast<std::uint64_t>(s.st_size);
  }

  error_code resize(implementation_type& impl, std::uint64_t n, error_code& ec)
  {
    return check(::ftruncate(impl.descriptor_, static_cast<::off_t>(n)), ec);
  }

  error_code sync_all(implementation_type& impl, error_code& ec) { return check(::fsync(impl.descriptor_), ec); }

  error_code sync_data(implementation_type& impl, error_code& ec) { return check(::fdatasync(impl.descriptor_), ec); }

  std::uint64_t seek(implementation_type& impl, std::int64_t offset, asio::file_base::seek_basis whence, error_code& ec)
  {
    const ::off_t position = ::lseek(impl.descriptor_, offset, static_cast<int>(whence));
    check(position, ec);
    return ec ? 0 : static_cast<std::uint64_t>(position);
  }

private:
  // What cannot take it is read all the same.
  static void advise(const implementation_type& impl)
  {
    (void)::posix_fadvise(impl.descriptor_, 0, 0, impl.overlapping_ ? POSIX_FADV_RANDOM : POSIX_FADV_SEQUENTIAL);
  }

  static error_code check(std::int64_t result, error_code& ec)
  {
    ec = result < 0 ? to_error_code(-errno) : error_code();
    BOOST_ASIO_ERROR_LOCATION(ec);
    return ec;
  }
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_FILE_SERVICE_HPP
