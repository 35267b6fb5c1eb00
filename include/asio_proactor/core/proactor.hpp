//
// asio_proactor/core/proactor.hpp: the engine of one context: objects, operations, drivers.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_PROACTOR_HPP
#define ASIO_PROACTOR_CORE_PROACTOR_HPP

#include <asio_proactor/core/biased_mutex.hpp>
#include <asio_proactor/core/driver.hpp>
#include <asio_proactor/core/object_pool.hpp>
#include <asio_proactor/core/operation.hpp>
#include <asio_proactor/core/wake_event.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace asio_proactor::core {

/// Starts, orders, cancels and finishes the operations of one context, on drivers it creates as they are needed.
/**
 * It has a *home* driver, which any thread may enter, and, while exactly one thread is inside run(), a *fast* driver
 * that only this thread may enter (for io_uring: SINGLE_ISSUER and DEFER_TASKRUN). When a second thread comes, or the
 * one leaves, hand_over() moves what is in flight to the home driver: it is cancelled and submitted again, which loses
 * nothing, because a request has either completed or not begun.
 *
 * Functions that take a guard expect it locked, on the mutex given to the constructor, and leave it locked; those that
 * say so release it while they are in the kernel.
 */
class proactor : private completion_sink
{
public:
  using guard = biased_mutex::guard;

  /// @param configured_driver The driver that the program wants, if any: see choose_driver().
  /// @throws std::system_error when the machine offers no driver.
  explicit proactor(const std::string& configured_driver = {});

  /// On drivers of a given kind.
  /** @throws std::system_error when the kernel refuses one. */
  explicit proactor(std::unique_ptr<driver_factory> factory);

  /// Nothing may be in flight any more: see abandon_all().
  ~proactor();

  proactor(const proactor&) = delete;
  proactor& operator=(const proactor&) = delete;

  /// Take an object for a new descriptor.
  /** @param overlapping Whether operations of one direction may be in the kernel together (positional file access). */
  io_object* register_object(bool overlapping);

  /// Start an operation. It never finishes inside this call.
  void start(io_object& object, direction d, operation& op);

  /// Ask for the end of all operations of an object. They finish through take_finished().
  void cancel(io_object& object);

  /// Ask for the end of the operation of an object that carries the key, if it is still unfinished.
  void cancel_by_key(io_object& object, void* key);

  /// What becomes of the descriptor of a deregistered object.
  enum class descriptor_fate
  {
    closed,  ///< An operation that ends from now on was cancelled, even if the kernel was faster.
    released ///< It lives on elsewhere: data that an operation has taken is reported, or it would be lost.
  };

  /// Cancel all operations of an object, see to it that no request names its descriptor any more, and give it back.
  /**
   * A transfer that has not been handed over yet gets one attempt: what a program sends before it closes is sent.
   * When it returns the descriptor may be closed and its number reused. It enters the kernel only if an operation of
   * the object is there, and releases the guard meanwhile. A driver that this thread may not enter is given up waiting
   * for after a short time, which only a loop thread that is stuck in a handler can cause; the call then shuts down
   * the socket, so that the peer sees the end of the connection even so.
   */
  void deregister(guard& held, io_object& object, int fd, descriptor_fate fate);

  /// The program has changed the blocking mode of an object's descriptor.
  void mode_changed(int fd);

  /// Cancel whatever is unfinished, wait until the kernel has let go of it, and collect it for destruction.
  void abandon_all(guard& held, operation_queue& abandoned);

  // --- The loop: one thread at a time, the leader, takes turns of prepare_turn(), enter(), collect() -----------------

  /// The next finished operation whose handler is to be called, or null.
  operation* take_finished() { return finished_.pop(); }

  /// The next of the library's own watches that fired, or null. Its function is to be called without the lock.
  watch* take_fired_watch() { return static_cast<watch*>(fired_watches_.pop()); }

  /// Whether a turn without waiting would do something.
  bool has_news() const;

