//
// asio_proactor/core/timer_wheel.hpp: an ordered set of points in time, for many timers that rarely expire.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_TIMER_WHEEL_HPP
#define ASIO_PROACTOR_CORE_TIMER_WHEEL_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace asio_proactor::core {

/// A time in a timer_wheel. Its owner keeps it where it is while it is in.
class timer_entry
{
public:
  timer_entry() = default;
  timer_entry(const timer_entry&) = delete;
  timer_entry& operator=(const timer_entry&) = delete;

  bool is_in() const { return place_ != nowhere; }
  std::int64_t time_ns() const { return time_ns_; }

private:
  template <class Allocator>
  friend class timer_wheel;

  static constexpr std::uint32_t nowhere = ~std::uint32_t{0};
  static constexpr std::uint32_t in_heap = nowhere - 1;

  timer_entry** link_ = nullptr; // What points at it: the entry before it in its slot, or the slot.
  union
  {
    timer_entry* next_;
    std::size_t index_; // In the heap.
  };
  std::int64_t time_ns_ = 0;
  std::uint32_t place_ = nowhere; // Or the number of its slot.
};

/// What is due within a tick of about a millisecond is in a binary heap, all else in lists: a hierarchical timing wheel.
/**
 * To insert and to erase what is further away takes a few writes, however many there are. The slots of level 0 are ticks; a slot of
 * each further level covers 64 of the level below. An entry is at the level of the highest digit, to the base of 64, in which its
 * tick differs from the current one, so everything at a level is earlier than everything at the next. When the time comes to
 * a slot, its entries move to lower levels or to the heap, which gives them out in exact order.
 *
 * Memory is allocated by insert() only. Not thread safe.
 */
template <class Allocator>
class timer_wheel
{
public:
  static constexpr std::int64_t never = (std::numeric_limits<std::int64_t>::max)();

  /// @param now_ns The better it is known the fewer moves there are. @param room For so many no memory is allocated later.
  explicit timer_wheel(std::int64_t now_ns, const Allocator& allocator = Allocator(), std::size_t room = 0)
    : current_(tick_of(now_ns)),
      heap_(allocator)
  {
    heap_.reserve(room);
  }

  bool empty() const { return count_ == 0; }

  /// @throws std::bad_alloc, and has done nothing then.
  void insert(timer_entry& e, std::int64_t time_ns)
  {
    if (heap_.capacity() == count_)
      heap_.reserve((std::max)(2 * count_, smallest_heap));
    ++count_;
    e.time_ns_ = time_ns;
    place(e);
    if (time_ns < earliest_ns_)
      earliest_ns_ = time_ns;
  }

  void erase(timer_entry& e)
  {
    if (e.place_ == timer_entry::in_heap)
      erase_from_heap(e.index_);
    else
      unlink(e);
    e.place_ = timer_entry::nowhere;
    --count_;
    if (count_ == 0)
      earliest_ns_ = never;
    else if (e.time_ns_ == earliest_ns_)
      earliest_ns_ = unknown;
  }

  /// Put another entry, which is not in, into the place of one that is.
  void replace(timer_entry& e, timer_entry& other)
  {
    other.time_ns_ = e.time_ns_;
    other.place_ = std::exchange(e.place_, timer_entry::nowhere);
    if (other.place_ == timer_entry::in_heap)
    {
      put(e.index_, {other.time_ns_, &other});
      return;
    }
    other.link_ = e.link_;
    other.next_ = e.next_;
    *other.link_ = &other;
    if (other.next_)
      other.next_->link_ = &other.next_;
  }

  /// When to call pop_due() again. Nothing is due before, though at that time perhaps nothing is, either.
  std::int64_t next_ns()
  {
    if (earliest_ns_ == unknown)
      earliest_ns_ = find_earliest();
    return earliest_ns_;
  }

  /// Take out the earliest of those that are due. Null if there is none.
  timer_entry* pop_due(std::int64_t now_ns)
  {
    if (tick_of(now_ns) > current_)
      advance(tick_of(now_ns));
    if (heap_.empty() || now_ns < heap_.front().time_ns)
    {
      if (now_ns >= earliest_ns_)
        earliest_ns_ = unknown;
      return nullptr;
    }
    timer_entry* due = heap_.front().entry;
    erase(*due);
    return due;
  }

  /// Take out any of them, whenever it is due. Null if there is none.
  timer_entry* pop_any()
  {
    if (count_ == 0)
      return nullptr;
    timer_entry* any = heap_.empty() ? slots_[earliest_slot()] : heap_.front().entry;
    erase(*any);
    return any;
  }

private:
  struct heap_item
  {
    std::int64_t time_ns;
    timer_entry* entry;
  };

  using heap_allocator = typename std::allocator_traits<Allocator>::template rebind_alloc<heap_item>;

  static constexpr unsigned bits_of_tick = 20; // A tick is 2 to the 20 nanoseconds.
  static constexpr unsigned bits_of_level = 6;
  static constexpr unsigned slots_of_level = 1u << bits_of_level;
  static constexpr unsigned levels = (64 - bits_of_tick + bits_of_level - 1) / bits_of_level;
  // Times may be negative, ticks are not.
  static constexpr std::int64_t first_tick = (std::numeric_limits<std::int64_t>::min)() >> bits_of_tick;
  static constexpr std::size_t smallest_heap = 16;
  // So many are looked at to find out which of a slot is the earliest. Of more it is enough to know when the slot begins.
  static constexpr int most_to_look_at = 16;
  static constexpr std::int64_t unknown = (std::numeric_limits<std::int64_t>::min)();

