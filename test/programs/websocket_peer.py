"""A WebSocket client and an echo server from Debian's python3-websockets, an implementation independent of Beast."""

import asyncio
import ssl
import threading

from stage import CaseSkipped, fingerprint

try:
    import websockets
except ImportError:
    websockets = None

# Several frames and several reads of any server's buffer.
LARGE_MESSAGE_BYTES = 200 * 1024

# Clients that are connected at the same time.
CLIENTS = 8

TIMEOUT_SECONDS = 20


def require():
    if websockets is None:
        raise CaseSkipped("python3-websockets is not installed")


def trusting_context(secure):
    """These servers carry a test certificate that nobody signed."""
    if not secure:
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def echo_session(uri, secure, say):
    async with websockets.connect(uri, ssl=trusting_context(secure), max_size=None, compression="deflate") as peer:
        await peer.send("hello")
        say("text", await peer.recv())
        await peer.send(b"\0\1\2")
        say("binary", await peer.recv())
        large = bytes(range(256)) * (LARGE_MESSAGE_BYTES // 256)
        await peer.send([large[:1000], large[1000:70000], large[70000:]])
        say("fragmented message", fingerprint(await peer.recv()))
        pong = await peer.ping(b"are you there")
        await asyncio.wait_for(pong, TIMEOUT_SECONDS)
        say("pong received")
        await peer.send("")
        say("empty", repr(await peer.recv()))
    say("closed with", peer.close_code)


async def many_sessions(uri, secure, say):
    async def one(number):
        async with websockets.connect(uri, ssl=trusting_context(secure)) as peer:
            for turn in range(10):
                await peer.send(f"{number}/{turn}")
                if await peer.recv() != f"{number}/{turn}":
                    return 0
        return 1
    say("parallel sessions in order", sum(await asyncio.gather(*[one(n) for n in range(CLIENTS)])))


def echo_conversation(stage, port, secure=False):
    """What every WebSocket echo server must do."""
    require()
    uri = f"{'wss' if secure else 'ws'}://127.0.0.1:{port}/"

    async def all_sessions():
        await asyncio.wait_for(echo_session(uri, secure, stage.say), TIMEOUT_SECONDS)
        await asyncio.wait_for(many_sessions(uri, secure, stage.say), TIMEOUT_SECONDS)
    asyncio.run(all_sessions())


def chat_conversation(stage, port, path="/"):
    """Two clients of a chat server: what one says, both hear."""
    require()
    uri = f"ws://127.0.0.1:{port}{path}"

    async def talk():
        async with websockets.connect(uri) as one, websockets.connect(uri) as two:
            for speaker, text in ((one, "from one"), (two, "from two")):
                await speaker.send(text)
                stage.say("one hears", await one.recv(), "and two hears", await two.recv())
    asyncio.run(asyncio.wait_for(talk(), TIMEOUT_SECONDS))


def echo_server(stage, certificate=None):
    """An echo server in a thread for Beast's WebSocket clients. Returns its port."""
    require()
    ready = threading.Event()
    found = {}

    async def echo(peer, *_):
        async for message in peer:
            await peer.send(message)

    async def serve():
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        async with websockets.serve(echo, "127.0.0.1", 0, ssl=context) as server:
            found["port"] = server.sockets[0].getsockname()[1]
            ready.set()
            await asyncio.Future()
    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    ready.wait(TIMEOUT_SECONDS)
    return found["port"]
