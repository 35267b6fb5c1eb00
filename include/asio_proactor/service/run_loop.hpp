//
// asio_proactor/service/run_loop.hpp: the event loop of one context: ready handlers, timers, and who waits in the kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_RUN_LOOP_HPP
#define ASIO_PROACTOR_SERVICE_RUN_LOOP_HPP

#include <asio_proactor/core/biased_mutex.hpp>
#include <asio_proactor/core/parking_spot.hpp>
#include <asio_proactor/core/proactor.hpp>
#include <asio_proactor/service/asio_internals.hpp>
#include <asio_proactor/service/context_options.hpp>
#include <asio_proactor/service/handler_clock.hpp>
#include <asio_proactor/service/inbox.hpp>
#include <asio_proactor/service/linger_watch.hpp>
#include <asio_proactor/service/own_queue.hpp>
#include <asio_proactor/service/waking_policy.hpp>
#include <asio_proactor/service/work_count.hpp>
#include <atomic>
#include <boost/asio/detail/thread_context.hpp>
#include <boost/asio/detail/thread_info_base.hpp>
#include <boost/asio/detail/timer_queue_set.hpp>
#include <boost/asio/detail/throw_exception.hpp>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace asio_proactor::service {

/// Throws std::logic_error: stock and drop-in object files were linked together, which the One Definition Rule forbids.
[[noreturn]] inline void report_mixed_program()
{
  asio_detail::throw_exception(std::logic_error(
    "asio_proactor: part of this program was compiled without the drop-in; every file that includes Boost.Asio or "
    "Beast needs -include asio_proactor/drop_in.hpp or the CMake target asio_proactor::drop_in"));
  std::abort();
}

/// Runs handlers. The behaviour is that of Asio's scheduler; the work is done in turns of a proactor.
/**
 * Of the threads inside run(), one at a time is the *leader*: it takes a turn, which submits what the handlers started,
 * waits for completions or the next timer, and brings back handlers. The others run handlers or idle. A thread that is
 * alone holds the bias of the mutex, which makes every lock below a few plain loads and stores. Of several threads each
 * has a queue of its own for what its handlers post and for a small share of what is ready, so that they seldom meet at
 * the mutex; who has nothing to do takes from the others.
 *
 * A loop without a proactor (nothing but posted handlers) waits in a parking spot instead of the kernel's queue.
 */
class run_loop : public asio_detail::thread_context
{
public:
  using operation = asio_detail::scheduler_operation;
  using queue = asio_detail::op_queue<operation>;
  using guard = core::biased_mutex::guard;

  /// @param owner What handlers' operations are told to be run by: the address of the scheduler they know.
  /// @param own_thread Whether the loop is to run itself, in a thread that ends with shutdown().
  run_loop(void* owner, bool own_thread, wait_options waits = {});
  ~run_loop();

  run_loop(const run_loop&) = delete;
  run_loop& operator=(const run_loop&) = delete;

  // --- What Asio's front ends and executors call ----------------------------------------------------------------

  std::size_t run();
  std::size_t run_one();
  std::size_t wait_one(long limit_us);
  std::size_t poll();
  std::size_t poll_one();

  void stop();
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  void restart() { stopped_.store(false, std::memory_order_release); }

  void work_started();
  void work_finished();

  /// Whether the calling thread is inside one of the functions that run handlers.
  bool can_dispatch() { return this_thread() != nullptr; }
  void capture_current_exception();

  /// Queue an operation whose work is not counted yet. Any thread.
  void post_immediate_completion(operation* op, bool is_continuation);
  void post_immediate_completions(std::size_t n, queue& ops, bool is_continuation);

  /// Queue operations whose work is counted already. Any thread.
  void post_deferred_completion(operation* op);
  void post_deferred_completions(queue& ops);

  /// Destroy operations without calling their handlers.
  void abandon_operations(queue& ops);

  /// Join the loop's own thread and destroy every handler that is still queued.
  void shut_down();

