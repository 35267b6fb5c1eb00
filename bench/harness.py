# Copyright (c) 2025 the asio_proactor authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
"""Starts servers and load, measures them, and counts system calls. Standard library only."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "release")
RESULTS = os.path.join(ROOT, "build", "bench")
NEWEST_BOOST = "1.92"
NEWEST_STOCK = ".stock_io_uring_192"
# The best that was found for its rings; see doc/performance.md. The environment of bench/run goes before.
NEWEST_STOCK_SETTINGS = {"BENCH_REACTOR_IO_URING_SUBMIT_BATCH_SIZE": "1024"}
STOP_LIMIT_S = 5
# Load that has not ended this long after its time is hung, and the run fails.
GRACE_S = 30


class Failure(Exception):
    """Something that was measured did not do its work."""


def newest_boost():
    """The headers of Boost 1.92, fetched if need be, or nothing where no archive offers them."""
    fetched = subprocess.run([os.path.join(ROOT, "test", "boost_matrix"), NEWEST_BOOST], capture_output=True, text=True)
    if fetched.returncode:
        print(f"stock Asio of Boost {NEWEST_BOOST} left out: {fetched.stderr.strip().splitlines()[-1]}")
        return ""
    return fetched.stdout.strip()


def configure(with_newest_boost):
    """Configures the release preset. What needs another Boost is left as it is unless asked for."""
    newest = [f"-DASIO_PROACTOR_BENCH_NEWEST_BOOST_INCLUDE_DIR={newest_boost()}"] if with_newest_boost else []
    logged(["cmake", "--preset", "release", *newest], "configure.log")


def build(*targets, fresh=False):
    """Builds the given targets of the release preset with both cores; fresh: without what was built before."""
    if not os.path.exists(os.path.join(BUILD, "CMakeCache.txt")):
        configure(with_newest_boost=False)
    if fresh:
        logged(["cmake", "--build", BUILD, "--target", "clean"], "build.log")
    logged(["cmake", "--build", BUILD, "-j2", "--target", *targets], "build.log")


def logged(command, name):
    log = os.path.join(BUILD, name)
    os.makedirs(BUILD, exist_ok=True)
    with open(log, "w") as output:
        ran = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    if ran.returncode:
        sys.stderr.write(open(log).read()[-4000:])
        raise Failure(f"{' '.join(command)} failed; see {log}")


def targets():
    """Names of the programs that the configured build knows."""
    listed = subprocess.run(["cmake", "--build", BUILD, "--target", "help"], capture_output=True, text=True).stdout
    return {line.split(":")[0].strip() for line in listed.splitlines() if ":" in line}


def server_cpu():
    return min(os.sched_getaffinity(0))


def load_cpu():
    return max(os.sched_getaffinity(0))


def placed(cpu):
    """Returns what a child does before exec: stay on its core, and go before whatever else the machine is doing."""
    def prepare():
        os.setsid()
        os.sched_setaffinity(0, {cpu} if isinstance(cpu, int) else cpu)
        try:
            # Inside a session, nice is relative to the session's own group, so the group is what has to be raised.
            with open("/proc/self/autogroup", "w") as group:
                group.write("-20")
        except OSError:
            pass
    return prepare


class Server:
    """A program under test: prints where it listens on its first line and ends by SIGTERM."""

    def __init__(self, command, cpu=None, environment=None):
        cpu = server_cpu() if cpu is None else cpu
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        preexec_fn=placed(cpu), env={**os.environ, **(environment or {})})
        self.pid = self.process.pid
        self.where = self.process.stdout.readline().strip()
        if not self.where:
            self.stop()
            raise Failure(f"{command[0]} did not start: {self.error_text()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def url(self):
        return self.where if self.where.startswith("http") else f"http://127.0.0.1:{self.where}/"

    def port(self):
        return int(re.search(r"(\d+)/?$", self.where).group(1))

    def cpu_seconds(self):
        # The clock of another process's CPU time, as clock_getcpuclockid(3) makes it: exact, where /proc has 10 ms ticks.
        return time.clock_gettime((~self.pid << 3) | 2)

    def private_bytes(self):
        """Memory of its own that the process has touched."""
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read()

    def ended(self, seconds):
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def nudge(self):
        """Makes a server that waits for I/O turn once more: under valgrind a signal does not end the waiting."""
        if self.where.startswith("/"):
            with socket.socket(socket.AF_UNIX) as stream:
                stream.connect(self.where)
            return
        try:
            socket.create_connection(("127.0.0.1", self.port()), timeout=1).close()
        except ConnectionRefusedError:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
                # Nothing but work makes valgrind look for signals here: so many that a time slice of it is over.
                for _ in range(5000):
                    datagram.sendto(b"x", ("127.0.0.1", self.port()))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        if not self.ended(STOP_LIMIT_S):
            self.process.kill()
            self.process.wait()

    def stop_traced(self):
        """Ends a server under valgrind so that it writes its profile."""
        self.process.terminate()
        for _ in range(20):
            if self.ended(0.3):
                return
            try:
                self.nudge()
            except OSError:
                pass  # It has ended just now.
        raise Failure("the server did not end under valgrind")


def run_bounded(command, seconds, cpu=None, **options):
    """Runs a load to its end and returns its standard output; a load that fails or hangs is a Failure."""
    cpu = load_cpu() if cpu is None else cpu
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=placed(cpu), **options)
    try:
        output, errors = process.communicate(timeout=seconds + GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failure(f"{command[0]} hung")
    if process.returncode:
        raise Failure(f"{' '.join(command)}: {errors.strip()}")
    return output


def children_cpu_seconds():
    """CPU time of the children that have been waited for: between two calls, that is the load."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


