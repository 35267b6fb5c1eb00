// Instantiates every POSIX I/O object of Boost.Asio and the parts of Beast that sit on them. Compiled, never run, against each
// supported Boost with the drop-in in place: what no longer compiles is where the slot has drifted.
#include <boost/asio.hpp>
#include <boost/beast.hpp>
// Behind Beast, which declares ssl::stream by itself.
#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/version.hpp>
#if __has_include(<boost/asio/buffer_registration.hpp>)
# include <boost/asio/buffer_registration.hpp>
#endif
#if defined(BOOST_ASIO_HAS_CO_AWAIT)
# include <boost/asio/experimental/awaitable_operators.hpp>
#endif
#include <array>
#include <chrono>
#include <string>
#include <vector>

#if !defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT) || !defined(ASIO_PROACTOR_DROP_IN)
# error "the probe must be compiled with the drop-in in place"
#endif

namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = net::ip::tcp;
using udp = net::ip::udp;

constexpr auto handler = [](auto&&...) {};
char storage[8];

net::mutable_buffer buffer()
{
  return net::buffer(storage);
}

std::array<net::mutable_buffer, 2> buffers()
{
  return {buffer(), buffer()};
}

using tls_stream = net::ssl::stream<beast::tcp_stream>;

// The members that every socket type shares.
template <class Socket>
void common_socket(Socket& socket)
{
  boost::system::error_code ec;
  int out_flags = 0;
  (void)out_flags;
  socket.async_wait(Socket::wait_read, handler);
  socket.async_wait(Socket::wait_write, handler);
  socket.async_wait(Socket::wait_error, handler);
  socket.wait(Socket::wait_read, ec);
  socket.bind(typename Socket::endpoint_type(), ec);
  socket.async_connect(typename Socket::endpoint_type(), handler);
  socket.connect(typename Socket::endpoint_type(), ec);
  socket.set_option(net::socket_base::reuse_address(true), ec);
  net::socket_base::receive_buffer_size size;
  socket.get_option(size, ec);
  net::socket_base::bytes_readable readable;
  socket.io_control(readable, ec);
  socket.non_blocking(!socket.non_blocking(), ec);
  socket.native_non_blocking(!socket.native_non_blocking(), ec);
  (void)socket.available(ec);
  (void)socket.at_mark(ec);
  (void)socket.local_endpoint(ec);
  (void)socket.remote_endpoint(ec);
  (void)socket.native_handle();
  (void)socket.is_open();
  socket.shutdown(net::socket_base::shutdown_both, ec);
  socket.cancel(ec);
  socket.close(ec);
  Socket moved(std::move(socket));
  socket = std::move(moved);
  socket.assign(typename Socket::protocol_type(socket.local_endpoint().protocol()), socket.release(ec), ec);
}

template <class Socket>
void stream_socket(Socket& socket)
{
  boost::system::error_code ec;
  socket.async_read_some(buffer(), handler);
  socket.async_write_some(buffer(), handler);
  socket.async_read_some(buffers(), handler);
  socket.async_write_some(buffers(), handler);
  socket.async_receive(buffer(), 0, handler);
  socket.async_send(buffer(), 0, handler);
  socket.async_receive(net::null_buffers(), handler);
  socket.async_send(net::null_buffers(), handler);
  socket.read_some(buffer(), ec);
  socket.write_some(buffers(), ec);
  socket.receive(buffer(), 0, ec);
  socket.send(buffer(), 0, ec);
  common_socket(socket);
}

template <class Socket>
void datagram_socket(Socket& socket)
{
  boost::system::error_code ec;
  typename Socket::endpoint_type peer;
  socket.async_receive_from(buffer(), peer, handler);
  socket.async_receive_from(net::null_buffers(), peer, handler);
  socket.async_send_to(buffer(), peer, handler);
  socket.async_receive(buffers(), handler);
  socket.async_send(buffers(), handler);
  socket.send_to(buffer(), peer, 0, ec);
  socket.receive_from(buffer(), peer, 0, ec);
  socket.receive(buffer(), 0, ec);
  socket.send(buffer(), 0, ec);
  common_socket(socket);
}

template <class Socket>
void seq_packet_socket(Socket& socket)
{
  boost::system::error_code ec;
  net::socket_base::message_flags flags = 0;
  socket.async_receive(buffer(), flags, handler);
  socket.async_receive(buffer(), 0, flags, handler);
  socket.async_send(buffer(), 0, handler);
  socket.receive(buffer(), 0, flags, ec);
  socket.send(buffer(), 0, ec);
  common_socket(socket);
}

