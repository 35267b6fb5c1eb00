// Compiles with the drop-in's directory first on the include path; must not compile with Boost ahead of it.
#include <boost/asio/io_context.hpp>

int main()
{
  boost::asio::io_context().run();
}
