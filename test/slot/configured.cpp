// A program that uses sockets, timers, strands and threads as far as there are any, to be built with each of Asio's configuration macros:
// test/slot/check runs it on the drop-in and on stock Asio. Exit status: 0, or the number of the step that failed.
#include <boost/asio.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#if defined(BOOST_NO_EXCEPTIONS)
# include <boost/assert/source_location.hpp>
# include <exception>
namespace boost {
void throw_exception(const std::exception& e)
{
  std::fprintf(stderr, "%s\n", e.what());
  std::abort();
}
void throw_exception(const std::exception& e, const boost::source_location&)
{
  throw_exception(e);
}
} // namespace boost
#endif

namespace net = boost::asio;
using tcp = net::ip::tcp;
using boost::system::error_code;

namespace {

int steps = 0;

void expect(bool is_true)
{
  ++steps;
  if (!is_true)
  {
    std::fprintf(stderr, "step %d\n", steps);
    std::exit(steps);
  }
}

void echo_over_tcp(net::io_context& context)
{
  tcp::acceptor acceptor(context, tcp::endpoint(net::ip::address_v4::loopback(), 0));
  tcp::socket client(context), server(context);
  int done = 0;
  acceptor.async_accept([&](error_code ec, tcp::socket accepted) {
    done += !ec;
    server = std::move(accepted);
  });
  client.async_connect(acceptor.local_endpoint(), [&](error_code ec) { done += !ec; });
  context.run();
  expect(done == 2);

  const std::string text(100000, 'e');
  std::string there(text.size(), ' ');
  net::async_write(client, net::buffer(text), [&](error_code ec, std::size_t n) { done += !ec && n == text.size(); });
  net::async_read(server, net::buffer(there), [&](error_code ec, std::size_t n) { done += !ec && n == text.size(); });
  context.restart();
  context.run();
  expect(done == 4 && there == text);

  std::string line;
  net::async_read_until(server, net::dynamic_buffer(line), '\n',
                        [&](error_code ec, std::size_t n) { done += !ec && n == 3; });
  net::write(client, net::buffer("ab\n", 3));
  context.restart();
  context.run();
  expect(done == 5);

  client.close();
  char c;
  server.async_read_some(net::buffer(&c, 1), [&](error_code ec, std::size_t) { done += ec == net::error::eof; });
  context.restart();
  context.run();
  expect(done == 6);
}

void wait_and_cancel(net::io_context& context)
{
  net::steady_timer soon(context, std::chrono::milliseconds(1)), never(context, std::chrono::hours(1));
  int done = 0;
  soon.async_wait([&](error_code ec) {
    done += !ec;
    never.cancel();
  });
  never.async_wait([&](error_code ec) { done += ec == net::error::operation_aborted; });
  auto strand = net::make_strand(context);
  net::post(strand, [&] { net::dispatch(strand, [&] { ++done; }); });
  context.restart();
  context.run();
  expect(done == 3);
}

#if defined(BOOST_ASIO_HAS_THREADS)
void post_from_outside()
{
  net::thread_pool pool(2);
  std::atomic<int> done{0};
  for (int i = 0; i < 100; ++i)
    net::post(pool, [&] { ++done; });
  pool.join();
  expect(done == 100);
}
#endif

} // namespace

int main()
{
  net::io_context context;
  echo_over_tcp(context);
  wait_and_cancel(context);
#if defined(BOOST_ASIO_HAS_THREADS)
  post_from_outside();
#endif
  std::printf("%d steps\n", steps);
}
