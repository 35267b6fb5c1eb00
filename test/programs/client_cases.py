"""Asio's client examples, chat, timeouts, local sockets, files, tutorials: driven from both ends."""

import re
import signal
import socket
import time

import peers
from catalogue import drives
from stage import HOST, expect, fingerprint, read_all, read_exactly, read_line, wait_until

DAYTIME_PORT = 13
HTTP_PORT = 80
MULTICAST_GROUP = "239.255.0.1"
CLOCK_TEXT = r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}"

# The examples' own time limit for a single operation.
EXAMPLE_TIMEOUT_SECONDS = 10


def chat_message(text):
    """The wire format of the chat example: a length in four characters, then the text."""
    return f"{len(text):4}".encode() + text.encode()


def read_chat_message(peer):
    return read_exactly(peer, int(read_exactly(peer, 4)))


def chat(server_name, client_name):
    @drives(f"{client_name} and server", server_name, client_name)
    def drive(stage):
        port = stage.port()
        server = stage.serve(server_name, port, port=port)
        one, two = stage.connect(port), stage.connect(port)
        one.sendall(chat_message("hello all"))
        stage.say(read_chat_message(one), read_chat_message(two))
        client = stage.start_on_terminal(client_name, HOST, port)
        client.wait_output("hello all")
        client.write("typed by a person\n")
        stage.say(read_chat_message(one), read_chat_message(two))
        for number in range(200):
            two.sendall(chat_message(f"message {number}"))
        stage.say("burst in order", all(read_chat_message(one) == f"message {n}".encode() for n in range(200)))
        client.wait_output("message 199")
        client.close_input()
        stage.say("client ended with", client.wait_end(), fingerprint(client.output().encode()))
        stage.stop(server)
    return drive


chat("asio/cpp11/chat/chat_server", "asio/cpp11/chat/chat_client")
chat("asio/cpp11/chat/chat_server", "asio/cpp03/chat/posix_chat_client")


@drives("asio/cpp20/coroutines/chat_server")
def coroutine_chat(stage):
    first, second = stage.port(), stage.port()
    server = stage.serve("asio/cpp20/coroutines/chat_server", first, second, port=second)
    one, two, other_room = stage.connect(first), stage.connect(first), stage.connect(second)
    for number in range(100):
        one.sendall(b"line %d\n" % number)
    stage.say("room hears", [read_line(two) for _ in range(100)][-1], [read_line(one) for _ in range(100)][-1])
    other_room.sendall(b"elsewhere\n")
    stage.say("other room", read_line(other_room))
    two.close()
    one.sendall(b"after one left\n")
    stage.say(read_line(one))
    stage.stop(server)


@drives("asio/cpp11/timeouts/server")
def timeouts_server(stage):
    port = stage.port()
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stage.on_close(listener.close)
    listener.bind((HOST, 0))
    listener.settimeout(10)
    server = stage.serve("asio/cpp11/timeouts/server", port, HOST, listener.getsockname()[1], port=port)
    one, two = stage.connect(port), stage.connect(port)
    two.sendall(b"\n")
    stage.say("heartbeat answered with", read_line(two))
    one.sendall(b"news\n")
    stage.say("subscriber", read_line(two), "broadcast", listener.recv(100))
    one.close()
    two.sendall(b"more\n")
    stage.say("broadcast", listener.recv(100))
    stage.stop(server)


@drives("asio/cpp11/timeouts/async_tcp_client")
def timeouts_async_client(stage):
    def talk(peer):
        peer.sendall(b"first\nsec")
        time.sleep(0.05)
        peer.sendall(b"ond\n")
        stage.say("heartbeat", read_line(peer))
    name = "asio/cpp11/timeouts/async_tcp_client"
    server = peers.tcp_peer(stage, talk)
    code, output = stage.run(name, HOST, server.port)
    stage.say(code, output.replace(str(server.port), "PORT"))
    code, output = stage.run(name, HOST, stage.port())
    stage.say(code, re.sub(r":\d+", ":PORT", output))


