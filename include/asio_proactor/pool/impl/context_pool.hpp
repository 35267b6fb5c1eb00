//
// asio_proactor/pool/impl/context_pool.hpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_POOL_IMPL_CONTEXT_POOL_HPP
#define ASIO_PROACTOR_POOL_IMPL_CONTEXT_POOL_HPP

#include <asio_proactor/context_pool.hpp>
#include <asio_proactor/core/topology.hpp>

#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace asio_proactor {

// Starting.

inline context_pool::context_pool(const places& of_threads) : members_(of_threads.size()), idleness_(of_threads.size())
{
  for (std::size_t i = 0; i < size(); ++i)
    members_[i].cpus = of_threads[i];
}

// The object is complete behind the delegation, so the destructor runs if starting fails.
inline context_pool::context_pool(const context_pool_options& options) : context_pool(place(options))
{
  start(options);
}

inline context_pool::context_pool(std::size_t contexts)
  : context_pool([contexts] {
      context_pool_options options;
      options.contexts = contexts;
      return options;
    }())
{}

inline context_pool::places context_pool::place(const context_pool_options& options)
{
  places found = core::place_threads({options.contexts, options.place, options.cpus}, core::find_supply());
  if (name_of(found.size() - 1, options).size() > core::longest_thread_name)
    throw std::invalid_argument("asio_proactor::context_pool: thread_name '" + options.thread_name +
                                "' is too long: with '-' and the context's number it may have 15 bytes");
  return found;
}

inline std::string context_pool::name_of(std::size_t number, const context_pool_options& options)
{
  return options.thread_name.empty() ? "" : options.thread_name + "-" + std::to_string(number);
}

inline void context_pool::start(const context_pool_options& options)
{
  std::unique_lock lock(mutex_);
  try
  {
    for (; running_ < size(); ++running_)
      members_[running_].thread = std::thread([this, number = running_, options] { run_thread(number, options); });
  }
  catch (...)
  {
    failure_ = std::current_exception();
  }
  // Only now is every context either there or not going to be.
  changed_.wait(lock, [this, launched = running_] { return prepared_ == launched; });
  if (failure_)
    std::rethrow_exception(failure_);
}

inline void context_pool::run_thread(std::size_t number, const context_pool_options& options)
{
  const bool is_ready = prepare(number, options);
  try
  {
    if (is_ready)
      run_until_done(number);
  }
  catch (...)
  {
    fail(std::current_exception());
  }
  const std::lock_guard held(mutex_);
  --running_;
  changed_.notify_all();
}

// The order matters: what the thread allocates once it is placed comes from its own node.
inline bool context_pool::prepare(std::size_t number, const context_pool_options& options)
{
  constexpr int one_thread = 1;
  member& here = members_[number];
  std::exception_ptr failure;
  try
  {
    if (!options.thread_name.empty())
      core::name_this_thread(name_of(number, options));
    if (!here.cpus.empty())
      core::bind_this_thread(here.cpus);
    if (options.local_memory && options.place != placement::anywhere)
      core::allocate_locally();
    auto made = std::make_unique<shared_nothing_context>(one_thread);
    this_thread() = {this, made.get(), number};
    const std::lock_guard held(mutex_);
    here.context = std::move(made);
    here.guard.emplace(here.context->get_executor());
  }
  catch (...)
  {
    failure = std::current_exception();
  }
  const std::lock_guard held(mutex_);
  ++prepared_;
  if (failure && !failure_)
    failure_ = failure;
  changed_.notify_all();
  return !failure;
}

// Running.

inline void context_pool::run_until_done(std::size_t number)
{
  member& here = members_[number];
  while (is_to_run(here))
  {
    const auto period = idleness_.period();
    // Until join() takes the guard away this only returns when stopped.
    if (has_worked(here, here.context->run()))
      idleness_.worked();
    else
      rest(number, period);
  }
}

// Out of work since the beginning of the period, unless others still give it some.
inline void context_pool::rest(std::size_t number, std::uint64_t period)
{
  member& here = members_[number];
  const auto found = idleness_.idle(number, period);
  if (found.is_over)
    return all_work_is_done();
  for (std::size_t other : found.to_wake)
    boost::asio::post(*members_[other].context, [&woken = members_[other]] { ++woken.wake_ups; });
  if (!is_to_run(here))
    return;
  const work_guard stay(here.context->get_executor());
  if (has_worked(here, here.context->run_one()))
    idleness_.worked();
  idleness_.busy(number);
}

inline bool context_pool::has_worked(member& each, std::size_t handlers)
{
  return handlers != std::exchange(each.wake_ups, 0);
}

// Looked at behind restart(): a stop() that this has undone has set the flag before.
inline bool context_pool::is_to_run(member& each)
{
  each.context->restart();
  return !stopped_;
}

inline void context_pool::all_work_is_done()
{
  {
    const std::lock_guard held(mutex_);
    work_is_done_ = !stopped_;
  }
  stop();
}

inline void context_pool::fail(std::exception_ptr failure)
{
  {
    const std::lock_guard held(mutex_);
    if (!failure_)
      failure_ = std::move(failure);
  }
  stop();
}

inline context_pool::whereabouts& context_pool::this_thread() noexcept
{
  static thread_local whereabouts here;
  return here;
}

inline std::optional<std::size_t> context_pool::this_number() noexcept
{
  const whereabouts& here = this_thread();
  return here.pool ? std::optional(here.number) : std::nullopt;
}

