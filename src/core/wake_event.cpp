//
// core/wake_event.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/wake_event.hpp>

#include <cerrno>
#include <cstdint>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace asio_proactor::core {

namespace {

int create_eventfd()
{
  int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0)
    throw std::system_error(errno, std::system_category(),
                            "asio_proactor: no eventfd (if descriptors are short, raise RLIMIT_NOFILE)");
  return fd;
}

} // namespace

wake_event::wake_event() : fd_(create_eventfd()) {}

wake_event::~wake_event()
{
  ::close(fd_);
}

void wake_event::signal() noexcept
{
  const std::uint64_t one = 1;
  // Cannot fail in a way that matters: a full counter has woken everybody already.
  [[maybe_unused]] auto written = ::write(fd_, &one, sizeof one);
}

void wake_event::recreate()
{
  int fd = create_eventfd();
  ::close(fd_);
  fd_ = fd;
}

} // namespace asio_proactor::core
