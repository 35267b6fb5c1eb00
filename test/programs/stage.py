"""The place a case runs in: starts example programs, talks to them, writes down what was observed, stops them.

A case runs in a network, mount and process namespace of its own when the machine allows it, so fixed
ports in an example's source neither collide nor leave the machine.
"""

import hashlib
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HOST = "127.0.0.1"

# How long a case waits for anything that should happen at once; generous because the machine may be busy.
PATIENCE_SECONDS = 20

# How long a program may take to end after it was asked to.
STOP_SECONDS = 8


class CaseFailed(AssertionError):
    """What was observed is not what the example documents."""


class CaseSkipped(Exception):
    """The case cannot be driven here; the text says why."""


def expect(condition, what):
    if not condition:
        raise CaseFailed(what)


def fingerprint(data):
    """A short stand-in for bytes in a transcript."""
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()[:12]}"


def wait_until(condition, what, seconds=PATIENCE_SECONDS):
    """Polls a condition; returns its value once it is true."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        expect(time.monotonic() < end, f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


class actor:
    """A started program: its output is collected while it runs, and it is stopped by its process id."""

    def __init__(self, name, command, folder, environment, terminal=None):
        self.name = name
        self.chunks_ = []
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=terminal[1] if terminal else subprocess.PIPE,
            stderr=subprocess.STDOUT)
        if terminal:
            os.close(terminal[1])
        self.source_ = terminal[0] if terminal else self.process.stdout.fileno()
        self.reader_ = threading.Thread(target=self.collect, daemon=True)
        self.reader_.start()

    def collect(self):
        while True:
            try:
                data = os.read(self.source_, 65536)
            except OSError:
                # A terminal whose last user has gone reports an error instead of an end.
                return
            if not data:
                return
            self.chunks_.append(data)

    def output(self):
        return b"".join(self.chunks_).decode(errors="replace").replace("\r", "")

    def write(self, text):
        self.process.stdin.write(text if isinstance(text, bytes) else text.encode())
        self.process.stdin.flush()

    def close_input(self):
        self.process.stdin.close()

    def alive(self):
        return self.process.poll() is None

    def wait_output(self, pattern, seconds=PATIENCE_SECONDS):
        """Waits until the output matches; a program that ended without it fails at once."""
        def found():
            match = re.search(pattern, self.output())
            if not match and not self.alive():
                self.reader_.join(1)
                match = re.search(pattern, self.output())
                expect(match, f"{self.name} ended with {self.process.returncode} before '{pattern}': {self.output()[-400:]}")
            return match
        return wait_until(found, f"'{pattern}' from {self.name}, which said: {self.output()[-300:]!r}", seconds)

    def wait_end(self, seconds=PATIENCE_SECONDS):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise CaseFailed(f"{self.name} did not end within {seconds} s; it said: {self.output()[-400:]!r}") from None
        self.reader_.join(STOP_SECONDS)
        return code

    def reactors(self):
        """Which kernel interfaces the process holds open: proof of which backend it really runs on."""
        kinds = set()
        folder = f"/proc/{self.process.pid}/fd"
        try:
            for entry in os.listdir(folder):
                try:
                    target = os.readlink(f"{folder}/{entry}")
                except OSError:
                    continue
                if "io_uring" in target:
                    kinds.add("io_uring")
                elif "eventpoll" in target:
                    kinds.add("epoll")
        except OSError:
            pass
        return kinds

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()


class stage:
    """One case's view of the world."""

    def __init__(self, programs, examples, isolated, environment):
        self.programs_ = programs
        self.examples_ = pathlib.Path(examples)
        self.isolated = isolated
        self.environment_ = {**os.environ, **environment}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="case-"))
        self.actors_ = []
        self.closers_ = []
        self.transcript = []
        self.reactors = set()

    def say(self, *words):
        """Adds a line to the transcript that is compared between the stock build and the drop-in build."""
        self.transcript.append(" ".join(str(word) for word in words))

    def start(self, name, *arguments):
        started = actor(name, [self.programs_[name]] + [str(a) for a in arguments], self.folder, self.environment_)
        self.actors_.append(started)
        return started

    def start_on_terminal(self, name, *arguments):
        """Like start, but with a terminal as output, so that the program's lines arrive while it runs."""
        ours, theirs = pty.openpty()
        started = actor(name, [self.programs_[name]] + [str(a) for a in arguments], self.folder, self.environment_, (ours, theirs))
        self.actors_.append(started)
        return started

    def serve(self, name, *arguments, port=None, host=HOST):
        """Starts a TCP server and waits until it listens."""
        server = self.start(name, *arguments)
        wait_until(lambda: not server.alive() or self.listens(port, host), f"{name} to listen on {port}")
        expect(server.alive(), f"{name} ended at once: {server.output()[-400:]}")
        self.reactors |= server.reactors()
        return server

    def run(self, name, *arguments, text="", seconds=PATIENCE_SECONDS):
        """Runs a program to its end with the given input; returns (exit code, output)."""
        started = self.start(name, *arguments)
        try:
            started.write(text)
            started.close_input()
        except BrokenPipeError:
            pass
        return started.wait_end(seconds), started.output()

    def stop(self, server, with_signal=signal.SIGTERM):
        """Asks a server to end and says how it did; one that is already gone is a failure."""
        expect(server.alive(), f"{server.name} ended by itself with {server.process.returncode}: {server.output()[-400:]}")
        self.reactors |= server.reactors()
        server.process.send_signal(with_signal)
        try:
            code = server.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise CaseFailed(f"{server.name} did not end within {STOP_SECONDS} s of signal {int(with_signal)}") from None
        self.say(pathlib.Path(server.name).name, "ended with", code)
        return code

    def copy(self, pattern):
        """Copies data files that stand beside an example's source into the working folder."""
        found = sorted(self.examples_.glob(pattern))
        expect(found, f"no {pattern} among the examples")
        for path in found:
            shutil.copy(path, self.folder)

    def write_file(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def port(self, kind=socket.SOCK_STREAM):
        """A port that is free at this moment; nobody else is in the namespace to take it."""
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind((HOST, 0))
            return probe.getsockname()[1]

    def listens(self, port, host=HOST):
        """Whether a TCP port is in the listening state, without connecting to it."""
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            try:
                lines = pathlib.Path(table).read_text().splitlines()[1:]
            except OSError:
                continue
            for line in lines:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == int(port):
                    return True
        return False

    def bound_udp(self, port):
        """Whether a UDP port is bound."""
        lines = pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]
        lines += pathlib.Path("/proc/net/udp6").read_text().splitlines()[1:]
        return any(int(line.split()[1].split(":")[1], 16) == int(port) for line in lines)

    def connect(self, port, host=HOST):
        """A connected socket of ours that is closed with the stage."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                peer = socket.create_connection((host, port), timeout=PATIENCE_SECONDS)
                break
            except ConnectionRefusedError:
                expect(time.monotonic() < end, f"nobody accepts on {port}")
                time.sleep(0.02)
        self.closers_.append(peer.close)
        return peer

    def tool(self, *command, text=None, seconds=PATIENCE_SECONDS):
        """Runs a client program of the system; returns (exit code, output bytes)."""
        done = subprocess.run([str(word) for word in command], input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=seconds, cwd=self.folder)
        return done.returncode, done.stdout

    def on_close(self, action):
        self.closers_.append(action)

    def outputs(self):
        """What every program said, for the report of a failure."""
        return "\n".join(f"--- {one.name}: {one.output()[-600:]}" for one in self.actors_)

    def close(self):
        for one in self.actors_:
            one.kill()
        for action in reversed(self.closers_):
            try:
                action()
            except OSError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)


def read_exactly(peer, size):
    data = b""
    while len(data) < size:
        block = peer.recv(min(65536, size - len(data)))
        expect(block, f"the peer closed after {len(data)} of {size} bytes")
        data += block
    return data


def read_all(peer):
    """Everything until the peer closes; a reset is shown as such."""
    data = b""
    try:
        while True:
            block = peer.recv(65536)
            if not block:
                return data
            data += block
    except ConnectionResetError:
        return data + b"<reset>"


def read_line(peer):
    data = b""
    while not data.endswith(b"\n"):
        block = peer.recv(1)
        expect(block, f"the peer closed after {data!r}")
        data += block
    return data
