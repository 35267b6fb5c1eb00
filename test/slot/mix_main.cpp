// Calls into mix_other.cpp, which the check compiles with and without the drop-in.
#include "mix.hpp"

int main()
{
  boost::asio::io_context context;
  return static_cast<int>(run_elsewhere(context));
}