template <class Acceptor, class Context>
void acceptor(Acceptor& listener, Context& context)
{
  boost::system::error_code ec;
  typename Acceptor::protocol_type::socket peer(context);
  typename Acceptor::endpoint_type endpoint;
  listener.open(endpoint.protocol(), ec);
  listener.bind(endpoint, ec);
  listener.listen(net::socket_base::max_listen_connections, ec);
  listener.async_accept(handler);
  listener.async_accept(context.get_executor(), handler);
  listener.async_accept(endpoint, handler);
  listener.async_accept(context, endpoint, handler);
  listener.async_accept(peer, handler);
  listener.async_accept(peer, endpoint, handler);
  listener.accept(peer, ec);
  peer = listener.accept(endpoint, ec);
  listener.async_wait(Acceptor::wait_read, handler);
  listener.wait(Acceptor::wait_read, ec);
  listener.set_option(net::socket_base::reuse_address(true), ec);
  listener.non_blocking(true, ec);
  listener.native_non_blocking(true, ec);
  listener.cancel(ec);
  Acceptor moved(std::move(listener));
  listener = std::move(moved);
  (void)listener.release(ec);
  listener.close(ec);
}

template <class Timer, class Context>
void timer(Context& context)
{
  Timer first(context);
  first.expires_after(std::chrono::seconds(1));
  first.expires_at(first.expiry());
  first.async_wait(handler);
  first.cancel_one();
  first.cancel();
  first.wait();
  Timer second(std::move(first));
  second = Timer(context);
}

template <class Context>
void sockets(Context& context)
{
  tcp::socket stream(context);
  stream_socket(stream);
  udp::socket datagram(context);
  datagram_socket(datagram);
  net::ip::icmp::socket raw(context);
  datagram_socket(raw);
  tcp::acceptor listener(context);
  acceptor(listener, context);

  net::local::stream_protocol::socket local(context), other(context);
  net::local::connect_pair(local, other);
  stream_socket(local);
  net::local::stream_protocol::acceptor local_listener(context);
  acceptor(local_listener, context);
  net::local::datagram_protocol::socket local_datagram(context);
  datagram_socket(local_datagram);
#if BOOST_VERSION >= 108200
  net::local::seq_packet_protocol::socket local_packets(context);
  seq_packet_socket(local_packets);
#endif

  net::generic::stream_protocol::socket generic_stream(std::move(stream));
  stream_socket(generic_stream);
  net::generic::datagram_protocol::socket generic_datagram(std::move(datagram));
  datagram_socket(generic_datagram);
  net::basic_seq_packet_socket<net::generic::seq_packet_protocol> generic_packets(context);
  seq_packet_socket(generic_packets);
  net::generic::raw_protocol::socket generic_raw(std::move(raw));
  datagram_socket(generic_raw);

  tcp::iostream iostream("localhost", "80");
  tcp::resolver resolver(context);
  resolver.async_resolve("localhost", "80", handler);
  resolver.async_resolve(tcp::endpoint(), handler);
  resolver.resolve("localhost", "80");
  resolver.cancel();
  net::async_connect(stream, tcp::resolver::results_type(), handler);
}

template <class Context>
void descriptors(Context& context)
{
  boost::system::error_code ec;
  net::posix::stream_descriptor descriptor(context, 0);
  descriptor.async_read_some(buffer(), handler);
  descriptor.async_write_some(buffers(), handler);
  descriptor.async_wait(net::posix::descriptor_base::wait_read, handler);
  descriptor.read_some(buffer(), ec);
  descriptor.write_some(buffer(), ec);
  descriptor.cancel();
  descriptor.release();

  net::readable_pipe reader(context);
  net::writable_pipe writer(context);
  net::connect_pipe(reader, writer);
  reader.async_read_some(buffer(), handler);
  writer.async_write_some(buffer(), handler);
#if BOOST_VERSION >= 108200 // before, the stock service lacks the overload that this needs
  reader.release();
#endif

#if !defined(BOOST_ASIO_DISABLE_SERIAL_PORT)
  net::serial_port port(context);
  port.async_read_some(buffer(), handler);
  port.async_write_some(buffer(), handler);
  port.set_option(net::serial_port_base::baud_rate(9600));
  port.send_break();
  port.cancel();
#endif

  net::signal_set signals(context, 2);
  signals.async_wait(handler);
  signals.cancel();
}

