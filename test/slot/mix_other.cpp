#include "mix.hpp"

std::size_t run_elsewhere(boost::asio::io_context& context)
{
  return context.run();
}