@drives("asio/cpp11/timeouts/blocking clients", "asio/cpp11/timeouts/blocking_tcp_client", "asio/cpp11/timeouts/blocking_token_tcp_client")
def timeouts_blocking_clients(stage):
    echo = peers.tcp_peer(stage, lambda peer: peer.sendall(b"other\n" + read_line(peer)) or time.sleep(1))
    silent = peers.tcp_peer(stage, lambda peer: time.sleep(30))
    names = ("asio/cpp11/timeouts/blocking_tcp_client", "asio/cpp11/timeouts/blocking_token_tcp_client")
    for name in names:
        code, output = stage.run(name, HOST, echo.port, "message")
        stage.say(code, re.sub(r"\d+", "N", output))
    began = time.monotonic()
    started = [stage.start(name, HOST, silent.port, "message") for name in names]
    for client in started:
        stage.say(client.wait_end(EXAMPLE_TIMEOUT_SECONDS + 10), client.output())
    waited = time.monotonic() - began
    expect(EXAMPLE_TIMEOUT_SECONDS - 0.5 < waited < EXAMPLE_TIMEOUT_SECONDS + 6, f"the time limit took {waited:.1f} s")


@drives("asio/cpp11/timeouts/blocking_udp_client")
def timeouts_udp_client(stage):
    port = stage.port(socket.SOCK_DGRAM)
    # On a pipe its output would stay in its own buffer for as long as it runs.
    client = stage.start_on_terminal("asio/cpp11/timeouts/blocking_udp_client", HOST, port)
    wait_until(lambda: stage.bound_udp(port), "the client to bind")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"one", (HOST, port))
        client.wait_output("Received: one")
        client.wait_output("Receive error: ", EXAMPLE_TIMEOUT_SECONDS + 8)
        peer.sendto(b"two", (HOST, port))
        client.wait_output("Received: two")
    stage.say(client.output())
    stage.stop(client)


@drives("asio/cpp11/socks4/sync_client", needs_namespace=True)
def socks4(stage):
    proxy, requests = peers.socks4_proxy(stage)
    code, output = stage.run("asio/cpp11/socks4/sync_client", HOST, proxy.port, "chris")
    stage.say(code, output, requests)
    expect("through the proxy" in output, output)


@drives("asio/cpp11/futures/daytime_client", needs_namespace=True)
def futures_daytime(stage):
    peers.udp_peer(stage, lambda data: b"it is noon\n", DAYTIME_PORT)
    code, output = stage.run("asio/cpp11/futures/daytime_client", HOST)
    stage.say(code, output)
    expect("it is noon" in output, output)


def daytime_pair(client, server, kind):
    """The tutorial's clients against the tutorial's servers."""
    @drives(f"{client} with {server.split('/')[-2]}", client, server, needs_namespace=True)
    def drive(stage):
        program = stage.start(server)
        ready = stage.listens if kind == socket.SOCK_STREAM else stage.bound_udp
        wait_until(lambda: ready(DAYTIME_PORT) or not program.alive(), "the daytime port")
        for _ in range(3):
            code, output = stage.run(client, "127.0.0.1")
            stage.say(code, re.sub(CLOCK_TEXT, "DATE", output))
            expect(re.search(CLOCK_TEXT, output), output)
        stage.reactors |= program.reactors()
        stage.stop(program)
    return drive


TUTORIAL = "asio/any/tutorial/"
daytime_pair(TUTORIAL + "daytime1/client", TUTORIAL + "daytime2/server", socket.SOCK_STREAM)
daytime_pair(TUTORIAL + "daytime1/client", TUTORIAL + "daytime3/server", socket.SOCK_STREAM)
daytime_pair(TUTORIAL + "daytime1/client", TUTORIAL + "daytime7/server", socket.SOCK_STREAM)
daytime_pair(TUTORIAL + "daytime4/client", TUTORIAL + "daytime5/server", socket.SOCK_DGRAM)
daytime_pair(TUTORIAL + "daytime4/client", TUTORIAL + "daytime6/server", socket.SOCK_DGRAM)
daytime_pair(TUTORIAL + "daytime4/client", TUTORIAL + "daytime7/server", socket.SOCK_DGRAM)
daytime_pair("asio/any/iostreams/daytime_client", "asio/any/iostreams/daytime_server", socket.SOCK_STREAM)


