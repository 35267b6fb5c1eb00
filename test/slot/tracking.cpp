// A program with one operation at a time, so that its handler tracking log does not depend on chance: test/slot/check compares that of
// the drop-in with that of stock Asio, line by line.
#include <boost/asio.hpp>

#include <array>
#include <chrono>
#include <functional>

namespace net = boost::asio;
using tcp = net::ip::tcp;

namespace {

net::io_context context;
tcp::acceptor acceptor(context, {net::ip::address_v4::loopback(), 0});
tcp::socket client(context);
tcp::socket server(context);
net::ip::udp::socket datagrams(context, {net::ip::address_v4::loopback(), 0});
net::steady_timer timer(context);
net::posix::stream_descriptor descriptor(context);
net::strand<net::io_context::executor_type> strand(context.get_executor());
std::array<char, 64> bytes;

// Each is finished before the next one begins.
const std::function<void()> steps[] = {
  [] { net::post(context, [] {}); },
  [] { net::dispatch(context, [] {}); },
  [] { net::defer(strand, [] {}); },
  [] { timer.expires_after(std::chrono::milliseconds(1)), timer.async_wait([](auto) {}); },
  [] {
    client.connect(acceptor.local_endpoint());
    acceptor.async_accept(server, [](auto) {});
  },
  [] { client.async_write_some(net::buffer("hello", 5), [](auto, auto) {}); },
  [] { server.async_wait(tcp::socket::wait_read, [](auto) {}); },
  [] { server.async_read_some(net::buffer(bytes), [](auto, auto) {}); },
  [] { net::async_write(server, net::buffer("composed", 8), [](auto, auto) {}); },
  [] { net::async_read(client, net::buffer(bytes, 8), [](auto, auto) {}); },
  [] {
    server.async_read_some(net::buffer(bytes), [](auto, auto) {});
    server.cancel();
  },
  [] {
    timer.expires_after(std::chrono::hours(1));
    timer.async_wait([](auto) {});
    timer.cancel();
  },
  [] { datagrams.async_send_to(net::buffer("x", 1), datagrams.local_endpoint(), [](auto, auto) {}); },
  [] {
    static net::ip::udp::endpoint from;
    datagrams.async_receive_from(net::buffer(bytes), from, [](auto, auto) {});
  },
  [] {
    int ends[2];
    if (::pipe(ends) == 0 && ::write(ends[1], "p", 1) == 1)
      descriptor.assign(ends[0]);
    ::close(ends[1]);
    descriptor.async_read_some(net::buffer(bytes), [](auto, auto) {});
  },
  [] { descriptor.async_read_some(net::buffer(bytes), [](auto, auto) {}); },
  [] { server.close(), client.async_read_some(net::buffer(bytes), [](auto, auto) {}); },
};

} // namespace

int main()
{
  for (const auto& step : steps)
  {
    step();
    context.restart();
    context.run();
  }
  // Destroyed without being called.
  net::post(context, [] {});
  net::io_context other;
  net::steady_timer never(other, std::chrono::hours(1));
  never.async_wait([](auto) {});
}