  /// Whether this object was made by the constructor above, and not by that of Asio's own scheduler.
  bool is_genuine() const { return genuine_mark_ == genuine_mark_value; }

  // --- What the engine calls ------------------------------------------------------------------------------------

  core::biased_mutex& mutex() { return mutex_; }

  /// Whether several threads are inside. The answer may be out of date.
  bool several_run() const { return several_run_.load(std::memory_order_relaxed); }

  /// Wait in this proactor from now on.
  void attach(core::proactor& p);
  void detach();

  /// End the loop's own thread, if it has one; nobody runs handlers then.
  void join_own_thread();

  asio_detail::timer_queue_set& timers() { return timers_; }

  /// Tell the leader, if it sleeps, that there is something new for it: an operation, a cancellation, a timer.
  void wake_leader();

  /// The same after an operation was started. Where the leader sleeps a running thread submits it itself, at once: its
  /// handler may be about to wait for the result. So does anybody while no thread runs the loop, for its effect.
  /// Where a handler may go on for long afterwards, what others can see of its effect does not wait for the next turn either.
  void operation_was_started(guard& held, core::direction d, core::operation& op);

  /// The same after something was started that belongs to no handler.
  void watch_was_started(guard& held, core::direction d);

  /// Queue an operation whose work is counted already behind all that is ready. Any thread, without the lock.
  void push_behind(operation* op);

  /// Queue operations whose work is counted already, with the lock held, and see to it that somebody runs them.
  void push_ready(guard& held, queue& ops);

private:
  static constexpr std::uint64_t genuine_mark_value = 0x6173696f5f707263; // "asio_prc"

  // Marks the place in the ready queue where a turn is due, so that handlers and I/O get their share.
  struct turn_marker : operation
  {
    turn_marker() : operation(nullptr) {}
  };

  class leadership;
  class runner;
  struct thread_info;
  struct work_cleanup;

  thread_info* this_thread();
  core::proactor* proactor() const { return proactor_.load(std::memory_order_acquire); }

  // Runs at most one handler; leaves the guard unlocked if it did. A limit that passes ends the call.
  std::size_t do_one(guard& held, thread_info& info, std::int64_t limit_ns);
  operation* next_alone(thread_info& info);
  bool run_alone(guard& held, thread_info& info);
  void run_operation(guard& held, thread_info& info, operation* op);
  void call(thread_info& info, operation* op);
  void handler_is_over(thread_info& info);
  void note_end_of_handler();
  void tell_of_start(guard& held, core::direction d);
  void tell_of_write(guard& held, core::operation& op);

  // Runs the next handler of the thread's own queue, without the lock. Returns false when it is time to look at what is shared.
  bool run_own(thread_info& info);
  bool streak_is_over(thread_info& info);

  // With the lock held: from the shared queues to a thread's own, from other threads' queues to it, and back.
  void take_share(thread_info& info);
  void take_from_the_stuck(thread_info& info);
  operation* take_from_own_queues(thread_info& info);
  void take_back(thread_info& info);
  bool handlers_are_in_own_queues();
  void report_ends(guard& held, thread_info& info);
  std::size_t do_many(std::int64_t limit_ns);
  std::size_t do_single(std::int64_t limit_ns);

  // Whether requests have been waiting for too long behind a queue of slow handlers.
  bool turn_is_overdue();
  bool turn_has_a_purpose(bool would_wait);
  void take_turn(guard& held, thread_info& info, std::int64_t limit_ns);
  void wait_in_kernel(guard& held, thread_info& info, core::wait_limit limit);
  // Kept out of line: a thread that runs alone does not come here.
  void collect_as_one_of_several(guard& held, thread_info& info, core::driver& d);
  // Returns a handler that this thread is to run next, or null.
  operation* make_due_calls(guard& held, thread_info& info);
  void fire_watches(guard& held);
  void wait_in_parking_spot(guard& held, core::wait_limit limit);
  void gather_completions();
  void keep_completions(thread_info& info);
  void idle(guard& held, std::int64_t limit_ns);

