//
// asio_proactor/service/move_accept_operation.hpp: accept that makes the peer's socket itself.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_MOVE_ACCEPT_OPERATION_HPP
#define ASIO_PROACTOR_SERVICE_MOVE_ACCEPT_OPERATION_HPP

#include <asio_proactor/service/handler_operations.hpp>
#include <asio_proactor/service/socket_intents.hpp>

namespace asio_proactor::service {

/// Completes with void(error_code, socket).
template <class Protocol, class PeerIoExecutor, class Handler, class IoExecutor>
class move_accept_operation : public io_operation_for<void, Handler>
{
public:
  using ptr = typename operation_memory<move_accept_operation, Handler, true>::ptr;

  using peer_socket_type = typename Protocol::socket::template rebind_executor<PeerIoExecutor>::other;

  move_accept_operation(Handler& handler, const IoExecutor& io_executor, const PeerIoExecutor& peer_executor, int fd,
                        socket_ops::state_type state, const Protocol& protocol,
                        typename Protocol::endpoint* peer_endpoint)
    : io_operation_for<void, Handler>(&move_accept_operation::do_complete),
      peer_(peer_executor),
      intent_(*this, fd, state, peer_, protocol, peer_endpoint),
      handler_(std::move(handler)),
      work_(handler_, io_executor)
  {}

  /// As in plain_operation.
  static void complete_at_once(move_accept_operation* op, const IoExecutor& io_executor)
  {
    finish(op, true, [&](auto& work, auto& handler) { complete_immediately<Handler>(work, handler, io_executor); });
  }

private:
  static void do_complete(void* owner, asio_detail::scheduler_operation* base, const error_code&, std::size_t)
  {
    finish(static_cast<move_accept_operation*>(base), owner != nullptr,
           [](auto& work, auto& handler) { work.complete(handler, handler.handler_); });
  }

  template <class Upcall>
  static void finish(move_accept_operation* o, bool is_called, Upcall upcall)
  {
    ptr p = {std::addressof(o->handler_), o, o};

    std::size_t bytes = 0;
    error_code ec = o->intent_.outcome(*o, bytes);
    if (is_called)
      o->intent_.deliver(ec);

    BOOST_ASIO_HANDLER_COMPLETION((*o));
    asio_detail::handler_work<Handler, IoExecutor> w(std::move(o->work_));
    BOOST_ASIO_ERROR_LOCATION(ec);

    // The memory is given back before the upcall, and the handler may own what the memory came from, so it moves out.
    asio_detail::move_binder2<Handler, error_code, peer_socket_type> handler(0, std::move(o->handler_), ec,
                                                                             std::move(o->peer_));
    p.h = std::addressof(handler.handler_);
    p.reset();

    if (is_called)
    {
      asio_detail::fenced_block b(asio_detail::fenced_block::half);
      BOOST_ASIO_HANDLER_INVOCATION_BEGIN((handler.arg1_, "..."));
      upcall(w, handler);
      BOOST_ASIO_HANDLER_INVOCATION_END;
    }
  }

  peer_socket_type peer_;
  accept_intent<Protocol, peer_socket_type> intent_;
  Handler handler_;
  asio_detail::handler_work<Handler, IoExecutor> work_;
};

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_MOVE_ACCEPT_OPERATION_HPP