template <typename Function>
void context_pool::post_to_all(const Function& function)
{
  for (member& each : members_)
    boost::asio::post(*each.context, [function, &context = *each.context]() mutable { function(context); });
}

// Serving.

template <typename Endpoint>
auto context_pool::listen(boost::asio::io_context& on, const Endpoint& where, bool shares_port, int backlog)
{
  using acceptor = typename Endpoint::protocol_type::acceptor;
  try
  {
    acceptor made(on, where.protocol());
    made.set_option(typename acceptor::reuse_address(true));
    if (shares_port)
      made.set_option(pool::reuse_port_option());
    made.bind(where);
    made.listen(backlog);
    return made;
  }
  catch (const boost::system::system_error& failure)
  {
    std::ostringstream what;
    what << "asio_proactor::context_pool: cannot listen on " << where;
    throw boost::system::system_error(failure.code(), what.str());
  }
}

template <typename Endpoint, typename Handler>
Endpoint context_pool::serve(const Endpoint& where, Handler handler, spread how, serve_options options)
{
  using listener = pool::listener<typename Endpoint::protocol_type, Handler>;
  using target = typename listener::target;
  const bool shares_port = how == spread::reuse_port;
  if (shares_port && where.protocol().family() == AF_UNIX)
    throw std::invalid_argument(
      "asio_proactor::context_pool: the kernel does not spread connections over UNIX sockets of "
      "one name; use spread::hand_over");
  std::vector<target> targets;
  for (member& each : members_)
    targets.push_back({each.context.get(), std::make_shared<Handler>(handler)});

  std::vector<std::shared_ptr<listener>> made;
  Endpoint found = where;
  const auto add_listener = [&](boost::asio::io_context& on, std::vector<target> to) {
    auto acceptor = listen(on, found, shares_port, options.backlog);
    found = acceptor.local_endpoint(); // the port that the first one got is for all
    made.push_back(
      std::make_shared<listener>(on, std::move(acceptor), std::move(to),
                                 typename listener::behaviour{options.on_error, options.pause_after_error}));
  };
  if (shares_port)
    for (const target& each : targets)
      add_listener(*each.context, {each});
  else
    add_listener(next(), targets);

  add({made.begin(), made.end()});
  for (const auto& each : made)
    each->start();
  return found;
}

inline void context_pool::add(const listeners& more)
{
  const std::lock_guard held(mutex_);
  if (!accepts_listeners_ || stopped_)
    throw std::logic_error(
      "asio_proactor::context_pool: serve() behind shutdown(), stop() or join(): the pool has ended");
  listeners_.insert(listeners_.end(), more.begin(), more.end());
}

// Ending.

inline void context_pool::shutdown(std::optional<std::chrono::steady_clock::duration> grace)
{
  using clock = std::chrono::steady_clock;
  const std::lock_guard held(mutex_);
  accepts_listeners_ = false;
  deadline_.reset();
  if (const auto now = clock::now(); grace && *grace < clock::time_point::max() - now)
    deadline_ = now + *grace;
  for (const auto& each : listeners_)
    boost::asio::post(each->context(), [each] { each->close(); });
  changed_.notify_all();
}

inline void context_pool::stop()
{
  stopped_ = true;
  // A context that is still being made will find the flag.
  const std::lock_guard held(mutex_);
  for (member& each : members_)
    if (each.context)
      each.context->stop();
}

inline bool context_pool::join()
{
  if (this_thread().pool == this)
    throw std::system_error(
      std::make_error_code(std::errc::resource_deadlock_would_occur),
      "asio_proactor::context_pool: a thread of the pool cannot join() it; call shutdown() or stop() "
      "there and join() elsewhere");
  release_guards();
  wait_for_threads();
  join_threads();
  const std::lock_guard held(mutex_);
  if (failure_)
    std::rethrow_exception(failure_);
  return work_is_done_;
}

inline void context_pool::release_guards()
{
  const std::lock_guard held(mutex_);
  for (member& each : members_)
    each.guard.reset();
}

inline void context_pool::wait_for_threads()
{
  std::unique_lock lock(mutex_);
  while (running_ != 0)
  {
    if (!deadline_)
      changed_.wait(lock);
    else if (const auto limit = *deadline_; changed_.wait_until(lock, limit) == std::cv_status::timeout)
    {
      // A further call of shutdown() may have moved it meanwhile.
      if (deadline_ != limit)
        continue;
      deadline_.reset();
      lock.unlock();
      stop();
      lock.lock();
    }
  }
}

inline void context_pool::join_threads()
{
  const std::lock_guard one_at_a_time(joining_);
  for (member& each : members_)
    if (each.thread.joinable())
      each.thread.join();
  // What was not closed by its own thread, because that had been stopped.
  const std::lock_guard held(mutex_);
  accepts_listeners_ = false;
  for (const auto& each : listeners_)
    each->close();
}

inline context_pool::~context_pool()
{
  stop();
  try
  {
    join();
  }
  catch (...)
  {
    // join() was the place to hear of it.
  }
  listeners_.clear();
  // All handlers of all contexts go before the first context does: they may own sockets of each other's contexts.
  for (member& each : members_)
    if (each.context)
      each.context->shutdown();
}

} // namespace asio_proactor

#endif // ASIO_PROACTOR_POOL_IMPL_CONTEXT_POOL_HPP
