"""Beast's example servers and clients, driven by curl, openssl and python3-websockets."""

import http.client
import re
import signal
import socket
import ssl
import threading

import peers
import websocket_peer
from catalogue import drives
from stage import HOST, expect, fingerprint, read_all

# Requests of the keep-alive check: connections at once, and requests on each of them.
CONNECTIONS = 12
REQUESTS = 15

THREADS = 2


def write_site(stage):
    stage.write_file("root/index.html", "<h1>index</h1>\n")
    stage.write_file("root/big.jpg", bytes(i * 11 % 253 for i in range(700_000)))
    return stage.folder / "root"


def curl(stage, port, path, *options, secure=False):
    """Asks curl for a path and writes down what a person would see."""
    scheme = "https" if secure else "http"
    code, body = stage.tool(
        "curl", "-s", "-k", "--path-as-is", "--max-time", "15", *options,
        "-w", "\n%{http_code} %{content_type} %{http_version}", f"{scheme}://{HOST}:{port}{path}")
    text, _, summary = body.rpartition(b"\n")
    stage.say(" ".join(options), path, "curl", code, summary.decode(), fingerprint(text))
    return text


def keep_alive_session(port, secure, results, requests):
    """Many requests on one connection; counts the right answers."""
    if secure:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(HOST, port, timeout=15, context=context)
    else:
        connection = http.client.HTTPConnection(HOST, port, timeout=15)
    right = 0
    for _ in range(requests):
        connection.request("GET", "/index.html")
        answer = connection.getresponse()
        right += answer.status == 200 and answer.read() == b"<h1>index</h1>\n"
    connection.close()
    results.append(right)


