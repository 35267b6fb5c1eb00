// The implementation of Asio and Beast lives in another translation unit (separate_compilation_src.cpp): everything the slot
// defines must come out of exactly one of the two, and the program must behave as a header-only one does.
#define BOOST_TEST_MODULE separate_compilation
#include <boost/test/included/unit_test.hpp>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <string>

namespace net = boost::asio;
namespace beast = boost::beast;
using net::ip::tcp;

BOOST_AUTO_TEST_CASE(an_http_exchange_and_a_timer_complete)
{
  net::io_context context;
  tcp::acceptor listener(context, tcp::endpoint(net::ip::address_v4::loopback(), 0));
  beast::tcp_stream client(context);
  tcp::socket server(context);
  beast::flat_buffer server_store, client_store;
  beast::http::request<beast::http::string_body> sent(beast::http::verb::get, "/separate", 11), received;
  beast::http::response<beast::http::string_body> answer(beast::http::status::ok, 11), got;
  answer.body() = "compiled once";
  answer.prepare_payload();
  bool timer_fired = false;

  listener.async_accept(server, [&](auto ec) {
    BOOST_TEST_REQUIRE(!ec);
    beast::http::async_read(server, server_store, received, [&](auto ec, std::size_t) {
      BOOST_TEST_REQUIRE(!ec);
      beast::http::async_write(server, answer, [&](auto ec, std::size_t) { BOOST_TEST(!ec); });
    });
  });
  client.expires_after(std::chrono::seconds(30));
  client.async_connect(listener.local_endpoint(), [&](auto ec) {
    BOOST_TEST_REQUIRE(!ec);
    beast::http::async_write(client, sent, [&](auto ec, std::size_t) {
      BOOST_TEST_REQUIRE(!ec);
      beast::http::async_read(client, client_store, got, [&](auto ec, std::size_t) {
        BOOST_TEST(!ec);
        client.expires_never();
      });
    });
  });
  net::steady_timer timer(context, std::chrono::milliseconds(5));
  timer.async_wait([&](auto ec) { timer_fired = !ec; });
  context.run_for(std::chrono::seconds(20));

  BOOST_TEST(received.target() == "/separate");
  BOOST_TEST(got.body() == "compiled once");
  BOOST_TEST(timer_fired);
}
