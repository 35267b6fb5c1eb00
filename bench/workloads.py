# Copyright (c) 2025 the asio_proactor authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
"""The benchmarks as a table: what runs, under which load, and what it is measured by."""
import itertools
import json
import os
import socket
import tempfile
from dataclasses import dataclass

import harness
import instructions
from results import BYTES, CALLS, CPU, RATE, STOCK, Goal

SCRATCH = tempfile.TemporaryDirectory(prefix="asio_proactor-bench-")
NUMBERS = itertools.count()
URING_STOCK = tuple(name for name in STOCK if "io_uring" in name)
VARIANTS = (*STOCK, "drop_in", "drop_in_epoll")
# How the program of a variant is started: see harness.command().
STARTS = {"drop_in_epoll": "drop_in@epoll", "drop_in_one_thread": "drop_in+threads=1",
          "drop_in_two_contexts": "drop_in+contexts=2"}
# A context for each thread shares nothing: no queue, lock or ring of one context for both can do better.
THREADED = (*STOCK, "drop_in", "drop_in_one_thread", "drop_in_two_contexts", "drop_in_epoll")
# How the floor is: as it is, or sending no more at once than Asio's async_write does.
FLOORS = {"floor": "", "floor_in_pieces": "+piece=65536"}
EVERY_VARIANT = (*STOCK, "drop_in", *STARTS, *FLOORS)


def faster_than_stock(factor):
    return Goal(RATE, factor, "stock")


# Where io_uring is forbidden, nothing is lost against stock Asio there.
EPOLL_GOAL = Goal(CPU, 1.0, "stock_epoll", "drop_in_epoll")
EPOLL_RATE_GOAL = Goal(RATE, 1.0, "stock_epoll", "drop_in_epoll")


def cpu_within_floor(factor):
    return Goal(CPU, factor, "floor")


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    source: str
    floor: str = ""
    goals: tuple = ()
    server: tuple = ()
    unit: str = "message"
    variants: tuple = VARIANTS
    every_core: bool = False  # The program may run on all cores; a load stays on its own.
    floors: tuple = ("floor",)

    def programs(self):
        """Program of each variant."""
        made = {variant: f"{self.source}.{STARTS.get(variant, variant)}" for variant in self.variants}
        return {**made, **{each: self.floor + FLOORS[each] for each in self.floors}} if self.floor else made

    def cpu(self):
        return os.sched_getaffinity(0) if self.every_core else harness.server_cpu()

    def helpers(self):
        return ()

    def serve(self, program, prefix=()):
        return harness.Server([*harness.command(program, prefix), *self.server], self.cpu())

    def count_instructions(self, program):
        """Figures that valgrind counts, per message; none where the program does other work beside."""
        return instructions.per_message(lambda prefix, milliseconds: self.messages(program, prefix, milliseconds))


@dataclass(frozen=True)
class Echo(Workload):
    load: tuple = ()

    def helpers(self):
        return ("floor_load",)

    def serve(self, program, prefix=()):
        # A name that is used once, so that nothing has to be removed between two servers.
        path = os.path.join(SCRATCH.name, f"{next(NUMBERS)}.sock")
        return harness.Server([*harness.command(program, prefix), f"--path={path}", *self.server], self.cpu())

    def measure(self, program, milliseconds):
        with self.serve(program) as server:
            return harness.run_load(server, self.load, milliseconds)

    def count(self, program, milliseconds):
        with self.serve(program) as server:
            return harness.count_under_load(server, self.load, milliseconds)

    def messages(self, program, prefix, milliseconds):
        with self.serve(program, prefix) as server:
            return harness.messages_and_end(server, self.load, milliseconds)


@dataclass(frozen=True)
class Http(Workload):
    """HTTP by the project's own load, which costs less than the servers do: here the server is the bottleneck."""
    connections: int = 64
    unit: str = "request"

    def helpers(self):
        return ("floor_load",)

    def load(self, server):
        return (*harness.http_exchange(server, SCRATCH.name), f"--connections={self.connections}")

    def measure(self, program, milliseconds):
        with self.serve(program) as server:
            return harness.run_load(server, self.load(server), milliseconds)

    def count(self, program, milliseconds):
        with self.serve(program) as server:
            return harness.count_under_load(server, self.load(server), milliseconds)

    def messages(self, program, prefix, milliseconds):
        with self.serve(program, prefix) as server:
            return harness.messages_and_end(server, self.load(server), milliseconds)


