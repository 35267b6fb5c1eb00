//
// epoll/epoll_factory.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "epoll_factory.hpp"

#include "epoll_driver.hpp"

#include <utility>

namespace asio_proactor::epoll {

namespace {

class epoll_factory final : public core::driver_factory
{
public:
  explicit epoll_factory(std::string reason) : reason_(std::move(reason)) {}

  std::unique_ptr<core::driver> create(core::driver_use use, core::wake_event& wake) override
  {
    // Any thread may enter an epoll instance, and one that a single thread enters would be no faster.
    if (use == core::driver_use::one_thread)
      return nullptr;
    return std::make_unique<epoll_driver>(wake);
  }

  core::driver_description describe() const override { return {"epoll", reason_}; }

private:
  std::string reason_;
};

} // namespace

std::unique_ptr<core::driver_factory> make_factory(std::string reason)
{
  return std::make_unique<epoll_factory>(std::move(reason));
}

} // namespace asio_proactor::epoll
