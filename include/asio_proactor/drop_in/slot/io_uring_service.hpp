//
// asio_proactor/drop_in/slot/io_uring_service.hpp: boost::asio::detail::io_uring_service, on the engine of asio_proactor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_SERVICE_HPP
#define ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_SERVICE_HPP

#include <asio_proactor/drop_in/slot/configuration.hpp>

#include <asio_proactor/drop_in/slot/io_uring_operation.hpp>
#include <asio_proactor/drop_in/slot/scheduler.hpp>
#include <asio_proactor/drop_in/slot/steady_timer_queue.hpp>
#include <asio_proactor/service/engine.hpp>
#include <boost/asio/detail/limits.hpp>
#include <boost/asio/detail/timer_queue_base.hpp>
#include <boost/asio/detail/timer_queue_set.hpp>
#include <boost/asio/detail/wait_op.hpp>
#include <boost/asio/execution_context.hpp>
#include <poll.h>

#include <boost/asio/detail/push_options.hpp>

namespace boost {
namespace asio {
BOOST_ASIO_INLINE_NAMESPACE_BEGIN
namespace detail {

/// The timers, and the I/O services' common part. Its name is that of the slot; which driver runs is decided at run time.
class io_uring_service : public execution_context_service_base<io_uring_service>, public asio_proactor::service::engine
{
public:
  enum op_types
  {
    read_op,
    write_op,
    except_op,
    max_ops
  };

  typedef asio_proactor::core::io_object* per_io_object_data;

  explicit io_uring_service(execution_context& context)
    : execution_context_service_base<io_uring_service>(context),
      engine(context, use_service<scheduler>(context))
  {}

  using engine::context;

  void shutdown() { shut_down(); }

  void notify_fork(execution_context::fork_event event)
  {
    if (event == execution_context::fork_prepare)
      prepare_fork();
    else if (event == execution_context::fork_child)
      after_fork_in_child();
  }

  /// A service that has timers or operations calls this first: the loop has something to wait for from now on.
  void init_task() { attach_to_loop(); }

  // --- For signal_set, which watches its pipe with an operation of its own --------------------------------------

  void register_internal_io_object(per_io_object_data& object, int, io_uring_operation* op)
  {
    object = register_object();
    internal_watch* w = new internal_watch(*this, *object, op, watches_);
    watches_ = w;
    w->start();
  }

  void deregister_io_object(per_io_object_data& object)
  {
    internal_watch* w = watches_;
    while (w && (w->is_over_ || w->object_ != object))
      w = w->next_watch_;
    deregister(object, -1);
    if (w)
      w->is_over_ = true;
  }

  void cleanup_io_object(per_io_object_data&) {}

  ~io_uring_service()
  {
    while (internal_watch* w = watches_)
    {
      watches_ = w->next_watch_;
      delete w;
    }
  }

private:
  // Polls the descriptor again and again and tells the operation each time.
  struct internal_watch : asio_proactor::core::watch
  {
    internal_watch(io_uring_service& service, asio_proactor::core::io_object& object, io_uring_operation* op,
                   internal_watch* next)
      : watch(&internal_watch::fired),
        service_(service),
        object_(&object),
        op_(op),
        next_watch_(next)
    {}

    ~internal_watch() { op_->destroy(); }

    void start()
    {
      code_ = asio_proactor::core::opcode::poll;
      fd_ = op_->descriptor();
      args_.events = POLLIN;
      cancel_requested_ = cancel_sent_ = false;
      service_.start_watch(*object_, asio_proactor::core::direction::read, *this);
    }

    static void fired(asio_proactor::core::watch& base)
    {
      auto& w = static_cast<internal_watch&>(base);
      if (w.is_over_ || w.cancel_requested_)
        return;
      w.op_->perform(true);
      w.start();
    }

    io_uring_service& service_;
    asio_proactor::core::io_object* object_;
    io_uring_operation* op_;
    internal_watch* next_watch_;
    bool is_over_ = false;
  };

  // A watch that was taken back may still stand in the queue of those that fired, so it is freed with the service.
  internal_watch* watches_ = nullptr;
};

} // namespace detail
BOOST_ASIO_INLINE_NAMESPACE_END
} // namespace asio
} // namespace boost

#include <boost/asio/detail/pop_options.hpp>

#endif // ASIO_PROACTOR_DROP_IN_SLOT_IO_URING_SERVICE_HPP
