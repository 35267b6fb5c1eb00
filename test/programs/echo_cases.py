"""Echo servers of every style, and the clients that come with them."""

import socket
import time

import peers
from catalogue import drives
from stage import HOST, expect, read_all, read_exactly, wait_until

# The port in the source of the coroutine examples.
COROUTINE_PORT = 55555


def tcp_echo_server(name, *more_arguments):
    """A server whose only argument is its port."""
    @drives(name)
    def drive(stage):
        port = stage.port()
        server = stage.serve(name, port, *more_arguments, port=port)
        peers.echo_conversation(stage, port)
        stage.stop(server)
    return drive


for server_name in (
        "asio/cpp11/echo/async_tcp_echo_server", "asio/cpp11/echo/blocking_tcp_echo_server",
        "asio/cpp11/allocation/server", "asio/cpp11/handler_tracking/async_tcp_echo_server",
        "asio/cpp11/nonblocking/third_party_lib", "asio/cpp11/fork/process_per_connection",
        "asio/cpp11/spawn/echo_server", "asio/cpp03/echo/async_tcp_echo_server", "asio/cpp03/spawn/echo_server"):
    tcp_echo_server(server_name)


def coroutine_echo_server(name):
    """A C++20 coroutine server with its port in its source."""
    @drives(name, needs_namespace=True)
    def drive(stage):
        server = stage.serve(name, port=COROUTINE_PORT)
        peers.echo_conversation(stage, COROUTINE_PORT)
        # These servers handle both signals and end on their own.
        stage.stop(server)
    return drive


for server_name in (
        "echo_server", "refactored_echo_server", "echo_server_with_default", "echo_server_with_deferred",
        "echo_server_with_deferred_default", "echo_server_with_as_tuple_default", "echo_server_with_as_single_default"):
    coroutine_echo_server("asio/cpp20/coroutines/" + server_name)


def udp_echo_server(name):
    @drives(name)
    def drive(stage):
        port = stage.port(socket.SOCK_DGRAM)
        server = stage.start(name, port)
        peers.udp_conversation(stage, port)
        stage.reactors |= server.reactors()
        stage.stop(server)
    return drive


for server_name in (
        "asio/cpp11/echo/async_udp_echo_server", "asio/cpp11/echo/blocking_udp_echo_server",
        "asio/cpp03/echo/async_udp_echo_server"):
    udp_echo_server(server_name)


@drives("asio/cpp11/echo clients", "asio/cpp11/echo/async_tcp_echo_server", "asio/cpp11/echo/blocking_tcp_echo_client",
        "asio/cpp11/echo/async_udp_echo_server", "asio/cpp11/echo/blocking_udp_echo_client")
def echo_clients(stage):
    for kind, server_name, client_name in (
            (socket.SOCK_STREAM, "asio/cpp11/echo/async_tcp_echo_server", "asio/cpp11/echo/blocking_tcp_echo_client"),
            (socket.SOCK_DGRAM, "asio/cpp11/echo/async_udp_echo_server", "asio/cpp11/echo/blocking_udp_echo_client")):
        port = stage.port(kind)
        server = stage.start(server_name, port)
        wait_until(lambda: stage.listens(port) or stage.bound_udp(port), "the server")
        code, output = stage.run(client_name, HOST, port, text="a message\n")
        stage.say(code, output)
        expect("Reply is: a message" in output, output)
        stage.stop(server)


@drives("asio/cpp11/buffers/reference_counted")
def reference_counted(stage):
    port = stage.port()
    server = stage.serve("asio/cpp11/buffers/reference_counted", port, port=port)
    data = read_all(stage.connect(port)).decode()
    # The time of day, which is as long in every run.
    stage.say("greeting of", len(data), "bytes, newline at the end:", data.endswith("\n"))
    stage.stop(server)


@drives("asio/cpp20/channels/throttling_proxy", "asio/cpp20/channels/throttling_proxy", "asio/cpp11/echo/async_tcp_echo_server")
def throttling_proxy(stage):
    target, port = stage.port(), stage.port()
    server = stage.serve("asio/cpp11/echo/async_tcp_echo_server", target, port=target)
    proxy = stage.serve("asio/cpp20/channels/throttling_proxy", HOST, port, HOST, target, port=port)
    peer = stage.connect(port)
    payload = bytes(range(250)) * 400
    peer.sendall(payload)
    stage.say("through the proxy", read_exactly(peer, len(payload)) == payload)
    stage.stop(proxy)
    stage.stop(server)


@drives("asio/cpp20/coroutines/timeout", needs_namespace=True)
def coroutine_timeout(stage):
    port = 54321
    server = stage.serve("asio/cpp20/coroutines/timeout", port=port)
    peer = stage.connect(port)
    peer.sendall(b"hello")
    stage.say(read_exactly(peer, 5))
    peer.settimeout(30)
    began = time.monotonic()
    stage.say("idle connection ends with", read_all(peer))
    waited = time.monotonic() - began
    expect(9 < waited < 14, f"the ten seconds of the watchdog took {waited:.1f} s")
    stage.stop(server)


def composed_operation(number):
    """Each of these programs serves three or four connections in a row on one port and then ends."""
    name = f"asio/cpp20/operations/composed_{number}"

    @drives(name, needs_namespace=True)
    def drive(stage):
        program = stage.start(name)
        while True:
            try:
                peer = socket.create_connection((HOST, COROUTINE_PORT), timeout=10)
            except ConnectionRefusedError:
                if not program.alive():
                    break
                time.sleep(0.02)
                continue
            with peer:
                stage.say(read_all(peer))
        stage.say("ended with", program.wait_end(), program.output())
    return drive


for composed_number in range(1, 9):
    composed_operation(composed_number)
