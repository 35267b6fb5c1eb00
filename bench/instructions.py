# Copyright (c) 2025 the asio_proactor authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
"""Counts instructions in user space and allocations per message, by valgrind: many machines do not let perf count instructions.

Two runs of different length are compared, so that start, end and the opening of connections are not in the figures. A program
is some 50 times slower under valgrind and its turns of the loop hold more messages, so the figures are for comparing variants.
"""
import os
import re
import shutil
import tempfile

SHORT_MS = 800
LONG_MS = 2000
ALLOCATORS = {"malloc", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign"}


def available():
    return shutil.which("valgrind") is not None


def allocator_calls(profile):
    """Calls of functions that allocate, from a profile of callgrind without compressed names."""
    calls, callee = 0, ""
    for line in profile:
        if line.startswith("cfn="):
            # A recursive call is named with a number behind an apostrophe, a versioned one with its version behind @@.
            callee = re.split("['@]", line[4:].strip())[0]
        elif line.startswith("calls=") and callee in ALLOCATORS:
            calls += int(line[6:].split()[0])
    return calls


def profiled(run, milliseconds):
    """run(prefix, milliseconds) runs the program behind a command prefix and returns its messages."""
    with tempfile.TemporaryDirectory(prefix="asio_proactor-profile-") as folder:
        profile = os.path.join(folder, "profile")
        prefix = ["valgrind", "-q", "--tool=callgrind", "--compress-strings=no", f"--callgrind-out-file={profile}"]
        messages = run(prefix, milliseconds)
        with open(profile) as written:
            text = written.read()
    instructions = int(re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE).group(1))
    return messages, instructions, allocator_calls(text.splitlines())


def per_message(run):
    """Returns instructions and allocations per message, or nothing where the longer run did no more than the shorter."""
    short, long = (profiled(run, milliseconds) for milliseconds in (SHORT_MS, LONG_MS))
    more = long[0] - short[0]
    if more <= 0:
        return {}
    return {"instructions_per_message": (long[1] - short[1]) / more, "allocations_per_message": max(0, (long[2] - short[2]) / more)}