WRK_UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}


def wrk_latency(output, percentile):
    found = re.search(rf"^\s+{percentile}%\s+([\d.]+)(us|ms|s|m)$", output, re.MULTILINE)
    return float(found.group(1)) * WRK_UNITS[found.group(2)]


def wrk_command(server, connections, seconds):
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", server.url()]


def run_wrk(server, connections, seconds):
    """Puts wrk on the server and returns the same figures as the project's own load generator does."""
    before, wrk_before, start = server.cpu_seconds(), children_cpu_seconds(), time.monotonic()
    output = run_bounded(wrk_command(server, connections, seconds), seconds)
    used, wall = server.cpu_seconds() - before, time.monotonic() - start
    wrk_used = children_cpu_seconds() - wrk_before
    for trouble in ("Socket errors", "Non-2xx"):
        if trouble in output:
            raise Failure("wrk: " + next(line for line in output.splitlines() if trouble in line).strip())
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    return {"messages": requests, "messages_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
            "server_cpu_us_per_message": used * 1e6 / requests, "server_busy": used / wall, "load_busy": wrk_used / wall,
            "p50_us": wrk_latency(output, 50), "p99_us": wrk_latency(output, 99), "total_messages": requests}


# Counted by name; any other call is counted as "other". Opening a tracepoint for each of the 350 calls takes perf seconds.
NAMED_CALLS = ("io_uring_enter epoll_wait epoll_pwait epoll_ctl recvmsg recvfrom sendmsg sendto read write readv writev "
               "accept accept4 close shutdown setsockopt timerfd_settime futex pread64 preadv "
               "brk mmap munmap madvise").split()
# Made by malloc, whatever the loop does.
MEMORY_CALLS = {"brk", "mmap", "munmap", "madvise", "mremap"}


class NoTracer(Failure):
    """System calls cannot be counted here."""


