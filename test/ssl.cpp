// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// TLS: Asio's ssl::stream, and what happens when a handshake or a read is cut off.

#define BOOST_TEST_MODULE ssl
#include <boost/test/included/unit_test.hpp>

#include "support/bytes.hpp"
#include "support/tokens.hpp"
#include "support/watchdog.hpp"
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl.hpp>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace test_support;
using namespace asio::experimental::awaitable_operators;
namespace ssl = asio::ssl;

namespace {

// A key and a certificate signed by it, for an hour.
struct credentials
{
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();

  credentials()
  {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    BOOST_REQUIRE(X509_sign(certificate, key, EVP_sha256()) > 0);
  }
  ~credentials()
  {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  credentials(const credentials&) = delete;

  static const credentials& shared()
  {
    static const credentials only;
    return only;
  }
};

struct tls_contexts
{
  ssl::context server{ssl::context::tls_server}, client{ssl::context::tls_client};

  explicit tls_contexts(bool trusted = true)
  {
    const auto& own = credentials::shared();
    BOOST_REQUIRE(SSL_CTX_use_certificate(server.native_handle(), own.certificate) == 1);
    BOOST_REQUIRE(SSL_CTX_use_PrivateKey(server.native_handle(), own.key) == 1);
    client.set_verify_mode(ssl::verify_peer);
    if (trusted)
      X509_STORE_add_cert(SSL_CTX_get_cert_store(client.native_handle()), own.certificate);
  }
};

using tls_stream = ssl::stream<tcp::socket>;

// Two ends of one connection.
struct tls_place
{
  asio::io_context ctx;
  tls_contexts tls;
  std::pair<tcp::socket, tcp::socket> sockets = tcp_pair(ctx);
  tls_stream client{std::move(sockets.first), tls.client}, server{std::move(sockets.second), tls.server};

  explicit tls_place(bool trusted = true) : tls(trusted) {}

