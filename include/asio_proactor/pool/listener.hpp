//
// asio_proactor/pool/listener.hpp: an acceptor of a context_pool, and how a connection gets to who serves it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_POOL_LISTENER_HPP
#define ASIO_PROACTOR_POOL_LISTENER_HPP

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace asio_proactor::pool {

namespace asio = boost::asio;
using boost::system::error_code;

/// SO_REUSEPORT as an option for Asio's set_option().
class reuse_port_option
{
public:
  template <typename Protocol>
  int level(const Protocol&) const
  {
    return SOL_SOCKET;
  }
  template <typename Protocol>
  int name(const Protocol&) const
  {
    return SO_REUSEPORT;
  }
  template <typename Protocol>
  const void* data(const Protocol&) const
  {
    return &on_;
  }
  template <typename Protocol>
  std::size_t size(const Protocol&) const
  {
    return sizeof on_;
  }

private:
  int on_ = 1;
};

/// A descriptor on its way from one context to another: closed if it does not arrive.
class travelling_descriptor
{
public:
  explicit travelling_descriptor(int number) : number_(number) {}
  travelling_descriptor(travelling_descriptor&& other) noexcept : number_(other.release()) {}
  travelling_descriptor& operator=(travelling_descriptor&&) = delete;
  ~travelling_descriptor()
  {
    if (number_ >= 0)
      ::close(number_);
  }

  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

private:
  int number_;
};

/// What a pool knows of its listeners.
class listener_base
{
public:
  virtual ~listener_base() = default;

  virtual asio::io_context& context() const = 0;

  /// Accept no longer. Called by the context's thread, or when that has ended; once or more.
  virtual void close() = 0;
};

/// Accepts on one context, and calls a handler for each connection on the next of its targets.
template <typename Protocol, typename Handler>
class listener : public listener_base, public std::enable_shared_from_this<listener<Protocol, Handler>>
{
public:
  using socket = typename Protocol::socket;
  using acceptor = typename Protocol::acceptor;

  struct target
  {
    asio::io_context* context;
    std::shared_ptr<Handler> handler; ///< Its own copy: only the context's thread uses it.
  };

  struct behaviour
  {
    std::function<void(const error_code&)> on_error; ///< May be empty.
    std::chrono::steady_clock::duration pause;       ///< Between an error and the next attempt.
  };

  /// @param ready Listens, and belongs to the context.
  listener(asio::io_context& context, acceptor ready, std::vector<target> targets, behaviour how)
    : context_(context),
      acceptor_(std::move(ready)),
      protocol_(acceptor_.local_endpoint().protocol()),
      pause_(context),
      targets_(std::move(targets)),
      behaviour_(std::move(how))
  {}

  asio::io_context& context() const override { return context_; }

  void start()
  {
    asio::post(context_, [self = this->shared_from_this()] { self->accept(); });
  }

  void close() override
  {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

private:
  void accept()
  {
    if (acceptor_.is_open())
      acceptor_.async_accept([self = this->shared_from_this()](error_code error, socket accepted) {
        self->accepted(error, std::move(accepted));
      });
  }

  void accepted(error_code error, socket connection)
  {
    if (error)
      return retry_after(error);
    deliver(std::move(connection));
    accept();
  }

  // A shortage lasts longer than a moment, and the connection still waits: trying again at once would spin.
  void retry_after(error_code error)
  {
    if (!acceptor_.is_open())
      return;
    report(error);
    pause_.expires_after(behaviour_.pause);
    pause_.async_wait([self = this->shared_from_this()](error_code) { self->accept(); });
  }

  void deliver(socket connection)
  {
    const target& to = targets_[next_++ % targets_.size()];
    if (to.context == &context_)
      return (*to.handler)(std::move(connection));
    error_code error;
    travelling_descriptor descriptor(connection.release(error));
    if (error)
      return report(error);
    asio::post(*to.context, [self = this->shared_from_this(), &to, descriptor = std::move(descriptor)]() mutable {
      self->arrived(to, std::move(descriptor));
    });
  }

  // On the target's thread, so that everything belonging to the connection is made there.
  void arrived(const target& here, travelling_descriptor descriptor)
  {
    socket connection(*here.context);
    error_code error;
    connection.assign(protocol_, descriptor.number(), error);
    if (error)
      return report(error);
    descriptor.release();
    (*here.handler)(std::move(connection));
  }

  void report(error_code error)
  {
    if (behaviour_.on_error)
      behaviour_.on_error(error);
  }

  asio::io_context& context_;
  acceptor acceptor_;
  Protocol protocol_;
  asio::steady_timer pause_;
  const std::vector<target> targets_;
  std::size_t next_ = 0;
  const behaviour behaviour_;
};

} // namespace asio_proactor::pool

#endif // ASIO_PROACTOR_POOL_LISTENER_HPP
