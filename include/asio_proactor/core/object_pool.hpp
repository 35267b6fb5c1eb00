//
// asio_proactor/core/object_pool.hpp: recycled objects whose memory stays readable while the pool lives.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_OBJECT_POOL_HPP
#define ASIO_PROACTOR_CORE_OBJECT_POOL_HPP

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace asio_proactor::core {

/// Objects with a next_ link, which is the pool's while they are free. Memory goes back to the heap only with the pool.
template <class Object>
class object_pool
{
public:
  object_pool() = default;
  object_pool(const object_pool&) = delete;
  object_pool& operator=(const object_pool&) = delete;

  Object* take()
  {
    if (!free_)
      add_block();
    Object* o = free_;
    free_ = o->next_;
    *o = Object();
    return o;
  }

  void give_back(Object& o)
  {
    o.next_ = free_;
    free_ = &o;
  }

  /// Whether f is true of any object, in use or free. Stops at the first.
  template <class Predicate>
  bool any_of(Predicate f)
  {
    return std::any_of(blocks_.begin(), blocks_.end(), [&](const block& each) {
      return std::any_of(each.objects.get(), each.objects.get() + each.size, f);
    });
  }

  /// Call f for every object, in use or free.
  template <class Function>
  void for_each(Function f)
  {
    any_of([&](Object& o) {
      f(o);
      return false;
    });
  }

private:
  // Several in one allocation, because the heap would add 8 bytes to each, and round up.
  struct block
  {
    std::unique_ptr<Object[]> objects;
    std::size_t size;
  };

  static constexpr std::size_t first_size = 8;
  static constexpr std::size_t last_size = 128;

  void add_block()
  {
    const std::size_t size = blocks_.empty() ? first_size : std::min(2 * blocks_.back().size, last_size);
    blocks_.push_back({std::unique_ptr<Object[]>(new Object[size]), size});
    Object* objects = blocks_.back().objects.get();
    // The first one is taken first.
    for (std::size_t i = size; i != 0; --i)
      give_back(objects[i - 1]);
  }

  std::vector<block> blocks_;
  Object* free_ = nullptr;
};

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_OBJECT_POOL_HPP
