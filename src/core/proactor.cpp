//
// core/proactor.cpp: operations from their start to their end.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#include <asio_proactor/core/proactor.hpp>

#include "retry.hpp"

#include <cassert>
#include <cerrno>
#include <utility>

namespace asio_proactor::core {

namespace {

// Stock Asio tries a transfer inside the initiating function, so one that is cancelled right behind its start gets its
// chance: the request goes out, and its cancellation behind it. Of waits and connects nobody sees the difference.
bool deserves_an_attempt(const operation& op)
{
  return op.object_ && !op.restarted_ && op.direction_ != direction::readiness && op.code_ != opcode::connect;
}

// An operation and those that stand in line behind it.
unsigned line_behind(operation& first, operation* (&line)[longest_line])
{
  unsigned count = 0;
  line[count++] = &first;
  for (operation* op = first.object_next_; op && count < longest_line; op = op->object_next_)
  {
    if (op->direction_ != first.direction_ || op->progress_ != progress::waiting)
      continue;
    if (!is_socket_transfer(op->code_))
      break;
    line[count++] = op;
  }
  return count;
}

// The operations of a direction that one turn carries out, where others wait for theirs: a full queue must not have it all.
constexpr int most_calls_of_an_event = 64;

} // namespace

proactor::proactor(const std::string& configured_driver) : proactor(choose_driver(configured_driver)) {}

proactor::proactor(std::unique_ptr<driver_factory> factory)
  : factory_(std::move(factory)),
    description_(factory_->describe()),
    fast_after_turns_(initial_fast_after_turns)
{
  // At once: who makes the first I/O object of a context can do something about a refusal, a running loop cannot.
  makes_calls_ = home().calls_in_submit();
}

proactor::~proactor()
{
  assert(in_kernel_[home_ring] == 0 && in_kernel_[fast_ring] == 0);
}

io_object* proactor::register_object(bool overlapping)
{
  io_object* object = objects_.take();
  object->overlapping_ = overlapping;
  return object;
}

void proactor::start(io_object& object, direction d, operation& op)
{
  if (!stand_in_line(object, d, op))
    return;
  op.progress_ = progress::pending;
  pending_.push(op);
}

// Returns whether nothing stands before it.
inline bool proactor::stand_in_line(io_object& object, direction d, operation& op)
{
  assert(op.progress_ == progress::idle);
  op.object_ = &object;
  op.direction_ = d;
  object.append(op);

  const std::uint8_t bit = object.bit_in_order(d);
  if (object.busy_.set(bit))
    return true;
  object.may_wait_ |= bit;
  op.progress_ = progress::waiting;
  return false;
}

void proactor::cancel(io_object& object)
{
  for_each_operation(object, [this](operation& op) { request_cancel(op); });
}

void proactor::cancel_by_key(io_object& object, void* key)
{
  any_operation(object, [&](operation& op) {
    if (cancellation_key_of(op) != key)
      return false;
    request_cancel(op);
    return true;
  });
}

void proactor::request_cancel(operation& op)
{
  op.cancel_requested_ = true;
  if (op.progress_ == progress::waiting)
    finish(op, -ECANCELED);
  else if (op.progress_ != progress::pending)
    queue_cancellation(*op.object_);
  // A pending one is seen to when its turn comes.
}

void proactor::queue_cancellation(io_object& object)
{
  if (object.cancel_queued_)
    return;
  object.cancel_queued_ = true;
  object.next_ = cancel_front_;
  cancel_front_ = &object;
}

// --- Ends ------------------------------------------------------------------------------------------------------------

void proactor::completed(operation& op, int result)
{
  --in_kernel_[op.ring_];
  io_object& object = *op.object_;
  --object.in_kernel_;
  // Something was transferred: there is nothing to be decided.
  if (result > 0 && op.progress_ == progress::in_kernel && op.code_ != opcode::poll)
    finish(op, result);
  else
    judge(op, object, result);
  give_back_if_over(object);
}

void proactor::judge(operation& op, const io_object& object, int result)
{
  const bool was_polling = op.progress_ == progress::polling && op.code_ != opcode::poll;
  // Without a wish to cancel: the thread that issued the request has exited, or the request moves to another driver.
  if (result == -ECANCELED || result == -EINTR)
    restart_unless_cancelled(op, op.poll_first_);
  else if (was_polling)
  {
    // A closed descriptor's number may belong to somebody else by now.
    if (op.cancel_requested_ && (object.closing_ || op.result_is_moot_))
      finish(op, -ECANCELED);
    else if (std::optional<int> attempted = attempt_without_blocking(op))
      finish(op, *attempted);
    else
      restart_unless_cancelled(op, true);
  }
  else if (wants_readiness(op, result))
    restart_unless_cancelled(op, true);
  else if (is_to_be_repeated(op, result) && !op.cancel_requested_)
    restart_unless_cancelled(op, op.poll_first_);
  else
    finish(op, final_result(op, result));
}

void proactor::restart_unless_cancelled(operation& op, bool poll_first)
{
  if (op.cancel_requested_)
    return finish(op, -ECANCELED);
  op.poll_first_ = poll_first;
  op.restarted_ = true;
  op.cancel_sent_ = false;
  op.progress_ = progress::pending;
  pending_.push(op);
}

void proactor::finish(operation& op, int result)
{
  if (op.result_is_moot_)
    result = discard_result(op, result);
  op.result_ = result;
  if (op.object_)
    unlink(op);
  op.progress_ = progress::idle;
  (op.is_watch_ ? fired_watches_ : finished_).push(op);
}

void proactor::unlink(operation& op)
{
  io_object& object = *op.object_;
  operation* next = op.object_next_;
  object.remove(op);
  op.object_ = nullptr;
  if (op.progress_ == progress::waiting)
    return;
  const std::uint8_t bit = object.bit_in_order(op.direction_);
  if (object.may_wait_ & bit)
  {
    if (begin_next(op.direction_, next))
      return;
    object.may_wait_ &= static_cast<std::uint8_t>(~bit);
  }
  object.busy_.clear(bit);
}

// What stands in line was started later, and so is behind. Operations of other directions are passed over once.
bool proactor::begin_next(direction d, operation* next)
{
  while (next && (next->direction_ != d || next->progress_ != progress::waiting))
    next = next->object_next_;
  if (!next)
    return false;
  next->progress_ = progress::pending;
  (attempts_followers_ && is_socket_transfer(next->code_) ? followers_ : pending_).push(*next);
  return true;
}

void proactor::give_back_if_over(io_object& object)
{
  if (object.closing_ && object.in_kernel_ == 0 && !object.cancel_queued_)
    objects_.give_back(object);
}

// --- Requests --------------------------------------------------------------------------------------------------------

inline void proactor::count_in_kernel(operation& op, ring_index ring)
{
  op.ring_ = ring;
  ++op.object_->in_kernel_;
  ++in_kernel_[ring];
}

// Returns whether there was room for it.
inline bool proactor::stage_request(driver& d, ring_index ring, operation& op)
{
  op.progress_ = op.poll_first_ ? progress::polling : progress::in_kernel;
  if (!d.submit(op))
  {
    op.progress_ = progress::pending;
    return false;
  }
  count_in_kernel(op, ring);
  return true;
}

bool proactor::stage_requests(driver& d)
{
  const ring_index ring = ring_of(d);
  // Cancellations go first: what is started later may have the address of what is to be cancelled.
  if (!stage_cancellations())
    return false;
  while (operation* op = pending_.pop())
  {
    if (op->cancel_requested_ && !deserves_an_attempt(*op))
    {
      finish(*op, -ECANCELED);
      continue;
    }
    if (!stage_request(d, ring, *op))
    {
      pending_.push_front(*op);
      return false;
    }
    if (op->cancel_requested_)
      queue_cancellation(*op->object_);
  }
  return stage_cancellations();
}

bool proactor::stage_cancellations()
{
  while (io_object* object = cancel_front_)
  {
    if (!stage_cancellations_of(*object))
      return false;
    cancel_front_ = object->next_;
    object->cancel_queued_ = false;
    give_back_if_over(*object);
  }
  return true;
}

bool proactor::stage_cancellations_of(io_object& object)
{
  // Whatever finds no room ends it, for this turn.
  return !any_operation(
    object, [this](operation& op) { return op.cancel_requested_ && is_with_driver(op) && !stage_cancellation(op); });
}

bool proactor::stage_cancellation(operation& op)
{
  if (!op.cancel_sent_)
    op.cancel_sent_ = driver_at(static_cast<ring_index>(op.ring_))->cancel(op);
  return op.cancel_sent_;
}

driver& proactor::home()
{
  if (!home_)
  {
    home_ = factory_->create(driver_use::any_thread, wake_event_);
    if (std::error_code error = tell_registered_buffers(*home_))
      throw std::system_error(error, "asio_proactor: register buffers");
  }
  return *home_;
}

driver& proactor::driver_of_this_thread()
{
  return fast_ && may_enter(fast_ring) ? *fast_ : home();
}

bool proactor::has_news() const
{
  if (has_unsent() || !finished_.empty() || !fired_watches_.empty())
    return true;
  const driver* d = fast_ && may_enter(fast_ring) ? fast_.get() : home_.get();
  return d && d->has_news();
}

// A queue of requests is for many at once: a single read of what is in memory costs less as a call of its own.
void proactor::attempt_single_read(driver& d)
{
  operation* op = pending_.only();
  if (!op || op->cancel_requested_ || d.staged() != 0 || makes_calls_ || !is_positional_read(*op))
    return;
  if (const std::optional<int> result = d.attempt_cached_read(*op))
    finish(*pending_.pop(), *result);
}

proactor::turn proactor::prepare_turn(wait_limit& limit)
{
  driver& d = driver_of_this_thread();
  attempt_single_read(d);
  const bool all_staged = stage_requests(d);
  // What found no room goes with the next turn, and what is finished has a handler that waits: no time to sleep.
  if (!all_staged || !finished_.empty() || !fired_watches_.empty())
    limit.nanoseconds = wait_limit::no_wait;
  const bool enters = d.is_to_enter();
  if (enters)
    d.prepare_enter();
  return {d, enters};
}

template <class Collect>
void proactor::take_in(driver& d, Collect collect)
{
  attempts_followers_ = true;
  collect();
  attempt_followers(d);
  attempts_followers_ = false;
  if (!makes_calls_)
    return;
  // What stood behind the finished ones takes its share of the same event, as with stock Asio, and not one a turn.
  for (int i = 0; i < most_calls_of_an_event && !pending_.empty(); ++i)
  {
    stage_requests(d);
    collect();
  }
}

void proactor::collect(driver& d)
{
  take_in(d, [&] { d.collect(*this); });
}

void proactor::attempt_followers(driver& d)
{
  for (int i = 0; i < most_calls_of_an_event && !followers_.empty(); ++i)
    attempt_line(d, *followers_.pop());
  while (operation* op = followers_.pop())
    pending_.push(*op);
}

void proactor::attempt_line(driver& d, operation& first)
{
  io_object& object = *first.object_;
  if (object.skips_attempt())
    return pending_.push(first);
  operation* line[longest_line];
  int results[longest_line];
  const unsigned count = line_behind(first, line);
  const unsigned over = d.attempt_line(line, count, results);
  object.note_attempt(over != 0);
  if (over == 0)
    return pending_.push(first);
  // The first gives its place to the last, so that none of the others begins one that stands behind it.
  first.progress_ = progress::waiting;
  line[over - 1]->progress_ = progress::pending;
  attempts_followers_ = over == count;
  for (unsigned i = 0; i < over; ++i)
    finish(*line[i], results[i]);
  attempts_followers_ = true;
}

void proactor::submit_now(guard& held)
{
  assert(may_submit());
  for (bool all_staged = false; !all_staged;)
  {
    driver& d = driver_of_this_thread();
    all_staged = stage_requests(d);
    if (d.staged() == 0)
      continue;
    d.prepare_enter();
    held.unlock();
    d.enter(wait_limit{});
    held.lock();
    if (all_staged)
      continue;
    collect(d);
    // The leader may sleep, and what has finished is for it to see.
    wake();
  }
}

void proactor::submit_early(guard& held, operation& op, bool several_run)
{
  const bool makes_progress = !makes_calls_ && !fast_ && in_kernel_[home_ring] != 0;
  if (op.progress_ != progress::pending || op.poll_first_ || !may_submit() || (makes_progress && !several_run))
    return;
  driver& d = driver_of_this_thread();
  // As in every turn.
  if (!stage_cancellations())
    return;
  pending_.remove(op);
  if (!stage_request(d, ring_of(d), op))
    return pending_.push(op);
  if (d.staged() == 0)
    return;
  d.prepare_enter();
  held.unlock();
  d.flush();
  held.lock();
}

// --- Calls of several threads ------------------------------------------------------------------------------------------

bool proactor::may_be_attempted(const io_object& object, direction d, const operation& op) const
{
  return is_socket_transfer(op.code_) && !op.poll_first_ && !object.busy_.has(static_cast<std::uint8_t>(d));
}

bool proactor::attempt(operation& op)
{
  op.result_ = core::attempt(op);
  return !wants_readiness(op, op.result_);
}

bool proactor::start_after_attempt(io_object& object, direction d, operation& op, std::uint32_t news_before)
{
  if (!stand_in_line(object, d, op))
    return true;
  if (home_->hold_after_call(op, news_before))
  {
    op.progress_ = progress::in_kernel;
    count_in_kernel(op, home_ring);
    return true;
  }
  op.progress_ = progress::pending;
  pending_.push(op);
  return false;
}

void proactor::collect(driver& d, due_calls& left)
{
  if (!makes_calls_)
    return collect(d);
  d.take_due_calls(left);
  for (unsigned i = 0; i != left.count; ++i)
    left.ops[i]->progress_ = progress::in_call;
  // Otherwise make_calls() takes in what else there is.
  if (left.count == 0)
    take_in_calls(left);
}

void proactor::make_calls(guard& held, due_calls& calls)
{
  held.unlock();
  for (unsigned i = 0; i != calls.count; ++i)
    calls.results[i] = core::attempt(*calls.ops[i]);
  held.lock();
  for (unsigned i = 0; i != calls.count; ++i)
  {
    operation& op = *calls.ops[i];
    op.progress_ = progress::in_kernel;
    if (op.cancel_requested_ && wants_readiness(op, calls.results[i]))
      calls.results[i] = -ECANCELED;
  }
  take_in_calls(calls);
}

void proactor::take_in_calls(due_calls& calls)
{
  take_in(*home_, [&] {
    home_->collect_calls(calls, *this);
    calls.count = 0;
  });
}

// --- Registered buffers ------------------------------------------------------------------------------------------------

std::error_code proactor::register_buffers(const ::iovec* buffers, unsigned count)
{
  if (!registered_buffers_.empty())
    return std::make_error_code(std::errc::device_or_resource_busy);
  if (std::error_code error = home().register_buffers(buffers, count))
    return error;
  if (fast_)
    if (std::error_code error = fast_->register_buffers(buffers, count))
    {
      home_->unregister_buffers();
      return error;
    }
  registered_buffers_.assign(buffers, buffers + count);
  return {};
}

std::error_code proactor::tell_registered_buffers(driver& d)
{
  if (registered_buffers_.empty())
    return {};
  return d.register_buffers(registered_buffers_.data(), static_cast<unsigned>(registered_buffers_.size()));
}

void proactor::unregister_buffers()
{
  registered_buffers_.clear();
  if (home_)
    home_->unregister_buffers();
  if (fast_)
    fast_->unregister_buffers();
}

} // namespace asio_proactor::core