  /// Whether requests or cancellations wait for the next turn.
  bool has_unsent() const { return !pending_.empty() || cancel_front_; }

  /// What a turn does with which driver.
  struct turn
  {
    driver& of;
    bool enters; // Otherwise there is something to be collected already.
  };

  /// Turn what was started into requests. The limit becomes no_wait when there is something to do at once.
  turn prepare_turn(wait_limit& limit);

  /// Take in what the driver of the turn has finished.
  void collect(driver& d);

  /// The same by one of several threads, to which the driver leaves calls: see make_calls(). What is too much stays for the next turn.
  void collect(driver& d, due_calls& left);

  /// Hand over what was started, without waiting for the next turn. Releases the guard in between.
  /** Not while another thread has the fast driver. */
  void submit_now(guard& held);

  /// Hand over one operation that was just started, without anything else making progress by it. Releases the guard in between.
  /** Does nothing where that is not possible: another operation stands before it, or is where the kernel goes on with it at every
   * system call. Its bytes would be taken although a handler that is ready is going to cancel it. Several threads have to expect that anyway. */
  void submit_early(guard& held, operation& op, bool several_run);

  /// Whether this thread may use submit_now().
  bool may_submit() const { return !fast_ || may_enter(fast_ring); }

  /// Let what was started on the object have its effect before something else is done to its descriptor.
  /** Where only the loop thread can do that it is waited for, a short time. Releases the guard in between. */
  void submit_operations_of(guard& held, io_object& object);

  /// Make the leader return from its wait. Any thread, without the lock.
  void wake() noexcept { wake_event_.signal(); }

  // --- Where operations are system calls, a thread can make them without the lock ---------------------------------

  bool makes_calls() const { return makes_calls_; }

  /// Whether whoever is about to start an operation is to attempt it first. Nobody else may start one of the object meanwhile.
  /**
   * Of several threads each makes its own calls. One alone makes small ones together, with the next turn, and a large one at
   * once: after it nothing of what belongs to the operation is left in the cache.
   */
  bool is_attempted_by_starter(const io_object& object, direction d, const operation& op, bool several_run) const
  {
    return (several_run || may_transfer(op, large_transfer)) && may_be_attempted(object, d, op);
  }

  /// What to tell start_after_attempt(). Without the lock.
  std::uint32_t news_of(int fd) const { return home_->news_of(fd); }

  /// Make the attempt, without the lock. Returns whether the operation is over, and not to be started.
  static bool attempt(operation& op);

  /// In place of start(), when an attempt has found nothing. @p news_before is what news_of() was before it.
  /** Returns whether the operation waits for an event, and no turn has to be taken for it. */
  bool start_after_attempt(io_object& object, direction d, operation& op, std::uint32_t news_before);

  /// Make calls that collect() has left, without the lock, and take in what they have finished. Releases the guard in between.
  void make_calls(guard& held, due_calls& calls);

  // --- Who runs -------------------------------------------------------------------------------------------------

  /// The calling thread, which holds the bias of the mutex, is alone inside run(): after a while it gets a fast driver.
  /** To be called once per turn; @p turn counts them. */
  void consider_fast_driver(guard& held, std::uint64_t turn);

  /// Not only after a while, if it can be avoided: its requests make progress in enter() only. By the thread that holds the bias.
  void ask_for_fast_driver();

  /// Move everything in flight on the fast driver back to the home driver. Only the thread that got the fast driver.
  void hand_over(guard& held);

  bool fast_driver_in_use() const { return fast_ != nullptr; }

  // --- Fork -----------------------------------------------------------------------------------------------------

  void prepare_fork(guard& held);
  void after_fork_in_child();

  // --- Registered buffers ---------------------------------------------------------------------------------------

  std::error_code register_buffers(const ::iovec* buffers, unsigned count);
  void unregister_buffers();