template <class Context>
void files(Context& context)
{
#if defined(BOOST_ASIO_HAS_FILE)
  net::stream_file stream(context, "x", net::stream_file::read_only);
  stream.async_read_some(buffer(), handler);
  stream.async_write_some(buffers(), handler);
  stream.read_some(buffer());
  stream.write_some(buffer());
  stream.size();
  stream.seek(0, net::file_base::seek_set);
  stream.resize(0);
  stream.sync_all();
  stream.sync_data();
  stream.cancel();
  net::random_access_file random(context);
  random.async_read_some_at(0, buffers(), handler);
  random.async_write_some_at(0, buffer(), handler);
  random.read_some_at(0, buffer());
  random.write_some_at(0, buffer());
  random.release();
#else
# error "the drop-in must offer files"
#endif

  auto registration = net::register_buffers(context, std::vector<net::mutable_buffer>{buffer()});
  tcp::socket socket(context);
  socket.async_read_some(registration[0], handler);
  socket.async_write_some(registration[0], handler);
  stream.async_read_some(registration[0], handler);
  random.async_write_some_at(0, registration[0], handler);
}

#if defined(BOOST_ASIO_HAS_CO_AWAIT)
net::awaitable<void> coroutine(tcp::socket socket)
{
  using namespace net::experimental::awaitable_operators;
  net::steady_timer timer(co_await net::this_coro::executor, std::chrono::milliseconds(1));
  auto n = co_await socket.async_read_some(buffer(), net::use_awaitable);
  co_await (net::async_write(socket, net::buffer(storage, n), net::use_awaitable) &&
            timer.async_wait(net::use_awaitable));
}
#endif

template <class Context>
void tokens(Context& context)
{
  net::post(context, handler);
  net::dispatch(context, handler);
  net::defer(context, handler);
  auto strand = net::make_strand(context);
  net::post(strand, handler);
  tcp::socket on_strand(strand);
  on_strand.async_read_some(buffer(), handler);
  net::any_io_executor any = strand;
  tcp::socket on_any(any);
  on_any.async_read_some(buffer(), net::use_future);
  net::cancellation_signal signal;
  on_any.async_read_some(buffer(), net::bind_cancellation_slot(signal.slot(), handler));
  signal.emit(net::cancellation_type::all);
#if defined(BOOST_ASIO_HAS_CO_AWAIT)
  net::co_spawn(context, coroutine(tcp::socket(context)), net::detached);
#endif
  net::experimental::channel<void(boost::system::error_code, int)> channel(context);
  channel.async_receive(handler);
  net::experimental::make_parallel_group(on_any.async_wait(tcp::socket::wait_read, net::deferred),
                                         on_strand.async_wait(tcp::socket::wait_read, net::deferred))
    .async_wait(net::experimental::wait_for_one(), handler);
}

template <class Context>
void streams(Context& context)
{
  beast::tcp_stream stream(context);
  beast::flat_buffer store;
  http::request<http::string_body> request;
  http::response<http::string_body> response;
  stream.expires_after(std::chrono::seconds(1));
  http::async_read(stream, store, request, handler);
  http::async_write(stream, response, handler);
  websocket::stream<beast::tcp_stream> socket(context);
  socket.async_accept(handler);
  socket.async_read(store, handler);
  socket.async_write(store.data(), handler);
}

template <class Context>
void everything(Context& context)
{
  sockets(context);
  descriptors(context);
  files(context);
  timer<net::steady_timer>(context);
  timer<net::system_timer>(context);
  timer<net::high_resolution_timer>(context);
  tokens(context);
  streams(context);
}

} // namespace

int main()
{
  net::io_context context;
  everything(context);
  context.run();
  context.run_one();
  context.run_for(std::chrono::seconds(1));
  context.run_one_for(std::chrono::seconds(1));
  context.poll();
  context.poll_one();
  context.stop();
  context.restart();
  (void)context.stopped();
  context.notify_fork(net::io_context::fork_prepare);
  auto guard = net::make_work_guard(context);
  net::io_context one(1), unlocked(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE), half(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO);
  net::thread_pool pool(2);
  everything(pool);
  pool.join();
  net::post(net::system_executor(), handler);
  tcp::socket on_system(net::system_executor{});
  net::io_context::strand strand(context);
  net::post(strand, handler);
}
