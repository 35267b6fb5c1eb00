// Must not compile: Asio has chosen its backend before the drop-in is seen. The message has to say what to do.
#include <boost/asio.hpp>
#include <asio_proactor/drop_in.hpp>

int main()
{
  boost::asio::io_context().run();
}