def http_conversation(stage, port, secure=False, keep_alive=True, old_version=True):
    """What every file server among the examples must do."""
    curl(stage, port, "/index.html", secure=secure)
    curl(stage, port, "/", secure=secure)
    curl(stage, port, "/big.jpg", secure=secure)
    curl(stage, port, "/index.html", "--head", secure=secure)
    curl(stage, port, "/missing", secure=secure)
    curl(stage, port, "/../secret", secure=secure)
    curl(stage, port, "/index.html", "-X", "DELETE", secure=secure)
    if old_version:
        curl(stage, port, "/index.html", "--http1.0", secure=secure)
    if not keep_alive:
        return
    results = []
    sessions = [threading.Thread(target=keep_alive_session, args=(port, secure, results, REQUESTS)) for _ in range(CONNECTIONS)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    stage.say("answers on kept connections", sum(results))
    expect(sum(results) == CONNECTIONS * REQUESTS, f"{sum(results)} of {CONNECTIONS * REQUESTS} answers")


def broken_clients(stage, port):
    """Clients that leave in the middle, or send nonsense; the server must go on serving."""
    half = stage.connect(port)
    half.sendall(b"GET /big.jpg HTTP/1.1\r\nHost: x\r\n")
    half.close()
    abrupt = stage.connect(port)
    abrupt.sendall(b"GET /big.jpg HTTP/1.1\r\nHost: x\r\n\r\n")
    abrupt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    abrupt.close()
    nonsense = stage.connect(port)
    nonsense.sendall(b"\0\1\2 nonsense\r\n\r\n")
    stage.say("nonsense is answered with", read_all(nonsense)[:12])


def http_server(folder, secure=False, threads=True, keep_alive=True, old_version=True, more=()):
    name = f"beast/http/server/{folder}/http_server_{folder.replace('-', '_')}"

    @drives(name)
    def drive(stage):
        port, root = stage.port(), write_site(stage)
        server = stage.serve(name, HOST, port, root, *([THREADS] if threads else []), *more, port=port)
        http_conversation(stage, port, secure, keep_alive, old_version)
        if not secure and keep_alive:
            broken_clients(stage, port)
            curl(stage, port, "/index.html")
        stage.stop(server)
    return drive


for plain in ("async", "coro", "stackless"):
    http_server(plain)
# In some releases this one serves a single request per connection, and the stock build crashes on HTTP/1.0.
http_server("awaitable", keep_alive=False, old_version=False)
http_server("sync", threads=False)
http_server("fast", threads=False, keep_alive=False, more=(5, "block"))
for tls in ("async-ssl", "coro-ssl", "stackless-ssl"):
    http_server(tls, secure=True)
http_server("sync-ssl", secure=True, threads=False)


@drives("beast/http/server/flex/http_server_flex")
def http_server_flex(stage):
    port, root = stage.port(), write_site(stage)
    server = stage.serve("beast/http/server/flex/http_server_flex", HOST, port, root, THREADS, port=port)
    http_conversation(stage, port, secure=False)
    http_conversation(stage, port, secure=True)
    stage.stop(server)


@drives("beast/http/server/small/http_server_small")
def http_server_small(stage):
    port = stage.port()
    server = stage.serve("beast/http/server/small/http_server_small", HOST, port, port=port)
    for _ in range(3):
        stage.say(curl(stage, port, "/count"))
    code, body = stage.tool("curl", "-s", f"http://{HOST}:{port}/time")
    stage.say(code, re.sub(rb"\d+", b"N", body))
    code, body = stage.tool("curl", "-s", "-X", "PUT", f"http://{HOST}:{port}/count")
    stage.say(code, body)
    stage.stop(server)


def websocket_server(folder, secure=False, threads=True):
    name = f"beast/websocket/server/{folder}/websocket_server_{folder.replace('-', '_')}"

    @drives(name)
    def drive(stage):
        port = stage.port()
        server = stage.serve(name, HOST, port, *([THREADS] if threads else []), port=port)
        websocket_peer.echo_conversation(stage, port, secure)
        if not secure:
            # Not a WebSocket handshake at all: the server declines and goes on.
            curl(stage, port, "/")
            websocket_peer.echo_conversation(stage, port, secure)
        stage.stop(server)
    return drive


for plain in ("async", "coro", "awaitable", "stackless"):
    websocket_server(plain)
websocket_server("sync", threads=False)
for tls in ("async-ssl", "coro-ssl", "stackless-ssl"):
    websocket_server(tls, secure=True)
websocket_server("sync-ssl", secure=True, threads=False)


@drives("beast/websocket/server/fast/websocket_server_fast")
def websocket_server_fast(stage):
    # It listens on three consecutive ports: synchronous, asynchronous, coroutine.
    port = stage.port()
    server = stage.serve("beast/websocket/server/fast/websocket_server_fast", HOST, port, THREADS, port=port + 2)
    for offset in range(3):
        websocket_peer.echo_conversation(stage, port + offset)
    stage.stop(server)


@drives("beast/websocket/server/chat-multi")
def websocket_chat(stage):
    port, root = stage.port(), write_site(stage)
    server = stage.serve("beast/websocket/server/chat-multi", HOST, port, root, THREADS, port=port)
    http_conversation(stage, port)
    websocket_peer.chat_conversation(stage, port)
    stage.stop(server, signal.SIGINT)


@drives("beast/advanced/server/advanced_server")
def advanced_server(stage):
    port, root = stage.port(), write_site(stage)
    server = stage.serve("beast/advanced/server/advanced_server", HOST, port, root, THREADS, port=port)
    http_conversation(stage, port)
    broken_clients(stage, port)
    websocket_peer.echo_conversation(stage, port)
    stage.stop(server, signal.SIGINT)


def advanced_flex(name, threads):
    @drives(name)
    def drive(stage):
        port, root = stage.port(), write_site(stage)
        server = stage.serve(name, HOST, port, root, threads, port=port)
        for secure in (False, True):
            http_conversation(stage, port, secure)
            websocket_peer.echo_conversation(stage, port, secure)
        request = b"GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        code, output = stage.tool("timeout", "10", "openssl", "s_client", "-quiet", "-ign_eof", "-connect", f"{HOST}:{port}", text=request)
        stage.say("openssl s_client", code, output.split(b"\r\n")[0], output[-15:])
        broken_clients(stage, port)
        # With a connection still open when it is told to end.
        idle = stage.connect(port)
        stage.stop(server, signal.SIGINT)
        idle.close()
    return drive


# With two threads the first breaks an assertion of Beast's under load (1.81, stock too): two operations at once on one stream.
advanced_flex("beast/advanced/server-flex/advanced_server_flex", threads=1)
advanced_flex("beast/advanced/server-flex-awaitable/advanced_server_flex_awaitable", threads=THREADS)


@drives("beast/echo-op/echo_op")
def echo_op(stage):
    port = stage.port()
    server = stage.serve("beast/echo-op/echo_op", HOST, port, port=port)
    peer = stage.connect(port)
    peer.sendall(b"hello\n")
    stage.say(read_all(peer), server.wait_end(), server.output())


def without_port(text, port):
    return text.replace(f":{port}", ":PORT")


def http_client(folder, secure=False):
    name = f"beast/http/client/{folder}/http_client_{folder.replace('-', '_')}"

    @drives(name)
    def drive(stage):
        port = peers.web_server(stage, certificate=peers.own_certificate(stage) if secure else None)
        for target, version in (("/page", "1.1"), ("/missing", "1.1"), ("/page", "1.0")):
            code, output = stage.run(name, "localhost", port, target, version)
            stage.say(target, version, code, without_port(output, port))
        code, output = stage.run(name, "localhost", stage.port(), "/page")
        stage.say("nobody listens:", code, output)
    return drive


for plain in ("async", "sync", "coro", "awaitable"):
    http_client(plain)
# These verify the certificate against their built-in authorities, so the handshake is made and then refused.
for tls in ("async-ssl", "sync-ssl", "coro-ssl", "async-ssl-system-executor"):
    http_client(tls, secure=True)


def websocket_client(folder, secure=False):
    name = f"beast/websocket/client/{folder}/websocket_client_{folder.replace('-', '_')}"

    @drives(name)
    def drive(stage):
        port = websocket_peer.echo_server(stage, peers.own_certificate(stage) if secure else None)
        for text in ("Hello, world!", "x" * 70000):
            code, output = stage.run(name, "localhost", port, text)
            stage.say(code, fingerprint(output.encode()), output[:80])
        code, output = stage.run(name, "localhost", stage.port(), "text")
        stage.say("nobody listens:", code, output)
    return drive


for plain in ("async", "sync", "coro", "awaitable"):
    websocket_client(plain)
for tls in ("async-ssl", "sync-ssl", "coro-ssl", "async-ssl-system-executor"):
    websocket_client(tls, secure=True)
