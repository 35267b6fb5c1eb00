//
// asio_proactor/priorities/queues.hpp: the functions of one context that wait for their turn.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_PRIORITIES_QUEUES_HPP
#define ASIO_PROACTOR_PRIORITIES_QUEUES_HPP

#include <boost/asio/execution_context.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <array>
#include <cassert>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

namespace asio_proactor {

/// How many functions in a row may pass over one that waits at a lower level. See prioritized_executor.
constexpr std::size_t priority_patience = 16;

namespace priorities {

/// A function of any type, in memory that it frees itself: by call() or destroy(), one of them and once.
class waiting_function
{
public:
  waiting_function(const waiting_function&) = delete;
  waiting_function& operator=(const waiting_function&) = delete;

  virtual void call() = 0;
  virtual void destroy() noexcept = 0;

protected:
  waiting_function() = default;
  ~waiting_function() = default;

private:
  friend class function_queue;
  waiting_function* next_ = nullptr;
};

struct destroy_function
{
  void operator()(waiting_function* function) const noexcept { function->destroy(); }
};
using function_pointer = std::unique_ptr<waiting_function, destroy_function>;

/// What functions are stored with: for Asio's default allocator the memory that its threads keep for the next operation.
template <typename Allocator>
const Allocator& recycled(const Allocator& allocator) noexcept
{
  return allocator;
}
template <typename T>
boost::asio::recycling_allocator<T> recycled(const std::allocator<T>&) noexcept
{
  return {};
}

/// Owns the memory for a T until it is taken out.
template <typename T, typename Allocator>
class memory_for
{
public:
  using allocator_type = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;
  using traits = std::allocator_traits<allocator_type>;

  explicit memory_for(const Allocator& allocator) : allocator_(allocator), memory_(traits::allocate(allocator_, 1)) {}
  memory_for(const Allocator& allocator, T* memory) noexcept : allocator_(allocator), memory_(memory) {}
  ~memory_for()
  {
    if (memory_)
      traits::deallocate(allocator_, memory_, 1);
  }
  memory_for(const memory_for&) = delete;
  memory_for& operator=(const memory_for&) = delete;

  void* get() const noexcept { return memory_; }
  void release() noexcept { memory_ = nullptr; }

private:
  allocator_type allocator_;
  T* memory_;
};

template <typename Function, typename Allocator>
class waiting_function_of final : public waiting_function
{
public:
  template <typename Argument>
  static function_pointer make(Argument&& function, const Allocator& allocator)
  {
    memory_for<waiting_function_of, Allocator> memory(allocator);
    function_pointer made(new (memory.get()) waiting_function_of(std::forward<Argument>(function), allocator));
    memory.release();
    return made;
  }

  void call() override
  {
    function_pointer self(this);
    Function function(std::move(function_));
    // As everywhere in Asio, what the function starts can have the memory it was in.
    self.reset();
    std::move(function)();
  }

  void destroy() noexcept override
  {
    const memory_for<waiting_function_of, Allocator> memory(allocator_, this);
    this->~waiting_function_of();
  }

private:
  template <typename Argument>
  waiting_function_of(Argument&& function, const Allocator& allocator)
    : function_(std::forward<Argument>(function)),
      allocator_(allocator)
  {}
  ~waiting_function_of() = default;

  Function function_;
  Allocator allocator_;
};

template <typename Function, typename Allocator>
function_pointer make_function(Function&& function, const Allocator& allocator)
{
  const auto used = recycled(allocator);
  return waiting_function_of<std::decay_t<Function>, std::decay_t<decltype(used)>>::make(
    std::forward<Function>(function), used);
}

/// First in, first out.
class function_queue
{
public:
  function_queue() = default;
  function_queue(const function_queue&) = delete;
  function_queue& operator=(const function_queue&) = delete;
  ~function_queue()
  {
    while (!empty())
      pop();
  }

  bool empty() const noexcept { return !first_; }

  void swap(function_queue& other) noexcept
  {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
  }

  void push(function_pointer function) noexcept
  {
    waiting_function* const added = function.release();
    (first_ ? last_->next_ : first_) = added;
    last_ = added;
  }

  function_pointer pop() noexcept
  {
    assert(!empty());
    return function_pointer(std::exchange(first_, first_->next_));
  }

private:
  waiting_function* first_ = nullptr;
  waiting_function* last_ = nullptr; // only if there is a first
};

/// One queue for each level, and for every function in them a turn in the context's own queue. Thread safe.
class queues : public boost::asio::execution_context::service
{
public:
  inline static boost::asio::execution_context::id id;
  static constexpr std::size_t levels = 3; // the lower its number, the sooner

  explicit queues(boost::asio::execution_context& context) : boost::asio::execution_context::service(context) {}

  /// Queue a function, and a turn by context.execute(), which must not call what it is given before it returns.
  /** Neither is queued if that throws. After shutdown() the function is destroyed. */
  template <typename Executor>
  void add(std::size_t level, function_pointer function, const Executor& context)
  {
    assert(level < levels);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_shut_down_)
      return; // A parameter outlives the lock, so the function's destructor may come here again.
    // The turn may throw, so it comes first; the lock keeps another thread from taking it before the function is there.
    context.execute([this] { take_turn(); });
    levels_[level].functions.push(std::move(function));
  }

private:
  struct level_queue
  {
    function_queue functions;
    std::size_t passed_over = 0; // in a row, while functions waited
  };

  void take_turn() { take().release()->call(); }

  function_pointer take()
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    level_queue& chosen = choose();
    for (level_queue& each : levels_)
      if (!each.functions.empty())
        ++each.passed_over;
    chosen.passed_over = 0;
    return chosen.functions.pop();
  }

  level_queue& choose()
  {
    for (std::size_t level = 1; level < levels; ++level)
      if (levels_[level].passed_over >= priority_patience)
        return levels_[level];
    std::size_t level = 0;
    while (level + 1 < levels && levels_[level].functions.empty())
      ++level;
    assert(!levels_[level].functions.empty()); // there are as many turns as functions
    return levels_[level];
  }

  void shutdown() override
  {
    // Destroyed behind the lock, as what a function owns may add functions when it is destroyed.
    std::array<function_queue, levels> never_called;
    const std::lock_guard<std::mutex> lock(mutex_);
    is_shut_down_ = true;
    for (std::size_t level = 0; level < levels; ++level)
      never_called[level].swap(levels_[level].functions);
  }

  std::mutex mutex_; // all below
  bool is_shut_down_ = false;
  std::array<level_queue, levels> levels_;
};

} // namespace priorities
} // namespace asio_proactor

#endif // ASIO_PROACTOR_PRIORITIES_QUEUES_HPP