@drives("asio/any/services/daytime_client", needs_namespace=True)
def services_daytime(stage):
    peers.tcp_peer(stage, lambda peer: peer.sendall(b"it is noon\n"), DAYTIME_PORT)
    code, output = stage.run("asio/any/services/daytime_client", HOST)
    stage.say(code, output, (stage.folder / "log.txt").read_text())


@drives("asio/any/fork/daemon", needs_namespace=True)
def daemon(stage):
    code, output = stage.run("asio/any/fork/daemon")
    stage.say(code, output)
    wait_until(lambda: stage.bound_udp(DAYTIME_PORT), "the daemon")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(10)
        for _ in range(3):
            peer.sendto(b"?", (HOST, DAYTIME_PORT))
            stage.say(re.sub(CLOCK_TEXT, "DATE", peer.recv(100).decode()))


@drives("asio/any/iostreams/http_client", needs_namespace=True)
def iostreams_http(stage):
    peers.web_server(stage, HTTP_PORT)
    code, output = stage.run("asio/any/iostreams/http_client", "localhost", "/page")
    stage.say(code, output)
    expect("/page by GET" in output, output)


def http_client(name):
    @drives(name, needs_namespace=True)
    def drive(stage):
        peers.web_server(stage, HTTP_PORT)
        for path in ("/page", "/missing"):
            code, output = stage.run(name, "localhost", path)
            stage.say(code, output)
    return drive


http_client("asio/any/http/client/async_client")
http_client("asio/any/http/client/sync_client")


def local_pair(client):
    @drives(f"asio/cpp11/local/{client}", "asio/cpp11/local/stream_server", f"asio/cpp11/local/{client}")
    def drive(stage):
        path = stage.folder / "socket"
        server = stage.start("asio/cpp11/local/stream_server", path)
        wait_until(path.exists, "the socket file")
        for text in ("first\n", "second message\n"):
            code, output = stage.run(f"asio/cpp11/local/{client}", path, text=text)
            stage.say(code, output)
        peer = socket.socket(socket.AF_UNIX)
        stage.on_close(peer.close)
        peer.connect(str(path))
        for _ in range(500):
            peer.sendall(b"x" * 1000)
            read_exactly(peer, 1000)
        stage.reactors |= server.reactors()
        stage.stop(server)
    return drive


local_pair("stream_client")
local_pair("iostream_client")


@drives("asio/cpp11/local/connect_pair")
def connect_pair(stage):
    program = stage.start_on_terminal("asio/cpp11/local/connect_pair")
    for text in ("to upper case", "second"):
        program.write(text + "\n")
        program.wait_output(f"Result: {text.upper()}\n")
    stage.say(program.output().split("Result")[1])
    stage.stop(program)


@drives("asio/cpp11/local/fd_passing_stream_client", "asio/cpp11/local/fd_passing_stream_server", "asio/cpp11/local/fd_passing_stream_client")
def fd_passing(stage):
    path, target = stage.folder / "socket", stage.folder / "written"
    server = stage.start("asio/cpp11/local/fd_passing_stream_server", path)
    wait_until(path.exists, "the socket file")
    code, output = stage.run("asio/cpp11/local/fd_passing_stream_client", path, text=f"{target}\n")
    stage.say(code, output.replace(str(target), "TARGET"), wait_until(lambda: target.exists() and target.read_text(), "the file"))
    stage.stop(server)


@drives("asio/cpp11/multicast", "asio/cpp11/multicast/receiver", "asio/cpp11/multicast/sender", needs_namespace=True)
def multicast(stage):
    receiver = stage.start("asio/cpp11/multicast/receiver", "0.0.0.0", MULTICAST_GROUP)
    wait_until(lambda: stage.bound_udp(30001), "the receiver")
    sender = stage.start("asio/cpp11/multicast/sender", MULTICAST_GROUP)
    receiver.wait_output("Message 3")
    stage.say("received in order", receiver.output().split("\n")[:4])
    stage.reactors |= receiver.reactors() | sender.reactors()
    stage.stop(sender)
    stage.stop(receiver)