class PerfCounter:
    """Counts every system call of a process with tracepoints: exact, and next to free for the process."""

    def __init__(self, pid):
        self.file = tempfile.NamedTemporaryFile(mode="r", suffix=".perf")
        control_in, self.control = os.pipe()
        self.answers, answer_out = os.pipe()
        # One group, begun and ended as a whole: counters that begin one after the other do not add up.
        events = ",".join(["raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in NAMED_CALLS)])
        self.process = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-o", self.file.name, "-D", "-1", "-e", "{" + events + "}", "-p", str(pid),
             f"--control=fd:{control_in},{answer_out}"],
            pass_fds=(control_in, answer_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(control_in)
        os.close(answer_out)
        self.tell("enable")

    def tell(self, word):
        try:
            os.write(self.control, (word + "\n").encode())
        except BrokenPipeError:
            pass
        if not os.read(self.answers, 16):
            self.process.wait()
            raise NoTracer("perf cannot count system calls here")

    def counts(self):
        self.tell("disable")
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_LIMIT_S)
        os.close(self.control)
        os.close(self.answers)
        counted = {}
        for line in self.file:
            parts = line.split(",")
            if len(parts) > 2 and "sys_enter" in parts[2] and parts[0].isdigit() and int(parts[0]):
                counted[parts[2].replace("syscalls:sys_enter_", "")] = int(parts[0])
        other = counted.pop("raw_syscalls:sys_enter", 0) - sum(counted.values())
        return {**counted, "other": other} if other > 0 else counted


def strace_summary(lines):
    """Calls by name, from what strace -c has written."""
    counted = {}
    for line in lines:
        parts = line.split()
        if len(parts) >= 5 and parts[3].isdigit() and parts[-1] != "total":
            counted[parts[-1]] = int(parts[3])
    return counted


class StraceCounter:
    """The same by strace, where perf is not allowed. It slows the process down, so batches grow."""

    def __init__(self, pid):
        self.file = tempfile.NamedTemporaryFile(mode="r", suffix=".strace")
        self.process = subprocess.Popen(["strace", "-f", "-c", "-o", self.file.name, "-p", str(pid)],
                                        stderr=subprocess.PIPE, text=True)
        if "attached" not in self.process.stderr.readline():
            self.process.wait()
            raise NoTracer("strace cannot attach here")

    def counts(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_LIMIT_S)
        self.process.stderr.close()
        return strace_summary(self.file)


def system_call_counter(pid):
    """Returns a running counter for the process and the tracer's name."""
    if shutil.which("perf"):
        try:
            return PerfCounter(pid), "perf"
        except Failure:
            pass
    if shutil.which("strace"):
        return StraceCounter(pid), "strace"
    raise NoTracer("neither perf nor strace is installed")


def program(name, folder="bench"):
    return os.path.join(BUILD, folder, name)


def command(name, prefix=()):
    """What runs a program of the benches. NAME@DRIVER: on that driver of the library. NAME+OPTION: with --OPTION."""
    name, _, option = name.partition("+")
    made, _, driver = name.partition("@")
    environment = [f"ASIO_PROACTOR_DRIVER={driver}"] if driver else []
    if made.endswith(NEWEST_STOCK):
        environment += [f"{key}={value}" for key, value in NEWEST_STOCK_SETTINGS.items() if key not in os.environ]
    return [*(["env", *environment] if environment else []), *prefix, program(made),
            *([f"--{option}"] if option else [])]


def executable(name):
    """The file behind such a name."""
    return re.split("[@+]", name)[0]


def load_command(server, arguments, milliseconds, hold=False):
    where = f"--path={server.where}" if server.where.startswith("/") else f"--port={server.port()}"
    return [program("floor_load"), where, f"--pid={server.pid}", f"--ms={milliseconds}", *arguments,
            *(["--hold=1"] if hold else [])]


def http_exchange(server, folder):
    """Fetches the page once and returns the options that make the load ask for it and expect exactly that answer."""
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port()), timeout=5) as connection:
        connection.sendall(request)
        while not http_complete(answer):
            piece = connection.recv(65536)
            if not piece:
                raise Failure("the server closed the connection within its answer")
            answer += piece
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise Failure("the server did not answer 200")
    for name, content in (("request", request), ("answer", answer)):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    return f"--send={folder}/request", f"--receive={folder}/answer"


def http_complete(answer):
    head, blank, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    return bool(blank) and len(body) >= int(length.group(1) if length else 0)


def run_load(server, arguments, milliseconds):
    return json.loads(run_bounded(load_command(server, arguments, milliseconds), milliseconds / 1000))


def messages_and_end(server, arguments, milliseconds):
    """Puts load on a server under valgrind, ends it and returns how many messages there were."""
    messages = run_load(server, arguments, milliseconds)["total_messages"]
    server.stop_traced()
    return messages


def count_under_load(server, arguments, milliseconds):
    """Counts system calls while messages flow and nothing else happens. Returns counts, messages and the tracer's name."""
    process = subprocess.Popen(load_command(server, [*arguments, "--warmup-ms=0"], milliseconds, hold=True),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=placed(load_cpu()))
    try:
        if process.stdout.readline().strip() != "ready":
            raise Failure("load did not connect")
        # The server accepts the last connections while the load is already connected.
        time.sleep(0.2)
        counter, tracer = system_call_counter(server.pid)
        output, _ = process.communicate("go\n", timeout=milliseconds / 1000 + GRACE_S)
        counted = counter.counts()
        if process.returncode:
            raise Failure("load failed under the tracer")
        return counted, json.loads(output)["total_messages"], tracer
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def count_under_wrk(server, connections, seconds):
    """The same with wrk; its connecting and closing are inside the count."""
    counter, tracer = system_call_counter(server.pid)
    result = run_wrk(server, connections, seconds)
    return counter.counts(), result["messages"], tracer


def count_in_the_midst(server, arguments):
    """Counts the calls of half a second in which every connection is long open and none closes."""
    load = subprocess.Popen(load_command(server, arguments, 4000), stdout=subprocess.DEVNULL, preexec_fn=placed(load_cpu()))
    try:
        time.sleep(1)
        counter, _ = system_call_counter(server.pid)
        time.sleep(0.5)
        if load.poll() is not None:
            raise Failure("the load ended before its time")
        return counter.counts()
    finally:
        load.kill()
        load.wait()
