//
// asio_proactor/context_pool.hpp: one context and one thread per processor, sharing nothing.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CONTEXT_POOL_HPP
#define ASIO_PROACTOR_CONTEXT_POOL_HPP

#include <asio_proactor/cpus.hpp>
#include <asio_proactor/pool/idleness.hpp>
#include <asio_proactor/pool/listener.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/system/error_code.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace asio_proactor {

/// How many contexts a pool has, and where their threads run.
struct context_pool_options
{
  /// Number of contexts. 0: one for each processor to be used, or fewer if the control group has a CPU limit.
  std::size_t contexts = 0;
  /// Where each context's thread may run. With placement::cpu there cannot be more of them than processors.
  placement place = placement::anywhere;
  /// The only processors to use, in the order in which contexts get them. Empty: usable_cpus().
  std::vector<int> cpus;
  /// With placement::cpu and placement::node: memory comes from the node of the thread that touches it first, even
  /// where numactl has given the process another policy.
  bool local_memory = true;
  /// Context 3's thread is named "context-3". With its number at most 15 bytes. Empty: threads are not named.
  std::string thread_name = "context";
};

/// How connections get to the contexts of a pool.
enum class spread
{
  /// Every context has an acceptor on the same endpoint (SO_REUSEPORT), and the kernel chooses one by a hash of the
  /// addresses. Cheapest; a few long-lived connections may be spread unevenly. Not for UNIX sockets. A second program
  /// of the same user can join in.
  reuse_port,
  /// One context accepts and hands the sockets out in turns, itself included: even, for a small cost per connection.
  hand_over
};

/// What context_pool::serve() does apart from calling the handler.
struct serve_options
{
  /// Told why a connection was not accepted, or could not be handed over. Called by the thread of the context in
  /// question, so it may run on several threads at once. Empty: nobody is told.
  std::function<void(const boost::system::error_code&)> on_error;
  /// How long to wait after an error such as no_descriptors before the next attempt. The connections wait in the kernel
  /// meanwhile.
  std::chrono::milliseconds pause_after_error{100};
  /// Connections that may wait to be accepted, per acceptor.
  int backlog = boost::asio::socket_base::max_listen_connections;
};

/// As many io_contexts as processors, each run by a thread of its own, for programs that share nothing between them.
/**
 * Everything of one connection happens on one thread: no strands and no locks, and nothing that processors would fetch
 * from each other. A constructed pool runs. Each context has the concurrency hint 1; other threads may post to it as to
 * any io_context, and sockets and timers are made on it as usual: `tcp::socket(pool.next())`.
 *
 * *Lifetimes.* A context is made by its own thread, after that has been placed, so its memory is of the thread's node.
 * Contexts live until the pool's destructor, and so do handlers that were never called. The destructor first ends all
 * threads, then destroys those handlers, of all contexts, and only then the first context: a handler of one context may
 * own a socket of another. Sockets and timers outside of handlers have to be gone before the pool.
 *
 * *The end.* shutdown() closes the acceptors and lets the contexts finish what they have, for a while; stop() does not
 * let them. Both return at once and may be called by any thread, handlers included. join() waits for the end. A pool
 * cannot be started again, and stop() and restart() of one of its contexts are not for the program.
 *
 * *Exceptions.* An exception that leaves a handler stops all contexts, and join() throws the first one.
 *
 * *Threads.* All members are thread safe, but for the destructor; neither that nor join() may be called by a thread of
 * the pool. fork(2) in a process with a pool is for exec only.
 *
 * Works on the drop-in and, linked with the target asio_proactor::asio_proactor only, on stock Asio.
 *
 * @code
 * asio_proactor::context_pool_options options;
 * options.place = asio_proactor::placement::cpu;
 * asio_proactor::context_pool pool(options);
 * pool.serve(tcp::endpoint(tcp::v4(), 8080), [](tcp::socket socket) {
 *   std::make_shared<connection>(std::move(socket))->start(); // on the thread that will run all its handlers
 * });
 * boost::asio::signal_set signals(pool.context(0), SIGINT, SIGTERM);
 * signals.async_wait([&pool](auto, int) { pool.shutdown(std::chrono::seconds(10)); });
 * pool.join();
 * @endcode
 */
class context_pool
{
public:
  /// Make the contexts and start their threads.
  /**
   * @throws std::invalid_argument if the options cannot be met here; the message says what could be. std::system_error
   * if a thread cannot be started or placed, or a context has no descriptors. No thread is left behind.
   */
  explicit context_pool(const context_pool_options& options = {});

  /// The same, with this many contexts and the other options at their defaults.
  explicit context_pool(std::size_t contexts);

  /// stop() and join(); an exception of a handler that join() has not thrown yet is lost.
  ~context_pool();

  context_pool(const context_pool&) = delete;
  context_pool& operator=(const context_pool&) = delete;

  /// The number of contexts: at least one, and always the same.
  std::size_t size() const noexcept { return members_.size(); }

  /// A context by its number. @throws std::out_of_range
  boost::asio::io_context& context(std::size_t number) { return *members_.at(number).context; }

  /// The same for a number that is known to be less than size().
  boost::asio::io_context& operator[](std::size_t number) noexcept { return *members_[number].context; }

  /// The contexts in turns, over all callers.
  boost::asio::io_context& next() noexcept { return (*this)[turn_.fetch_add(1, std::memory_order_relaxed) % size()]; }

