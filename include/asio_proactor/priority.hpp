//
// asio_proactor/priority.hpp: handlers that overtake others of the same context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_PRIORITY_HPP
#define ASIO_PROACTOR_PRIORITY_HPP

#include <asio_proactor/priorities/queues.hpp>

#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace asio_proactor {

/// How soon a function is called, compared with others that have a priority and wait in the same context.
enum class priority
{
  urgent,    ///< Before all others.
  normal,    ///< Before what is background.
  background ///< When nothing else waits, or has overtaken it for long enough.
};

/// The property by which a prioritized_executor, and any strand over it, is asked for its level or for another.
/**
 * boost::asio::query(executor, priority_t{}) returns the level; boost::asio::require(executor,
 * priority_t{priority::urgent}) a copy of the executor that has this level. A strand's copy is the same strand: its
 * functions keep their order, and the one that finds it idle says at which level it has its turns until it is idle again.
 * Executors that know no levels cannot be asked, and are what they were after boost::asio::prefer().
 */
struct priority_t
{
  priority level = priority::normal;

  // As Asio's properties have it.
  template <typename T>
  static constexpr bool is_applicable_property_v = boost::asio::execution::is_executor<T>::value;
  static constexpr bool is_requirable = true;
  static constexpr bool is_preferable = true;
  using polymorphic_query_result_type = priority;
};

namespace priorities {

/// Whether an executor is a context's own, to which any function of this context can be given.
template <typename Executor>
struct is_contexts_own : std::false_type
{};
template <auto Bits>
struct is_contexts_own<boost::asio::io_context::basic_executor_type<std::allocator<void>, Bits>> : std::true_type
{};
template <auto Bits>
struct is_contexts_own<boost::asio::thread_pool::basic_executor_type<std::allocator<void>, Bits>> : std::true_type
{};

template <typename Property>
struct is_allocator : std::false_type
{};
template <typename Allocator>
struct is_allocator<boost::asio::execution::allocator_t<Allocator>> : std::true_type
{};

/// Whether a property is the affair of the context's executor and not of the one around it.
template <typename Property>
constexpr bool is_forwarded = !std::is_convertible<Property, boost::asio::execution::blocking_t>::value &&
                              !std::is_convertible<Property, priority_t>::value && !is_allocator<Property>::value;

} // namespace priorities

/// An executor of an io_context or a thread_pool that gives the functions it executes a priority.
/**
 * Made by with_priority(). The functions of all prioritized executors of one context wait in queues of that context, one
 * for each level. For every function its context calls, in its own time and in turn with everything else it has to do,
 * the function that is first in line:
 *
 * - those at a higher level go first; within a level it is first come, first served;
 * - *nobody starves:* a level that has been passed over priority_patience (16) times in a row, while it had functions
 *   waiting, has the next turn. If two are due, normal has it, and background the one after.
 *
 * Priorities are among the functions of prioritized executors. Handlers without one, and I/O, have the turns they always
 * had: each function waits in the context's queue like a plain boost::asio::post(), and if an urgent one comes, it takes
 * the turn of the first in line there. A function that runs is never interrupted.
 *
 * *Where it can stand.* Wherever Asio takes an executor: boost::asio::post(), bind_executor(), co_spawn(), as the
 * executor of sockets and timers, in any_io_executor, and inside of a strand: `make_strand(with_priority(context,
 * priority::urgent))`. It cannot stand around a strand or an any_io_executor, as a turn belongs to no certain function,
 * and that of one strand would call the functions of another. boost::asio::system_executor is excluded too: nothing
 * tells when it is at its end.
 *
 * *Completion.* execute() never calls the function itself, and so neither does boost::asio::dispatch(): a handler that
 * is bound to this executor takes its turn by priority even if its operation completes in the same thread.
 * `blocking` is always blocking.never. Properties of the context's executor, such as outstanding_work and relationship,
 * are available here too. A waiting function is work for its context, which does not run out of work before it has been
 * called.
 *
 * *Memory.* The function is moved into memory of the executor's allocator (execution::allocator; by default that which
 * Asio's threads recycle), which is free again before the function is called. It may be move-only. Its turn has
 * memory of its own, which is always recycled.
 *
 * *Lifetime.* As with the context's own executors: no longer than the context. Functions that have not been called by
 * then are destroyed with it; what they own may execute further functions when it is destroyed, which are destroyed as
 * well.
 *
 * *Errors.* If execute() throws, for want of memory or because the function's constructor does, nothing has been
 * queued. An exception that leaves a function leaves io_context::run(), and ends a program with a thread_pool, as
 * always; the other functions keep their turns.
 *
 * *Threads.* Distinct objects are thread safe, shared ones as long as nobody assigns to them, like any executor. Several
 * threads in run() call several functions at a time; they *begin* in the order above.
 *
 * Works on the drop-in and on stock Asio.
 *
 * @tparam InnerExecutor io_context::executor_type or thread_pool::executor_type, or what these become by require().
 * @tparam Allocator What the functions are stored with.
 *
 * @code
 * using namespace asio_proactor;
 * boost::asio::io_context context;
 * auto urgent = with_priority(context, priority::urgent);
 * auto background = with_priority(context, priority::background);
 * boost::asio::post(background, [] { rebuild_index(); });
 * // The heartbeat overtakes whatever is in line at a lower level.
 * timer.async_wait(boost::asio::bind_executor(urgent, [](auto) { send_heartbeat(); }));
 * boost::asio::co_spawn(boost::asio::make_strand(urgent), session(std::move(socket)), boost::asio::detached);
 * context.run();
 * @endcode
 */