  const driver_description& description() const { return description_; }

private:
  // Copying so many bytes leaves little else in a core's caches of the first two levels.
  static constexpr std::size_t large_transfer = std::size_t{64} * 1024;
  // A driver of its own costs a set-up and a move of everything in flight, there and back: a thread has to earn it.
  static constexpr std::uint64_t initial_fast_after_turns = 64;

  enum ring_index : std::uint8_t
  {
    home_ring,
    fast_ring,
    ring_count
  };

  // A driver's answer. Decides between done, once more, and wait for readiness first.
  void completed(operation& op, int result) override;
  void judge(operation& op, const io_object& object, int result);
  bool stand_in_line(io_object& object, direction d, operation& op);
  void count_in_kernel(operation& op, ring_index ring);
  void restart_unless_cancelled(operation& op, bool poll_first);
  void finish(operation& op, int result);
  void unlink(operation& op);
  bool begin_next(direction d, operation* next);

  // Marks; what a driver holds is told later, in one batch, by stage_cancellations().
  void request_cancel(operation& op);
  void queue_cancellation(io_object& object);
  void give_back_if_over(io_object& object);
  void detach_pending(io_object& object);

  // A cancellation can miss a request that is being carried out at that moment, so who waits asks again.
  void forget_sent_cancellations(io_object& object);

  // Translate wanted cancellations and started operations into requests. Return whether all found room.
  bool stage_requests(driver& d);
  bool stage_request(driver& d, ring_index ring, operation& op);
  bool stage_cancellations();
  bool stage_cancellations_of(io_object& object);
  bool stage_cancellation(operation& op);

  driver& home();
  driver& driver_of_this_thread();
  std::error_code tell_registered_buffers(driver& d);
  ring_index ring_of(const driver& d) const { return &d == fast_.get() ? fast_ring : home_ring; }
  driver* driver_at(ring_index ring) { return ring == fast_ring ? fast_.get() : home_.get(); }
  bool may_enter(ring_index ring) const { return ring == home_ring || fast_owner_ == &thread_marker; }
  bool may_be_attempted(const io_object& object, direction d, const operation& op) const;
  bool all_within_reach(const io_object& object) const;
  bool has_attempts_to_make(const io_object& object) const;
  bool is_in_call(const io_object& object) const;

  // What a driver has finished, or a thread in its place.
  template <class Collect>
  void take_in(driver& d, Collect collect);
  void take_in_calls(due_calls& calls);

  // Where the next of a line is there already, one call transfers what a request each would take a turn each for.
  void attempt_followers(driver& d);
  void attempt_line(driver& d, operation& first);

  void attempt_single_read(driver& d);

  // One request round trip; for the rare moments that cannot wait for the loop.
  void enter_and_collect(guard& held, ring_index ring, wait_limit limit);
  void drain(guard& held, io_object& object);
  template <class Condition>
  void wait_for_loop_thread(guard& held, Condition is_over);

  // Get everything out of one driver and back into pending_. Releases the guard in between.
  void empty_driver(guard& held, ring_index ring);
  bool stage_recall(ring_index ring);

  wake_event wake_event_;
  std::unique_ptr<driver_factory> factory_;
  driver_description description_;
  std::unique_ptr<driver> home_;
  bool makes_calls_ = false; // The drivers do, and so may others in their place.
  std::unique_ptr<driver> fast_;
  const void* fast_owner_ = nullptr; // thread_marker of the only thread that may enter fast_.
  std::uint64_t fast_after_turns_;   // A thread that has taken so many turns is worth a driver of its own.
  bool fast_is_refused_ = false;
  bool fast_is_asked_for_ = false;
  bool attempts_followers_ = false;
  operation_queue pending_;
  operation_queue followers_; // Begun while the driver's answers are taken in, and not yet attempted.
  operation_queue finished_;
  operation_queue fired_watches_;
  io_object* cancel_front_ = nullptr;
  std::uint32_t in_kernel_[ring_count] = {};
  std::vector<::iovec> registered_buffers_;
  object_pool<io_object> objects_;
};

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_PROACTOR_HPP
