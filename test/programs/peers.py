"""The other side of the examples: small servers in threads, and clients for protocols that curl does not speak."""

import http.server
import socket
import socketserver
import ssl
import subprocess
import threading

from stage import HOST, expect, read_all, read_exactly

# How many connections an echo check opens at once.
PARALLEL_CONNECTIONS = 20

# Larger than the socket buffers, so that a server must cope with partial writes.
BULK_BYTES = 512 * 1024


class tcp_peer(socketserver.ThreadingTCPServer):
    """A TCP server in a thread; `talk(socket)` is its whole protocol."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, stage, talk, port=0):
        class handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    talk(self.request)
                except OSError:
                    pass
        super().__init__((HOST, port), handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        stage.on_close(self.server_close)
        stage.on_close(self.shutdown)


def udp_peer(stage, answer, port=0):
    """A UDP server in a thread; `answer(datagram)` gives the reply, or None for silence. Returns its port."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind((HOST, port))

    def serve():
        while True:
            try:
                data, sender = peer.recvfrom(65536)
                reply = answer(data)
                if reply is not None:
                    peer.sendto(reply, sender)
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()
    stage.on_close(peer.close)
    return peer.getsockname()[1]


def echo_conversation(stage, port):
    """What every TCP echo server must do; each observation is a line of the transcript."""
    first = stage.connect(port)
    first.sendall(b"hello\n")
    stage.say("echo", read_exactly(first, 6))
    many = [stage.connect(port) for _ in range(PARALLEL_CONNECTIONS)]
    for number, peer in enumerate(many):
        peer.sendall(b"number %d" % number)
    right = sum(read_exactly(peer, len(b"number %d" % n)) == b"number %d" % n for n, peer in enumerate(many))
    stage.say("parallel connections echoed", right)
    bulk = bytes(range(256)) * (BULK_BYTES // 256)
    sender = threading.Thread(target=first.sendall, args=(bulk,), daemon=True)
    sender.start()
    stage.say("bulk is intact", read_exactly(first, len(bulk)) == bulk)
    sender.join()
    # A peer that goes away without a farewell must not disturb the others.
    many[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    many[0].close()
    many[1].sendall(b"still there")
    stage.say("after a reset elsewhere", read_exactly(many[1], 11))
    many[2].shutdown(socket.SHUT_WR)
    stage.say("after our end of stream", read_all(many[2]))


def udp_conversation(stage, port):
    """What every UDP echo server must do."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(1)
        for attempt in range(20):
            # The first datagram may come before the server has bound its port.
            peer.sendto(b"first", (HOST, port))
            try:
                data, _ = peer.recvfrom(2048)
                break
            except (TimeoutError, ConnectionRefusedError):
                continue
        else:
            expect(False, "no answer to any datagram")
        stage.say("echo", data)
        for size in (1, 500, 1024):
            peer.sendto(b"x" * size, (HOST, port))
            data, sender = peer.recvfrom(2048)
            while data == b"first":
                data, sender = peer.recvfrom(2048)
            stage.say("datagram of", size, "comes back as", len(data), "from the server's port", sender[1] == port)


def socks4_proxy(stage, port=0):
    """A SOCKS4 proxy that grants every request and then answers HTTP itself. Returns (server, requests)."""
    requests = []

    def talk(peer):
        head = read_exactly(peer, 8)
        user = b""
        while not user.endswith(b"\0"):
            user += read_exactly(peer, 1)
        requests.append((head[0], head[1], int.from_bytes(head[2:4], "big"), socket.inet_ntoa(head[4:8]), user[:-1]))
        peer.sendall(b"\0\x5a" + head[2:8])
        request = b""
        while b"\r\n\r\n" not in request:
            request += peer.recv(4096)
        requests.append(request.split(b"\r\n")[0])
        peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nthrough the proxy\n")
    return tcp_peer(stage, talk, port), requests


class web_handler(http.server.BaseHTTPRequestHandler):
    """Answers the same for the same request, without a date, so that outputs can be compared byte by byte."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"<p>" + self.path.encode() + b" by " + self.command.encode() + b"</p>\n"
        self.send_response_only(404 if "missing" in self.path else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_):
        pass


def web_server(stage, port=0, certificate=None):
    """A small web server in a thread, with TLS when given a certificate. Returns its port."""
    server = http.server.ThreadingHTTPServer((HOST, port), web_handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    stage.on_close(server.server_close)
    stage.on_close(server.shutdown)
    return server.server_address[1]


def own_certificate(stage):
    """A fresh self-signed certificate for localhost: (certificate file, key file)."""
    pair = str(stage.folder / "own.pem"), str(stage.folder / "own.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    return pair