@dataclass(frozen=True)
class Wrk(Workload):
    """HTTP by wrk, which takes about as much CPU time as the servers and so often is the bottleneck itself."""
    connections: int = 64
    unit: str = "request"

    def measure(self, program, milliseconds):
        with self.serve(program) as server:
            return harness.run_wrk(server, self.connections, max(1, round(milliseconds / 1000)))

    def count(self, program, milliseconds):
        with self.serve(program) as server:
            return harness.count_under_wrk(server, self.connections, 1)

    def count_instructions(self, program):
        return {}  # As many as with the project's own load.


@dataclass(frozen=True)
class Program(Workload):
    """A program that loads itself and prints its own figures; its correctness is its exit status."""
    does_one_thing: bool = True

    def measure(self, program, milliseconds):
        command = [*harness.command(program), f"--ms={milliseconds}", *self.server]
        return json.loads(harness.run_bounded(command, milliseconds / 1000, self.cpu()))

    def count(self, program, milliseconds):
        return None

    def messages(self, program, prefix, milliseconds):
        command = [*harness.command(program, prefix), f"--ms={milliseconds}", *self.server]
        return json.loads(harness.run_bounded(command, milliseconds / 1000, self.cpu()))["messages"]

    def count_instructions(self, program):
        return super().count_instructions(program) if self.does_one_thing else {}