template <typename InnerExecutor, typename Allocator = std::allocator<void>>
class prioritized_executor
{
  static_assert(priorities::is_contexts_own<InnerExecutor>::value,
                "priorities are for executors of an io_context or a thread_pool themselves; put a strand outside: "
                "make_strand(with_priority(context, level))");

public:
  /// What the functions' turns are executed with.
  using inner_executor_type = InnerExecutor;

  /// Prefer with_priority(). @throws std::bad_alloc if the context's first queues cannot be made.
  prioritized_executor(const InnerExecutor& inner, priority level, const Allocator& allocator = Allocator())
    : prioritized_executor(inner, level, allocator,
                           boost::asio::use_service<priorities::queues>(static_cast<boost::asio::execution_context&>(
                             boost::asio::query(inner, boost::asio::execution::context))))
  {}

  /// The context's own executor.
  inner_executor_type get_inner_executor() const noexcept { return inner_; }

  /// Queue a function, to be called without arguments. @see the class for when, and for errors.
  template <typename Function>
  void execute(Function&& function) const
  {
    namespace execution = boost::asio::execution;
    queues_->add(static_cast<std::size_t>(level_),
                 priorities::make_function(std::forward<Function>(function), allocator_),
                 boost::asio::require(inner_, execution::outstanding_work.untracked, execution::blocking.never));
  }

  /// The level, by boost::asio::query().
  priority query(priority_t) const noexcept { return level_; }

  /// Always blocking.never.
  static constexpr boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) noexcept
  {
    return boost::asio::execution::blocking_t::never_t();
  }

  /// The allocator, by boost::asio::query().
  template <typename Other>
  Allocator query(boost::asio::execution::allocator_t<Other>) const noexcept
  {
    return allocator_;
  }

  /// Whatever else the context's executor can be asked for, such as the context.
  template <typename Property>
  auto query(const Property& property) const
    noexcept(boost::asio::is_nothrow_query<const InnerExecutor&, Property>::value)
      -> std::enable_if_t<priorities::is_forwarded<Property> &&
                            boost::asio::can_query<const InnerExecutor&, Property>::value,
                          typename boost::asio::query_result<const InnerExecutor&, Property>::type>
  {
    return boost::asio::query(inner_, property);
  }

  /// A copy with another level, by boost::asio::require().
  prioritized_executor require(priority_t property) const noexcept
  {
    return prioritized_executor(inner_, property.level, allocator_, *queues_);
  }

  /// The same executor.
  prioritized_executor require(boost::asio::execution::blocking_t::never_t) const noexcept { return *this; }

  /// A copy with another allocator.
  template <typename Other>
  prioritized_executor<InnerExecutor, Other>
  require(const boost::asio::execution::allocator_t<Other>& property) const noexcept
  {
    return prioritized_executor<InnerExecutor, Other>(inner_, level_, property.value(), *queues_);
  }

  /// A copy with the default allocator.
  prioritized_executor<InnerExecutor> require(const boost::asio::execution::allocator_t<void>&) const noexcept
  {
    return prioritized_executor<InnerExecutor>(inner_, level_, std::allocator<void>(), *queues_);
  }

  /// A copy over the context's executor with this property, such as outstanding_work.tracked.
  template <typename Property>
  auto require(const Property& property) const
    noexcept(boost::asio::is_nothrow_require<const InnerExecutor&, Property>::value) -> prioritized_executor<
      std::enable_if_t<priorities::is_forwarded<Property> &&
                         boost::asio::can_require<const InnerExecutor&, Property>::value,
                       std::decay_t<typename boost::asio::require_result<const InnerExecutor&, Property>::type>>,
      Allocator>
  {
    return {boost::asio::require(inner_, property), level_, allocator_, *queues_};
  }

  /// Whether functions of both wait in the same queue, stored and counted in the same way.
  friend bool operator==(const prioritized_executor& left, const prioritized_executor& right) noexcept
  {
    return left.level_ == right.level_ && left.inner_ == right.inner_ && left.allocator_ == right.allocator_;
  }
  friend bool operator!=(const prioritized_executor& left, const prioritized_executor& right) noexcept
  {
    return !(left == right);
  }

private:
  template <typename OtherExecutor, typename OtherAllocator>
  friend class prioritized_executor;

  prioritized_executor(const InnerExecutor& inner, priority level, const Allocator& allocator,
                       priorities::queues& queues) noexcept
    : inner_(inner),
      level_(level),
      allocator_(allocator),
      queues_(&queues)
  {}

  InnerExecutor inner_;
  priority level_;
  Allocator allocator_;
  priorities::queues* queues_;
};

/// The executor by which functions of a context get a priority.
/**
 * @param executor An executor of an io_context or a thread_pool; or a prioritized one, or a strand over one, to get the
 * same with another level.
 * @returns A prioritized_executor<Executor>, or in the second case what boost::asio::require(executor,
 * priority_t{level}) returns.
 * @throws std::bad_alloc if the context's first queues cannot be made. Thread safe.
 */
template <typename Executor, std::enable_if_t<boost::asio::execution::is_executor<Executor>::value, int> = 0>
auto with_priority(const Executor& executor, priority level)
{
  if constexpr (boost::asio::can_require<const Executor&, priority_t>::value)
    return boost::asio::require(executor, priority_t{level});
  else
    return prioritized_executor<Executor>(executor, level);
}

/// The same for context.get_executor().
template <typename Context,
          std::enable_if_t<std::is_convertible<Context&, boost::asio::execution_context&>::value, int> = 0>
auto with_priority(Context& context, priority level)
{
  return with_priority(context.get_executor(), level);
}

} // namespace asio_proactor

#endif // ASIO_PROACTOR_PRIORITY_HPP
