//
// uring/look_out.hpp: whether a loop that has nothing to do looks out for the next completion before it sleeps.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_SRC_URING_LOOK_OUT_HPP
#define ASIO_PROACTOR_SRC_URING_LOOK_OUT_HPP

#include <algorithm>
#include <utility>

namespace asio_proactor::uring {

/// Says when to look: once after connections were accepted, as they come in bursts.
/**
 * Accepting takes less time than connecting, so the loop would sleep after each connection of a burst, and waking it costs the one who
 * connects more than connecting does. Where looking finds nothing it is left out ever more often.
 */
class look_out
{
public:
  void connection_came() { is_due_ = true; }

  /// Whether the wait that begins now is to begin with a look. Call ended() behind it, unless there was nothing to look for.
  bool begins()
  {
    if (!std::exchange(is_due_, false))
      return false;
    if (left_out_ < to_leave_out_)
    {
      ++left_out_;
      return false;
    }
    return true;
  }

  void ended(bool has_found)
  {
    left_out_ = 0;
    to_leave_out_ = has_found ? 0 : std::min(to_leave_out_ * 2 + 1, most_left_out);
  }

  static constexpr unsigned most_left_out = 63;

private:
  bool is_due_ = false;
  unsigned left_out_ = 0;
  unsigned to_leave_out_ = 0; // Looks between two that take place.
};

} // namespace asio_proactor::uring

#endif // ASIO_PROACTOR_SRC_URING_LOOK_OUT_HPP