  using tick = std::uint64_t;

  static tick tick_of(std::int64_t time_ns) { return static_cast<tick>((time_ns >> bits_of_tick) - first_tick); }

  static std::int64_t begin_of(tick t)
  {
    return (static_cast<std::int64_t>(t) + first_tick) * (std::int64_t{1} << bits_of_tick);
  }

  static unsigned lowest_bit(std::uint64_t bits) { return static_cast<unsigned>(__builtin_ctzll(bits)); }
  static unsigned highest_bit(std::uint64_t bits) { return 63u - static_cast<unsigned>(__builtin_clzll(bits)); }

  void place(timer_entry& e)
  {
    const tick t = tick_of(e.time_ns_);
    if (t <= current_)
      return push_heap(e);
    const unsigned level = highest_bit(t ^ current_) / bits_of_level;
    const auto slot = static_cast<unsigned>(t >> (level * bits_of_level)) % slots_of_level;
    occupied_[level] |= std::uint64_t{1} << slot;
    e.place_ = level * slots_of_level + slot;
    timer_entry*& first = slots_[e.place_];
    e.link_ = &first;
    e.next_ = first;
    if (first)
      first->link_ = &e.next_;
    first = &e;
  }

  void unlink(timer_entry& e)
  {
    *e.link_ = e.next_;
    if (e.next_)
      e.next_->link_ = e.link_;
    else if (!slots_[e.place_])
      occupied_[e.place_ / slots_of_level] &= ~(std::uint64_t{1} << e.place_ % slots_of_level);
  }

  // There is one.
  unsigned earliest_slot() const
  {
    unsigned level = 0;
    while (occupied_[level] == 0)
      ++level;
    return level * slots_of_level + lowest_bit(occupied_[level]);
  }

  tick first_tick_of(unsigned slot) const
  {
    const unsigned shift = slot / slots_of_level * bits_of_level;
    const tick above = current_ >> shift >> bits_of_level;
    return (above * slots_of_level + slot % slots_of_level) << shift;
  }

  std::int64_t find_earliest() const
  {
    if (!heap_.empty())
      return heap_.front().time_ns;
    if (count_ == 0)
      return never;
    const unsigned slot = earliest_slot();
    std::int64_t earliest = never;
    int looked_at = 0;
    for (const timer_entry* each = slots_[slot]; each; each = each->next_)
    {
      if (++looked_at > most_to_look_at)
        return begin_of(first_tick_of(slot));
      earliest = (std::min)(earliest, each->time_ns_);
    }
    return earliest;
  }

  // Everything up to this tick is in the heap then.
  void advance(tick now)
  {
    while (count_ != heap_.size())
    {
      const unsigned slot = earliest_slot();
      if (first_tick_of(slot) > now)
        break;
      current_ = first_tick_of(slot);
      occupied_[slot / slots_of_level] &= ~(std::uint64_t{1} << slot % slots_of_level);
      for (timer_entry* each = std::exchange(slots_[slot], nullptr); each;)
        place(*std::exchange(each, each->next_));
    }
    current_ = now;
  }

  // --- The heap ---------------------------------------------------------------------------------------------------

  void push_heap(timer_entry& e)
  {
    e.place_ = timer_entry::in_heap;
    heap_.push_back({e.time_ns_, &e});
    move_up(heap_.size() - 1, heap_.back());
  }

  void erase_from_heap(std::size_t index)
  {
    const heap_item last = heap_.back();
    heap_.pop_back();
    if (index == heap_.size())
      return;
    if (index != 0 && last.time_ns < heap_[(index - 1) / 2].time_ns)
      move_up(index, last);
    else
      move_down(index, last);
  }

  void put(std::size_t index, const heap_item& item)
  {
    heap_[index] = item;
    item.entry->index_ = index;
  }

  void move_up(std::size_t index, const heap_item item)
  {
    for (; index != 0; index = (index - 1) / 2)
    {
      const heap_item& parent = heap_[(index - 1) / 2];
      if (item.time_ns >= parent.time_ns)
        break;
      put(index, parent);
    }
    put(index, item);
  }

  void move_down(std::size_t index, const heap_item item)
  {
    for (std::size_t child; (child = 2 * index + 1) < heap_.size(); index = child)
    {
      child += child + 1 < heap_.size() && heap_[child + 1].time_ns < heap_[child].time_ns;
      if (item.time_ns <= heap_[child].time_ns)
        break;
      put(index, heap_[child]);
    }
    put(index, item);
  }

  tick current_; // What is in a slot has a later one.
  std::size_t count_ = 0;
  std::int64_t earliest_ns_ = never;            // Of all, or a time before it.
  std::vector<heap_item, heap_allocator> heap_; // Has room for all, as nothing may fail once an entry is in.
  std::uint64_t occupied_[levels] = {};
  timer_entry* slots_[levels * slots_of_level] = {};
};

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_TIMER_WHEEL_HPP
