//
// asio_proactor/drop_in/slot/steady_timer_queue.hpp: boost::asio::detail::timer_queue of steady timers, on a timing wheel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DROP_IN_SLOT_STEADY_TIMER_QUEUE_HPP
#define ASIO_PROACTOR_DROP_IN_SLOT_STEADY_TIMER_QUEUE_HPP

#include <asio_proactor/drop_in/slot/configuration.hpp>

#include <asio_proactor/service/steady_timers.hpp>
#include <boost/asio/detail/chrono.hpp>
#include <boost/asio/detail/chrono_time_traits.hpp>
#include <boost/asio/detail/timer_queue.hpp>
#include <boost/asio/wait_traits.hpp>
#include <boost/version.hpp>

#include <boost/asio/detail/push_options.hpp>

namespace boost {
namespace asio {
BOOST_ASIO_INLINE_NAMESPACE_BEGIN
namespace detail {

// Other clocks, which may be set back, and those of programs keep Asio's heap.
typedef chrono_time_traits<std::chrono::steady_clock, wait_traits<std::chrono::steady_clock>> steady_time_traits;

#if BOOST_VERSION < 108900

template <>
class timer_queue<steady_time_traits> : public asio_proactor::service::steady_timers<std::allocator<void>>
{};

#else

template <typename Allocator>
class timer_queue<steady_time_traits, Allocator> : public asio_proactor::service::steady_timers<Allocator>
{
public:
  using asio_proactor::service::steady_timers<Allocator>::steady_timers;
};

#endif

} // namespace detail
BOOST_ASIO_INLINE_NAMESPACE_END
} // namespace asio
} // namespace boost

#include <boost/asio/detail/pop_options.hpp>

#endif // ASIO_PROACTOR_DROP_IN_SLOT_STEADY_TIMER_QUEUE_HPP