@drives("asio/any/porthopper", "asio/any/porthopper/server", "asio/any/porthopper/client")
def porthopper(stage):
    port = stage.port()
    server = stage.serve("asio/any/porthopper/server", port, port=port)
    client = stage.start_on_terminal("asio/any/porthopper/client", HOST, port)
    client.wait_output(r"(?s)Renegotiation complete.*Renegotiation complete", 40)
    numbers = client.output().count("\n") > 80
    stage.say("frames before and after two changes of port", numbers)
    stage.stop(client)
    stage.stop(server)


@drives("asio/any/icmp/ping")
def ping(stage):
    program = stage.start_on_terminal("asio/any/icmp/ping", HOST)
    program.wait_output("icmp_seq=2")
    stage.reactors |= program.reactors()
    # The time of a round trip differs from run to run; everything else is the same.
    stage.say(re.sub(r"time.*", "", program.output().split("\n")[0]))
    stage.stop(program)


@drives("asio/any/serialization", "asio/any/serialization/server", "asio/any/serialization/client")
def serialization(stage):
    port = stage.port()
    server = stage.serve("asio/any/serialization/server", port, port=port)
    stage.say(*stage.run("asio/any/serialization/client", HOST, port))
    stage.stop(server)


def web_example(name, *middle, tail=()):
    """The small HTTP servers: a file, an index, a missing page, many requests, a clean end on a signal."""
    @drives(name)
    def drive(stage):
        stage.write_file("root/index.html", "<h1>index</h1>")
        stage.write_file("root/big.txt", b"0123456789" * 30000)
        port = stage.port()
        arguments = [HOST, port, *middle, stage.folder / "root", *tail]
        server = stage.serve(name, *arguments, port=port)
        for path in ("/index.html", "/", "/big.txt", "/missing", "/../secret"):
            code, body = stage.tool("curl", "-s", "--path-as-is", "-w", "%{http_code} %{content_type}", f"http://{HOST}:{port}{path}")
            stage.say(path, code, fingerprint(body), body[-40:])
        sockets = [stage.connect(port) for _ in range(30)]
        for peer in sockets:
            peer.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
        stage.say("parallel", sum(read_all(peer).endswith(b"index</h1>") for peer in sockets))
        stage.connect(port).sendall(b"not http at all\r\n\r\n")
        stage.stop(server, signal.SIGINT)
    return drive


web_example("asio/any/http/server")
web_example("asio/any/http/server2", 2)
web_example("asio/any/http/server3", 2)
web_example("asio/any/http/server4")


@drives("asio/cpp11/ssl/server")
def ssl_server(stage):
    stage.copy("libs/asio/example/cpp11/ssl/*.pem")
    port = stage.port()
    server = stage.serve("asio/cpp11/ssl/server", port, port=port)
    code, output = stage.tool("timeout", "10", "openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", f"{HOST}:{port}",
                              text=b"over tls\n", seconds=15)
    stage.say(code, output)
    stage.stop(server)


@drives("asio/cpp11/ssl/client", "asio/cpp11/ssl/server", "asio/cpp11/ssl/client")
def ssl_client(stage):
    stage.copy("libs/asio/example/cpp11/ssl/*.pem")
    port = stage.port()
    server = stage.serve("asio/cpp11/ssl/server", port, port=port)
    code, output = stage.run("asio/cpp11/ssl/client", HOST, port, text="over tls\n")
    stage.say(code, output)
    stage.stop(server)


def file_copy(name):
    @drives(name, files=True)
    def drive(stage):
        for size in (0, 1, 4096, 3_000_001):
            source = stage.write_file(f"source-{size}", bytes(i * 7 % 251 for i in range(size)))
            target = stage.folder / f"target-{size}"
            code, output = stage.run(name, source, target)
            stage.say(size, code, output, "equal", target.read_bytes() == source.read_bytes())
            expect(target.read_bytes() == source.read_bytes(), f"the copy of {size} bytes differs: {output}")
    return drive


file_copy("asio/any/files/async_file_copy")
file_copy("asio/any/files/blocking_file_copy")
