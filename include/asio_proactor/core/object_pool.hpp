//
// asio_proactor/core/object_pool.hpp: recycled objects whose memory stays readable while the pool lives.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_CORE_OBJECT_POOL_HPP
#define ASIO_PROACTOR_CORE_OBJECT_POOL_HPP

namespace asio_proactor::core {

/// Objects with next_ and previous_ links, live or free. Memory goes back to the heap only with the pool.
template <class Object>
class object_pool
{
public:
  object_pool() = default;
  object_pool(const object_pool&) = delete;
  object_pool& operator=(const object_pool&) = delete;

  ~object_pool()
  {
    destroy_list(live_);
    destroy_list(free_);
  }

  Object* first() const { return live_; }

  Object* take()
  {
    Object* o = free_;
    if (o)
    {
      free_ = o->next_;
      *o = Object();
    }
    else
      o = new Object;
    o->next_ = live_;
    if (live_)
      live_->previous_ = o;
    live_ = o;
    return o;
  }

  void give_back(Object& o)
  {
    if (o.previous_)
      o.previous_->next_ = o.next_;
    else
      live_ = o.next_;
    if (o.next_)
      o.next_->previous_ = o.previous_;
    o.previous_ = nullptr;
    o.next_ = free_;
    free_ = &o;
  }

private:
  static void destroy_list(Object* o)
  {
    while (o)
    {
      Object* next = o->next_;
      delete o;
      o = next;
    }
  }

  Object* live_ = nullptr;
  Object* free_ = nullptr;
};

} // namespace asio_proactor::core

#endif // ASIO_PROACTOR_CORE_OBJECT_POOL_HPP
