"""Builds the library for the suites: with its assertions on, because the suites are there to find mistakes."""

import subprocess
import sys

SHOWN_CHARACTERS = 6000


def build(root, folder, compiler, sanitize, jobs):
    """Returns the archive; ends the run with the compiler's words when it does not build."""
    flags = "-O1" + (f" -fsanitize={sanitize}" if sanitize else "")
    configure = [
        "cmake", "-S", str(root), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_CXX_COMPILER={compiler}",
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
