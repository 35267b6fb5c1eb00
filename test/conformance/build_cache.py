"""Compiles, links and runs small programs, and remembers what is still true.

An object is reused while its source, every file it includes and its flags are unchanged; a result is
reused while its object, the library archive (when the object refers to it at all) and its environment
are. An interrupted run therefore resumes where it stopped, and a change of one library header rebuilds
only what includes it.
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

# The name of the library as it appears in mangled symbols: an object without it cannot depend on the archive.
LIBRARY_SYMBOL = b"asio_proactor"

# Compiling the largest of these files takes about a minute on a busy machine.
COMPILE_TIMEOUT_SECONDS = 900

OUTPUT_TAIL_CHARACTERS = 4000


class file_hashes:
    """Content hashes of files, computed once per process."""

    def __init__(self):
        self.known_ = {}
        self.lock_ = threading.Lock()

    def of(self, path):
        with self.lock_:
            if path in self.known_:
                return self.known_[path]
        try:
            digest = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        except OSError:
            digest = "missing"
        with self.lock_:
            self.known_[path] = digest
        return digest


def tail(text):
    return text[-OUTPUT_TAIL_CHARACTERS:]


def digest_of(*parts):
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def run_bounded(command, seconds, cwd, env):
    """Runs a command in a process group of its own; returns (exit code, output, seconds). A hang is code -1."""
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        # The group, because some tests fork; it is ours alone.
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        code = -1
        output += f"\nstopped after {seconds} s".encode()
    return code, output.decode(errors="replace"), time.monotonic() - began


class build_cache:
    """One folder of objects, programs and results for one Boost release and one way of building."""

    def __init__(self, folder, project_root, compiler, hashes, compiler_wrapper=()):
        self.folder_ = pathlib.Path(folder)
        self.folder_.mkdir(parents=True, exist_ok=True)
        self.root_ = str(project_root)
        self.compiler_ = compiler
        self.wrapper_ = list(compiler_wrapper)
        self.hashes_ = hashes
        version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
        self.compiler_version_ = version.splitlines()[0]

    def path(self, name, suffix):
        return self.folder_ / (name.replace("/", ".") + suffix)

    def portable(self, text):
        """The project's own location is no part of a key: another clone with equal files may reuse the result."""
        return text.replace(self.root_, "${ROOT}")

    def local(self, text):
        return text.replace("${ROOT}", self.root_)

    def read_record(self, path):
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            return {}

    def write_record(self, path, record):
        partial = path.with_suffix(f".{threading.get_ident()}.partial")
        partial.write_text(json.dumps(record))
        partial.rename(path)

    def dependencies(self, depfile):
        """The files an object was made from, without the compiler's and the system's own headers."""
        words = depfile.read_text().replace("\\\n", " ").split()[1:]
        own = (word for word in words if not word.startswith("/usr/"))
        return {self.portable(path): self.hashes_.of(path) for path in sorted(set(own))}

    def object_is_current(self, record, key):
        if record.get("key") != key:
            return False
        return all(self.hashes_.of(self.local(path)) == digest for path, digest in record["dependencies"].items())

    def compile(self, name, source, flags):
        """Returns (object path or None, record). The record says what went wrong when there is no object."""
        object_path = self.path(name, ".o")
        record_path = self.path(name, ".object.json")
        key = digest_of(self.compiler_version_, self.portable(" ".join(flags)), self.portable(str(source)))
        record = self.read_record(record_path)
        if self.object_is_current(record, key) and object_path.exists():
            return object_path, record
        depfile = self.path(name, ".d")
        compiler = ["gcc"] if str(source).endswith((".c", ".S")) else [self.compiler_]
        command = self.wrapper_ + compiler + list(flags) + ["-MD", "-MF", str(depfile), "-c", str(source), "-o", str(object_path)]
        code, output, seconds = run_bounded(command, COMPILE_TIMEOUT_SECONDS, None, None)
        record = {"key": key, "failed": code != 0, "output": tail(output) if code else "", "seconds": seconds}
        record["dependencies"] = self.dependencies(depfile) if depfile.exists() else {}
        if depfile.exists():
            depfile.unlink()
        if code == 0:
            data = object_path.read_bytes()
            record["digest"] = hashlib.sha256(data).hexdigest()
            record["uses_library"] = LIBRARY_SYMBOL in data
        # Only success is remembered: a compiler that failed may have been stopped.
        if code == 0:
            self.write_record(record_path, record)
        return (None if code else object_path), record

    def link(self, name, objects, link_flags):
        program = self.path(name, ".bin")
        command = [self.compiler_] + [str(path) for path in objects] + list(link_flags) + ["-o", str(program)]
        code, output, _ = run_bounded(command, COMPILE_TIMEOUT_SECONDS, None, None)
        return (program if code == 0 else None), output

    def program(self, name, objects, records, link_flags, archive):
        """Links a program unless the one there is current; returns (path or None, key, output)."""
        uses_library = archive is not None and any(record.get("uses_library") for record in records)
        key = digest_of(
            *[record["digest"] for record in records], self.portable(" ".join(link_flags)),
            self.hashes_.of(str(archive)) if uses_library else "",
        )
        return key, lambda: self.link(name, objects, link_flags)

    def stored_result(self, name, key):
        record = self.read_record(self.path(name, ".result.json"))
        return record if record.get("key") == key else None

    def run(self, name, program, key, seconds, environment, retries):
        """Runs a program in an empty folder of its own; tries again when it fails, and says how often it did."""
        attempts = []
        for _ in range(1 + retries):
            scratch = self.path(name, ".scratch")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            code, output, took = run_bounded([str(program)], seconds, scratch, {**os.environ, **environment})
            shutil.rmtree(scratch, ignore_errors=True)
            attempts.append({"code": code, "output": tail(output), "full": output, "seconds": took})
            if code == 0:
                break
        last = attempts[-1]
        record = {
            "key": key, "code": last["code"], "seconds": last["seconds"], "failures": len(attempts) - (last["code"] == 0),
            "output": next((a["output"] for a in attempts if a["code"] != 0), last["output"]),
            "full": last["full"],
        }
        return record

    def remember(self, name, record):
        kept = {field: value for field, value in record.items() if field != "full"}
        self.write_record(self.path(name, ".result.json"), kept)

    def discard(self, name, *suffixes):
        for suffix in suffixes:
            self.path(name, suffix).unlink(missing_ok=True)
