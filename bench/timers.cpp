// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// 200 000 steady timers in plain Boost.Asio: each is armed, armed again with another time, and cancelled.
//
//   timers --phase=arm|rearm|cancel
//
// The figures are those of the chosen phase, including the handlers that it makes ready.
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <vector>

#include "run_context.hpp"
#include "timer_phases.hpp"

namespace asio = boost::asio;

namespace {

class many_timers
{
public:
  many_timers()
  {
    timers_.reserve(bench::timer_count);
    for (std::size_t i = 0; i < bench::timer_count; ++i)
      timers_.emplace_back(context_);
  }

  void arm()
  {
    for (asio::steady_timer& each : timers_)
    {
      each.expires_after(away_.next());
      each.async_wait(
        [this](boost::system::error_code error) { ++(error == asio::error::operation_aborted ? aborted_ : fired_); });
    }
    context_.poll();
  }

  void cancel()
  {
    for (asio::steady_timer& each : timers_)
      each.cancel();
    context_.poll();
  }

  void expect_aborted(std::size_t count) const
  {
    bench::require(fired_ == 0, "a timer fired long before its time");
    bench::require(aborted_ == count, "cancelled waits were lost or ran twice");
  }

private:
  bench::context context_;
  std::vector<asio::steady_timer> timers_;
  bench::times_away away_;
  std::size_t aborted_ = 0, fired_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
  return bench::run_timer_phases<many_timers>(argc, argv);
}