  static constexpr std::int64_t watch_period_ns = 1000 * 1000;

  // The one idle thread that looks for work now and then while the others are thrifty with waking.
  enum class watch_end
  {
    thrift_is_over,
    there_may_be_work
  };
  watch_end watch_others(std::unique_lock<core::light_mutex>& lock, std::int64_t limit_ns);
  bool anything_waits();
  std::uint32_t spared_wakes() const;

  core::wait_limit shorten_wait(std::int64_t limit_ns);
  // Returns whether no handler was pushed before the announcement.
  bool announce_sleep();
  bool may_sleep_after_announcement();
  void take_inbox();
  void raise_ready_estimate(unsigned count);
  void push_ready_from_running_thread(operation* op, bool is_continuation);
  void push_from_running_thread(operation* op, bool is_continuation);
  // Kept out of line: a thread that runs alone does not come here.
  void push_own(operation* op, bool is_continuation);
  // One at a time: who wakes up and finds more than it can run wakes the next.
  void wake_one(guard& held);
  // Unless the few short handlers that wait are better left to this thread; somebody looks for them soon then.
  void wake_one_if_worth_it(guard& held, thread_info& info);
  void wake_one_if_worth_it(thread_info& info); // Takes the lock if there is somebody to wake.
  bool spares_wake(thread_info& info);
  // Whether a thread sleeps and nobody is waking one. After a push to an own queue the answer is not out of date.
  bool is_to_wake_somebody() const;
  void stop_all(guard& held);

  // Destroys whatever is queued, without calling it, and takes the marker out.
  void destroy_handlers();

  // The calling thread runs the loop alone and counts its work without atomic operations.
  bool counts_locally() const { return mutex_.biased_to_this_thread() && work_is_local_; }
  void stop_counting_locally(guard& held);
  bool nothing_is_left() const;

  // The cold part of every turn: a second thread has come, or this one has proved worth a driver of its own.
  void adapt_driver(guard& held);
  void give_up_fast_driver(guard& held);
  bool is_to_give_up_being_alone() const;

  // First, so that it lies within any scheduler that the linker may have picked instead.
  const std::uint64_t genuine_mark_ = genuine_mark_value;
  mutable core::biased_mutex mutex_;
  queue ready_;
  turn_marker marker_;
  void* const owner_;
  const wait_options waits_;
  inbox inbox_;
  work_count work_;
  asio_detail::timer_queue_set timers_;
  std::atomic<core::proactor*> proactor_{nullptr};
  core::parking_spot parking_spot_;
  std::condition_variable_any idle_condition_; // For threads that find a leader already there.
  std::atomic<bool> leader_sleeps_{false};     // Set under the lock, cleared by whoever wakes it, or by the leader.
  std::atomic<bool> stopped_{false};
  bool leader_is_there_ = false;
  bool shut_down_ = false;
  bool work_is_local_ = false; // Read and written by the thread with the bias only.
  bool unsent_is_timed_ = false;
  std::uint64_t unsent_since_ = 0;
  std::uint64_t turns_ = 0;               // Taken by the thread that runs alone since it came in.
  std::atomic<unsigned> idle_threads_{0}; // Changed under the lock.
  std::atomic<bool> somebody_wakes_up_{false};
  std::atomic<bool> several_run_{false};
  std::atomic<bool> is_watched_{false}; // By an idle thread, so that nobody has to be woken. Changed under the lock.
  waking_policy waking_;
  linger_watch lingering_;
  std::uint32_t leaderships_ = 0; // Turns that have begun.
  std::atomic<unsigned> ready_estimate_{
    0}; // How many handlers are in the ready queue, or a few more. Written under the lock.
  unsigned runners_ = 0;
  thread_info* inside_ = nullptr; // One for each call of run() and its like, nested ones included.
  std::thread own_thread_;
};

} // namespace asio_proactor::service

#include <asio_proactor/service/impl/run_loop.hpp>

#endif // ASIO_PROACTOR_SERVICE_RUN_LOOP_HPP
