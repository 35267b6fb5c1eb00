//
// asio_proactor/core/wake_event.hpp: gets a thread out of a driver's wait.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_WAKE_EVENT_HPP
#define ASIO_PROACTOR_CORE_WAKE_EVENT_HPP

namespace asio_proactor::core {

/// An eventfd that drivers watch for edges: every signal() is one, and nobody ever has to read it back.
class wake_event
{
public:
  /// @throws std::system_error when the process has no descriptor to spare.
  wake_event();
  ~wake_event();

  wake_event(const wake_event&) = delete;
  wake_event& operator=(const wake_event&) = delete;

  /// Thread safe, async-signal safe.
  void signal() noexcept;

  /// Get a new eventfd, for a forked child that must not wake its parent.
  void recreate();

  int descriptor() const { return fd_; }

private:
  int fd_;
};

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_WAKE_EVENT_HPP