  void run()
  {
    ctx.restart();
    ctx.run();
  }
  void handshake()
  {
    outcome a, b;
    server.async_handshake(ssl::stream_base::server, a.plain());
    client.async_handshake(ssl::stream_base::client, b.plain());
    run();
    BOOST_REQUIRE((a.calls == 1 && !a.ec && b.calls == 1 && !b.ec));
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(streams)

BOOST_AUTO_TEST_CASE(both_directions_at_the_same_time_then_shutdown)
{
  tls_place p;
  p.handshake();
  const std::string up = pattern(1 << 20, 1), down = pattern(1 << 20, 2);
  std::string at_server(up.size(), '\0'), at_client(down.size(), '\0');
  outcome ends[4];
  asio::async_write(p.client, asio::buffer(up), ends[0].handler());
  asio::async_write(p.server, asio::buffer(down), ends[1].handler());
  asio::async_read(p.client, asio::buffer(at_client), ends[2].handler());
  asio::async_read(p.server, asio::buffer(at_server), ends[3].handler());
  p.run();
  for (auto& end : ends)
    BOOST_TEST((end.calls == 1 && !end.ec && end.bytes == up.size()));
  BOOST_TEST((at_server == up && at_client == down));

  char in[4];
  outcome closing, answer, read;
  p.client.async_shutdown(closing.plain());
  p.server.async_read_some(asio::buffer(in), [&](error_code ec, std::size_t n) {
    read.handler()(ec, n);
    p.server.async_shutdown(answer.plain());
  });
  p.run();
  BOOST_TEST((read.calls == 1 && read.ec == asio::error::eof));
  BOOST_TEST((closing.calls == 1 && !closing.ec));
  BOOST_TEST((answer.calls == 1 && !answer.ec));
}

BOOST_AUTO_TEST_CASE(a_connection_cut_without_shutdown_is_truncated)
{
  tls_place p;
  p.handshake();
  char in[4];
  outcome read;
  p.client.async_read_some(asio::buffer(in), read.handler());
  p.server.next_layer().close();
  p.run();
  BOOST_TEST((read.calls == 1 && read.ec == ssl::error::stream_truncated));
}

BOOST_AUTO_TEST_CASE(an_unknown_certificate_fails_the_handshake_on_both_sides)
{
  tls_place p(false);
  outcome server, client, read;
  char in[4];
  p.server.async_handshake(ssl::stream_base::server, [&](error_code ec) {
    server.plain()(ec);
    p.server.async_read_some(asio::buffer(in), read.handler()); // The client may say no after the server's handshake.
  });
  p.client.async_handshake(ssl::stream_base::client, [&](error_code ec) {
    client.plain()(ec);
    p.client.next_layer().close();
  });
  p.run();
  BOOST_TEST(client.calls == 1);
  BOOST_TEST((client.ec.category() == asio::error::get_ssl_category()));
  BOOST_TEST((server.calls == 1 && read.calls == 1));
  BOOST_TEST((server.ec || read.ec));
}

BOOST_AUTO_TEST_CASE(noise_instead_of_a_handshake_is_an_error)
{
  tls_place p;
  outcome server;
  p.server.async_handshake(ssl::stream_base::server, server.plain());
  p.client.next_layer().send(asio::buffer("GET / HTTP/1.1\r\n\r\n", 18));
  p.run();
  BOOST_TEST((server.calls == 1 && server.ec.category() == asio::error::get_ssl_category()));
}

BOOST_AUTO_TEST_CASE(a_handshake_in_progress_is_cancelled)
{
  for (bool by_slot : {false, true})
  {
    tls_place p;
    asio::cancellation_signal signal;
    outcome client;
    p.client.async_handshake(ssl::stream_base::client, asio::bind_cancellation_slot(signal.slot(), client.plain()));
    BOOST_TEST(!run_until(
      p.ctx, [&] { return client.calls > 0; }, 5ms)); // Its hello is out, no answer comes.
    if (by_slot)
      signal.emit(asio::cancellation_type::terminal);
    else
      p.client.next_layer().cancel();
    p.run();
    BOOST_TEST((client.calls == 1 && client.ec == asio::error::operation_aborted));
    BOOST_TEST(readable(p.server.next_layer()));
  }
}

BOOST_AUTO_TEST_CASE(a_read_times_out_and_the_stream_goes_on)
{
  tls_place p;
  p.handshake();
  asio::steady_timer timer(p.ctx);
  run_coroutine(p.ctx, [&]() -> asio::awaitable<void> {
    char in[8] = {};
    for (int i = 0; i < 50; ++i)
    {
      timer.expires_after(200us);
      auto first =
        co_await (p.client.async_read_some(asio::buffer(in), use_awaitable) || timer.async_wait(use_awaitable));
      BOOST_TEST(first.index() == 1u);
      co_await p.server.async_write_some(asio::buffer("abc", 3), use_awaitable);
      BOOST_TEST(co_await p.client.async_read_some(asio::buffer(in), use_awaitable) == 3u);
      BOOST_TEST(std::string(in) == "abc");
    }
  });
}

// One end of a connection in the test with two threads: everything of it happens on its strand.
struct side
{
  tls_stream stream;
  std::string out, in;
  int done = 0;
  bool fine = true;

  side(tcp::socket socket, ssl::context& tls, unsigned seed)
    : stream(std::move(socket), tls),
      out(pattern(200000, seed)),
      in(out.size(), '\0')
  {}
  void start(ssl::stream_base::handshake_type type)
  {
    stream.async_handshake(type, asio::bind_executor(stream.get_executor(), [this](error_code ec) {
                             fine = !ec;
                             if (ec)
                               return;
                             asio::async_write(stream, asio::buffer(out), count());
                             asio::async_read(stream, asio::buffer(in), count());
                           }));
  }
  std::function<void(error_code, std::size_t)> count()
  {
    return [this](error_code ec, std::size_t) { ++done, fine = fine && !ec; };
  }
};

BOOST_AUTO_TEST_CASE(two_threads_and_a_strand_for_each_stream)
{
  constexpr int connections = 8;
  asio::io_context ctx(2);
  tls_contexts tls;
  tcp::acceptor acceptor(ctx, loopback());
  std::vector<std::unique_ptr<side>> sides;
  for (int i = 0; i < connections; ++i)
  {
    tcp::socket client(asio::make_strand(ctx)), server(asio::make_strand(ctx));
    client.connect(acceptor.local_endpoint());
    acceptor.accept(server);
    sides.push_back(std::make_unique<side>(std::move(client), tls.client, i));
    sides.push_back(std::make_unique<side>(std::move(server), tls.server, i + 1000));
  }
  for (std::size_t i = 0; i < sides.size(); ++i)
    asio::post(sides[i]->stream.get_executor(),
               [&, i] { sides[i]->start(i % 2 ? ssl::stream_base::server : ssl::stream_base::client); });
  std::thread second([&] { ctx.run(); });
  ctx.run();
  second.join();
  for (std::size_t i = 0; i < sides.size(); ++i)
  {
    BOOST_TEST((sides[i]->fine && sides[i]->done == 2));
    BOOST_TEST((sides[i]->in == sides[i ^ 1]->out));
  }
}

BOOST_AUTO_TEST_SUITE_END()
