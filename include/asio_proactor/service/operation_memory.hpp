//
// asio_proactor/service/operation_memory.hpp: where the memory of an operation comes from.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SERVICE_OPERATION_MEMORY_HPP
#define ASIO_PROACTOR_SERVICE_OPERATION_MEMORY_HPP

#include <asio_proactor/service/handler_support.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/detail/recycling_allocator.hpp>
#include <cstddef>
#include <memory>
#include <type_traits>

namespace asio_proactor::service {

namespace allocation_hook {

struct none
{};

// A worse match than a handler's own, deprecated hook and a better one than Asio's default.
none asio_handler_allocate(std::size_t, const volatile void*);

template <class Handler>
constexpr bool exists =
  !std::is_same_v<decltype(asio_handler_allocate(std::size_t{}, static_cast<Handler*>(nullptr))), none>;

} // namespace allocation_hook

/// Whether the program leaves it to Asio where memory for a handler's operation comes from.
template <class Handler>
constexpr bool has_default_memory =
#if defined(BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
  false;
#else
  std::is_same_v<asio::associated_allocator_t<Handler>, std::allocator<void>> && !allocation_hook::exists<Handler>;
#endif

/// From the handler's allocator, for most operations. Asio keeps the last two blocks of a thread for those that follow.
template <class Operation, class Handler>
struct shared_memory
{
  BOOST_ASIO_DEFINE_HANDLER_PTR(Operation);
};

/// The same, but a block is not used again for operations of other kinds.
/**
 * Accepting takes more memory than reading. With Asio's blocks the first read of each connection gets the one that its accept
 * has given back, and keeps it as long as the connection is idle, while the next accept allocates another.
 */
template <class Operation, class Handler>
struct memory_of_its_own
{
  struct ptr
  {
    Handler* h;
    Operation* v;
    Operation* p;

    ~ptr() { reset(); }

    static Operation* allocate(Handler&) { return allocator().allocate(1); }

    void reset()
    {
      if (p)
        p->~Operation();
      p = nullptr;
      if (v)
        allocator().deallocate(v, 1);
      v = nullptr;
    }

  private:
    // Asio has a cache for posted functions, whose blocks are in use for a short time only.
    using allocator = asio_detail::recycling_allocator<Operation, asio_detail::thread_info_base::executor_function_tag>;
  };
};

template <class Operation, class Handler, bool IsApart>
using operation_memory = std::conditional_t<IsApart && has_default_memory<Handler>,
                                            memory_of_its_own<Operation, Handler>, shared_memory<Operation, Handler>>;

} // namespace asio_proactor::service

#endif // ASIO_PROACTOR_SERVICE_OPERATION_MEMORY_HPP