@dataclass(frozen=True)
class Memory(Workload):
    """What an idle connection with a read outstanding costs the server's own memory."""
    connections: int = 2000

    def measure(self, program, milliseconds):
        with self.serve(program) as server:
            # The first connections pay for what all of them share.
            first = self.connect(server, self.connections // 4)
            before = server.private_bytes()
            rest = self.connect(server, self.connections)
            grown = server.private_bytes() - before
            for each in first + rest:
                each.close()
        return {BYTES: grown / self.connections}

    def count_instructions(self, program):
        return {}

    @staticmethod
    def connect(server, count):
        made = [socket.create_connection(("127.0.0.1", int(server.where)), timeout=5) for _ in range(count)]
        # An echo from the newest one shows that all before it were accepted.
        made[-1].sendall(b"x")
        if made[-1].recv(1) != b"x":
            raise harness.Failure("the server did not echo")
        return made

    def count(self, program, milliseconds):
        return None


def echo(name, title, goals, connections, size=64, depth=1, protocol="tcp", server=(), load=(), floors=("floor",)):
    # Enough for a whole batch of small messages or one large one, the same for every variant.
    buffer = max(4096, size)
    return Echo(name, title, "echo", "floor_echo", (*goals, EPOLL_GOAL), (f"--protocol={protocol}", f"--buffer={buffer}", *server),
                load=(f"--protocol={protocol}", f"--connections={connections}", f"--size={size}", f"--depth={depth}", *load),
                floors=floors)


def threaded_echo(name, title, connections, goals, server=()):
    """On all cores, beside the same server with one thread: what a second running thread costs, and what it brings."""
    return Echo(name, f"{title}, two threads in run()", "echo", "", (*goals, EPOLL_RATE_GOAL), ("--threads=2", "--buffer=4096", *server),
                variants=THREADED, every_core=True,
                load=("--protocol=tcp", f"--connections={connections}", "--size=64", "--depth=1"))


def file(name, title, depth, times_stock, of_floor, more=()):
    # Asio has no files on epoll, so its io_uring backend is the only stock.
    return Program(name, f"random reads of 4 KiB, {title}", "file", "floor_file",
                   (faster_than_stock(times_stock), Goal(RATE, of_floor, "floor")), (f"--depth={depth}", *more),
                   "read", (*URING_STOCK, "drop_in", "drop_in_epoll"))


WORKLOADS = (
    echo("echo_1", "TCP echo, 64 B, 1 connection", (Goal("p50_us", 1.0, "stock"), Goal("p50_us", 1.1, "floor")), 1),
    echo("echo_64", "TCP echo, 64 B, 64 connections", (faster_than_stock(1.1), cpu_within_floor(1.05)), 64),
    echo("echo_512", "TCP echo, 64 B, 512 connections",
         (faster_than_stock(1.2), cpu_within_floor(1.05), Goal(CALLS, 0.05)), 512),
    echo("large_16k", "TCP echo, 16 KiB, 64 connections", (faster_than_stock(1.0), cpu_within_floor(1.1)), 64, 16384),
    echo("large_256k", "TCP echo, 256 KiB, 64 connections", (faster_than_stock(1.0), cpu_within_floor(1.1)), 64, 262144,
         floors=tuple(FLOORS)),
    echo("pipelined", "TCP echo, 64 B, 32 messages in flight on each of 64 connections",
         (faster_than_stock(1.3), cpu_within_floor(1.1)), 64, depth=32),
    echo("unix", "UNIX-socket echo, 64 B, 64 connections", (faster_than_stock(1.4), cpu_within_floor(1.15)), 64,
         protocol="unix"),
    echo("udp", "UDP echo, 64 B, 64 peers", (faster_than_stock(1.25), cpu_within_floor(1.15)), 64, protocol="udp"),
    echo("accept", "TCP connections accepted, served once and closed", (faster_than_stock(1.3), cpu_within_floor(1.15)), 64,
         server=("--once=1",), load=("--reconnect=1",)),
    threaded_echo("threads_64", "TCP echo, 64 B, 64 connections", 64,
                  (faster_than_stock(1.0), Goal(CPU, 1.15, "drop_in_one_thread"))),
    threaded_echo("threads_512", "TCP echo, 64 B, 512 connections", 512,
                  (faster_than_stock(1.0), Goal(CPU, 1.15, "drop_in_one_thread"))),
    threaded_echo("threads_busy", "TCP echo with 50 us of work for each message, 64 connections", 64,
                  (faster_than_stock(1.0), Goal(RATE, 1.5, "drop_in_one_thread")), ("--work-us=50",)),
    Memory("memory", "user-space memory of an idle connection with a read outstanding", "echo", "floor_echo",
           (Goal(BYTES, 0.5, "stock"), Goal(BYTES, 1024)), ("--buffer=64",)),
    *(Program(f"pairs_{count}", f"echo between both ends of {count} UNIX sockets in one process, two threads in run()", "pairs",
              goals=(faster_than_stock(1), EPOLL_RATE_GOAL), server=(f"--pairs={count}",), variants=THREADED, every_core=True)
      for count in (4, 64)),
    Program("post_chain", "handlers that each post the next one, one thread", "post",
            goals=(faster_than_stock(1 / 0.6),), server=("--mode=chain",), unit="handler"),
    Program("post_threads", "handlers posted by one thread to two others in run()", "post", "floor_post",
            goals=(faster_than_stock(4), EPOLL_RATE_GOAL), server=("--mode=threads",), unit="handler", every_core=True),
    Program("post_strands", "handlers that jump between two strands, 16 chains, two threads in run()", "post",
            goals=(faster_than_stock(1), EPOLL_RATE_GOAL), server=("--mode=strands",), unit="handler", every_core=True),
    *(Program(f"timers_{phase}", f"200 000 timers {what}", "timers", "floor_timers", (faster_than_stock(4),), (f"--phase={phase}",), "timer",
              does_one_thing=False)
      for phase, what in (("arm", "armed"), ("rearm", "armed again"), ("cancel", "cancelled"))),
    file("file_1", "cached, 1 in flight", 1, 1.7, 0.9),
    file("file_32", "cached, 32 in flight", 32, 2.8, 0.9),
    file("file_128", "cached, 128 in flight", 128, 2.8, 0.9),
    file("file_direct", "O_DIRECT, 32 in flight", 32, 1.2, 0.97, ("--direct=1",)),
    Http("http_64", "Beast HTTP keep-alive, 64 connections", "http", goals=(faster_than_stock(1.15), EPOLL_GOAL), connections=64),
    Http("http_512", "Beast HTTP keep-alive, 512 connections", "http", goals=(faster_than_stock(1.2), EPOLL_GOAL), connections=512),
    Wrk("wrk_64", "Beast HTTP keep-alive, wrk with 64 connections", "http", goals=(faster_than_stock(1.15),), connections=64),
    Wrk("wrk_512", "Beast HTTP keep-alive, wrk with 512 connections", "http", goals=(faster_than_stock(1.2),),
        connections=512),
)


def chosen(names):
    """Rows whose name is given or starts with a given name and an underscore; all of them for no name."""
    if not names:
        return list(WORKLOADS)
    rows = [row for row in WORKLOADS if any(row.name == name or row.name.startswith(name + "_") for name in names)]
    unknown = [name for name in names
               if not any(row.name == name or row.name.startswith(name + "_") for row in WORKLOADS)]
    if unknown:
        known = " ".join(row.name for row in WORKLOADS)
        raise harness.Failure(f"no workload {' '.join(unknown)}; there are: {known}")
    return rows
