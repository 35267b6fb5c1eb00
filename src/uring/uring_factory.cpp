//
// uring/uring_factory.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include "uring_factory.hpp"

#include "kernel_abi.hpp"
#include "locked_memory.hpp"
#include "uring_driver.hpp"
#include "uring_features.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <utility>

namespace asio_proactor::uring {

namespace {

std::string describe_refusal(int error)
{
  std::string disabled;
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> disabled;
  if (error == EPERM && !disabled.empty() && disabled != "0")
    return "io_uring is disabled by kernel.io_uring_disabled=" + disabled;
  if (error == EPERM || error == EACCES)
    return "io_uring is denied to this process (a container's seccomp profile, or a security module)";
  if (error == ENOSYS)
    return "this kernel has no io_uring, or a seccomp profile hides it";
  if (error == ENOMEM)
    return "io_uring got no memory: raise RLIMIT_MEMLOCK (ulimit -l)";
  if (error == EMFILE || error == ENFILE)
    return "no descriptor left for io_uring: raise RLIMIT_NOFILE (ulimit -n)";
  return std::string("io_uring set-up failed: ") + std::strerror(error);
}

// Set-up may be allowed where entering is not, so one request goes the whole way.
int try_one_request(ring& r)
{
  ::io_uring_prep_nop(r.next_entry());
  const int submitted = ::io_uring_submit_and_wait(r.native(), 1);
  if (submitted < 0)
    return -submitted;
  ::io_uring_cqe* cqe = nullptr;
  return ::io_uring_peek_cqe(r.native(), &cqe) == 0 ? 0 : EIO;
}

void describe_features(uring_driver& d, probe_result& result)
{
  const ring& r = d.native_ring();
  result.detail = (r.setup_flags() & IORING_SETUP_COOP_TASKRUN) ? "COOP_TASKRUN" : "plain";
  if (result.has_fast_ring)
    result.detail += ", SINGLE_ISSUER|DEFER_TASKRUN while one thread runs";
  if (r.has_feature(abi::feature_no_iowait))
    result.detail += ", NO_IOWAIT";
}

probe_result make_probe()
{
  probe_result result;
  ring r;
  result.error = -patiently([&r] { return r.open(ring_options{4, 0, 0}); });
  if (result.error == 0 && !has_all_required(r))
  {
    result.error = EINVAL;
    result.reason = "this kernel's io_uring is too old: Linux 5.11 or newer is needed";
    return result;
  }
  if (result.error == 0)
    result.error = try_one_request(r);
  if (result.error != 0)
  {
    result.reason = describe_refusal(result.error);
    return result;
  }
  core::wake_event wake;
  uring_driver fast(wake);
  result.has_fast_ring = fast.open(core::driver_use::one_thread) == 0;
  uring_driver home(wake);
  if (home.open(core::driver_use::any_thread) == 0)
    describe_features(home, result);
  return result;
}

class uring_factory final : public core::driver_factory
{
public:
  explicit uring_factory(probe_result found) : found_(std::move(found)) {}

  std::unique_ptr<core::driver> create(core::driver_use use, core::wake_event& wake) override
  {
    if (use == core::driver_use::one_thread && !found_.has_fast_ring)
      return nullptr;
    auto d = std::make_unique<uring_driver>(wake);
    if (int error = -d->open(use); error != 0)
    {
      if (use == core::driver_use::one_thread)
        return nullptr;
      throw std::system_error(error, std::system_category(), "asio_proactor: " + describe_refusal(error));
    }
    return d;
  }

  core::driver_description describe() const override { return {"uring", found_.detail}; }

private:
  const probe_result found_;
};

} // namespace

probe_result probe()
{
  static std::mutex mutex;
  static probe_result result;
  static bool is_settled = false;
  const std::lock_guard<std::mutex> held(mutex);
  if (!is_settled)
  {
    result = make_probe();
    // A shortage may be over the next time.
    is_settled = result.error != ENOMEM && result.error != EMFILE && result.error != ENFILE;
  }
  return result;
}

std::unique_ptr<core::driver_factory> make_factory()
{
  return std::make_unique<uring_factory>(probe());
}

} // namespace asio_proactor::uring
