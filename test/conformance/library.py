"""Builds the library for the suites: with its assertions on, because the suites are there to find mistakes."""

import subprocess
import sys

SHOWN_CHARACTERS = 6000

# The environment variable by which a driver is asked for.
DRIVER_VARIABLE = "ASIO_PROACTOR_DRIVER"


def driver_environment(driver, archive):
    """What a program must find in its environment to run on a driver.

    A library that does not read the variable would run on its default driver under another one's name, so
    asking for a driver ends the run in that case.
    """
    if driver == "auto":
        return {}
    if DRIVER_VARIABLE.encode() not in archive.read_bytes():
        sys.exit(f"this library does not read {DRIVER_VARIABLE}: only --driver auto can be run")
    return {DRIVER_VARIABLE: driver}


def build(root, folder, compiler, sanitize, jobs):
    """Returns the archive; ends the run with the compiler's words when it does not build."""
    flags = "-O1" + (f" -fsanitize={sanitize}" if sanitize else "")
    configure = [
        "cmake", "-S", str(root), "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_CXX_COMPILER={compiler}",
        f"-DCMAKE_CXX_FLAGS={flags}", "-DASIO_PROACTOR_BUILD_TESTS=OFF",
        "-DASIO_PROACTOR_BUILD_EXAMPLES=OFF", "-DASIO_PROACTOR_BUILD_BENCH=OFF",
    ]
    build_it = ["cmake", "--build", str(folder), "--target", "asio_proactor", "-j", str(jobs)]
    for command in (configure, build_it):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("the library does not build:\n" + (done.stdout + done.stderr)[-SHOWN_CHARACTERS:])
    found = sorted(folder.rglob("libasio_proactor.a"))
    if not found:
        sys.exit(f"no libasio_proactor.a below {folder}")
    return found[0]