  /// The context of the pool, any pool, that the calling thread runs; null for other threads.
  static boost::asio::io_context* this_context() noexcept { return this_thread().context; }

  /// The number of that context in its pool: an index for what a program keeps per context. Nothing for other threads.
  static std::optional<std::size_t> this_number() noexcept;

  /// The processors that a context's thread may run on, as they were asked for. Empty: nothing was asked for.
  /** @throws std::out_of_range */
  const std::vector<int>& cpus(std::size_t number) const { return members_.at(number).cpus; }

  /// Have every context call a copy of function(context), on its own thread, as boost::asio::post() does.
  template <typename Function>
  void post_to_all(const Function& function);

  /// Listen, and call a handler for every connection.
  /**
   * @param where A TCP or UNIX-socket endpoint. With port 0 the kernel chooses one, the same for all acceptors. The
   * file of a UNIX socket is the caller's to remove, before and after.
   * @param handler Called as handler(socket) on the thread that runs socket.get_executor()'s context; the socket's type
   * is Endpoint::protocol_type::socket. Each context gets a copy of its own, made here, and never calls it twice at
   * once: what a copy owns needs no lock. Destroyed with the pool.
   * @param how spread::hand_over: the context that accepts is next().
   * @returns The endpoint that is listened on, with its port.
   * @throws boost::system::system_error if that is not possible; the message names the endpoint. std::invalid_argument
   * for spread::reuse_port on a UNIX socket. std::logic_error after shutdown(), stop() or join(). Nothing listens then.
   *
   * Listening has begun when this returns, and goes on until shutdown(); after stop(), until join() returns. Errors of
   * accepting never end it. Connections that nobody has accepted by then are reset by the kernel.
   */
  template <typename Endpoint, typename Handler>
  Endpoint serve(const Endpoint& where, Handler handler, spread how = spread::reuse_port, serve_options options = {});

  /// Begin to end in order: close the acceptors, let the contexts run out of work, stop what lasts longer.
  /**
   * @param grace How long to let them, from now on; kept by who is in join(), and counted anew by a further call.
   * Nothing: as long as it takes. An acceptor is closed by the thread of its context, behind the handlers that are due
   * there.
   */
  void shutdown(std::optional<std::chrono::steady_clock::duration> grace = std::nullopt);

  /// Have every run() return behind the handler that it is calling. What has not been called by then never is.
  void stop();

  /// Whether the contexts have been stopped: by stop(), by an exception, or because they had run out of work.
  bool stopped() const noexcept { return stopped_; }

  /// Wait for the end: until all contexts are out of work at the same time, or have been stopped.
  /**
   * Contexts that are out of work wait for the others, which may post to them. What is being served is work, so a
   * server can call this right after serve(). Threads outside the pool that still want to post need a work guard. When
   * this returns no thread of the pool runs and nothing listens. Can be called again, and by several threads.
   *
   * @returns Whether all work was done; false if something was stopped.
   * @throws The first exception that has left a handler. std::system_error with resource_deadlock_would_occur if called
   * by a thread of the pool.
   */
  bool join();

private:
  using work_guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;

  struct shared_nothing_context : boost::asio::io_context
  {
    using boost::asio::io_context::io_context;
    using boost::asio::io_context::shutdown;
  };

  struct member
  {
    std::vector<int> cpus;
    std::unique_ptr<shared_nothing_context> context;
    std::optional<work_guard> guard; // until join()
    std::thread thread;
    std::size_t wake_ups = 0; // handlers called that were nobody's work
  };

  // What a thread of a pool knows of itself.
  struct whereabouts
  {
    const context_pool* pool = nullptr;
    boost::asio::io_context* context = nullptr;
    std::size_t number = 0;
  };

  using places = std::vector<std::vector<int>>;
  using listeners = std::vector<std::shared_ptr<pool::listener_base>>;

  explicit context_pool(const places& of_threads);
  static places place(const context_pool_options& options);
  static std::string name_of(std::size_t number, const context_pool_options& options);
  void start(const context_pool_options& options);
  void run_thread(std::size_t number, const context_pool_options& options);
  bool prepare(std::size_t number, const context_pool_options& options);
  void run_until_done(std::size_t number);
  void rest(std::size_t number, std::uint64_t period);
  static bool has_worked(member& each, std::size_t handlers);
  bool is_to_run(member& each);
  void all_work_is_done();
  void fail(std::exception_ptr failure);

  template <typename Endpoint>
  static auto listen(boost::asio::io_context& on, const Endpoint& where, bool shares_port, int backlog);
  void add(const listeners& more);

  void release_guards();
  void wait_for_threads();
  void join_threads();
  static whereabouts& this_thread() noexcept;

  std::vector<member> members_;
  std::atomic<std::size_t> turn_{0};
  std::atomic<bool> stopped_{false};
  pool::common_idleness idleness_;

  std::mutex mutex_; // all below
  std::condition_variable changed_;
  std::size_t prepared_ = 0;
  std::size_t running_ = 0;
  bool accepts_listeners_ = true;
  bool work_is_done_ = false;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  std::exception_ptr failure_;
  listeners listeners_;
  std::mutex joining_; // one thread at a time joins those of the pool
};

} // namespace asio_proactor

#include <asio_proactor/pool/impl/context_pool.hpp>

#endif // ASIO_PROACTOR_CONTEXT_POOL_HPP
