//
// asio_proactor/drop_in/slot/scheduler.hpp: boost::asio::detail::scheduler, on the loop of asio_proactor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DROP_IN_SLOT_SCHEDULER_HPP
#define ASIO_PROACTOR_DROP_IN_SLOT_SCHEDULER_HPP

#include <asio_proactor/drop_in/slot/configuration.hpp>

#include <asio_proactor/service/run_loop.hpp>
#include <boost/asio/detail/scheduler_task.hpp>
#include <boost/asio/detail/thread.hpp>
#include <boost/asio/execution_context.hpp>

#include <boost/asio/detail/push_options.hpp>

namespace boost {
namespace asio {
BOOST_ASIO_INLINE_NAMESPACE_BEGIN
namespace detail {

/// The implementation of io_context, thread_pool and system_context.
class scheduler : public execution_context_service_base<scheduler>, public asio_proactor::service::run_loop
{
public:
  typedef scheduler_operation operation;

  // Asio lets the creator choose the task that waits for I/O; here there is one, and it is attached on first use.
  typedef scheduler_task* (*get_task_func_type)(execution_context&);

#if BOOST_VERSION < 108700
  scheduler(execution_context& context, int concurrency_hint = 0, bool own_thread = true, get_task_func_type = nullptr)
    : execution_context_service_base<scheduler>(context),
      run_loop(this, own_thread, asio_proactor::service::configured_waits(context)),
      concurrency_hint_(concurrency_hint)
  {
    BOOST_ASIO_HANDLER_TRACKING_INIT;
  }

  int concurrency_hint() const
  {
    return concurrency_hint_;
  }
#else
  // Selects the constructor for the resolver's private loop.
  struct internal
  {};

  explicit scheduler(execution_context& context, bool own_thread = true, get_task_func_type = nullptr)
    : execution_context_service_base<scheduler>(context),
      run_loop(this, own_thread, asio_proactor::service::configured_waits(context))
  {
    BOOST_ASIO_HANDLER_TRACKING_INIT;
  }

  scheduler(internal, execution_context& context)
    : execution_context_service_base<scheduler>(context),
      run_loop(this, false)
  {
    BOOST_ASIO_HANDLER_TRACKING_INIT;
  }
#endif

  void shutdown()
  {
    shut_down();
  }

  // The slot's own services attach themselves, so this is called by a stock reactor only: some object file of the
  // program was compiled without the drop-in, and the linker has mixed the two schedulers.
  void init_task()
  {
    asio_proactor::service::report_mixed_program();
  }

  // Ambiguous otherwise: both bases have something of these names.
  using run_loop::poll;
  using run_loop::run;

  std::size_t run(boost::system::error_code& ec)
  {
    return succeed(ec), run_loop::run();
  }
  std::size_t run_one(boost::system::error_code& ec)
  {
    return succeed(ec), run_loop::run_one();
  }
  std::size_t wait_one(long usec, boost::system::error_code& ec)
  {
    return succeed(ec), run_loop::wait_one(usec);
  }
  std::size_t poll(boost::system::error_code& ec)
  {
    return succeed(ec), run_loop::poll();
  }
  std::size_t poll_one(boost::system::error_code& ec)
  {
    return succeed(ec), run_loop::poll_one();
  }

  void compensating_work_started()
  {
    work_started();
  }

  void do_dispatch(operation* op)
  {
    post_immediate_completion(op, false);
  }

private:
  static void succeed(boost::system::error_code& ec)
  {
    ec = boost::system::error_code();
  }

#if BOOST_VERSION < 108700
  const int concurrency_hint_;
#endif
};

} // namespace detail
BOOST_ASIO_INLINE_NAMESPACE_END
} // namespace asio
} // namespace boost

#include <boost/asio/detail/pop_options.hpp>

// What the stock header brings in and other headers of Asio rely on.
#include <boost/asio/detail/conditionally_enabled_event.hpp>
#include <boost/asio/detail/conditionally_enabled_mutex.hpp>
#include <boost/asio/detail/throw_error.hpp>
#include <boost/asio/error.hpp>

#endif // ASIO_PROACTOR_DROP_IN_SLOT_SCHEDULER_HPP
