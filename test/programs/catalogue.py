"""How a case is declared, and which sources an example program is made of."""

import pathlib

# Example folders by C++ standard, newest first: releases moved and retired them, so "any" takes what there is.
STANDARD_FOLDERS = ("cpp20", "cpp17", "cpp14", "cpp11", "cpp03")


class case:
    """One program (or a pair of them) and the function that drives it."""

    def __init__(self, name, programs, drive, needs_namespace, files):
        self.name = name
        self.programs = programs
        self.drive = drive
        self.needs_namespace = needs_namespace
        self.files = files


ALL = []


def drives(name, *programs, needs_namespace=False, files=False):
    """Registers the decorated function as the driver of these programs.

    `needs_namespace`: the source has a fixed or privileged port, or the case changes the host's name files.
    `files`: stock Asio has asynchronous files only with its own io_uring backend.
    """
    def register(function):
        ALL.append(case(name, programs or (name,), function, needs_namespace, files))
        return function
    return register


# Examples that are not driven, and why: nobody should have to guess whether they were forgotten.
NOT_DRIVEN = {
    "asio/any/windows/transmit_file": "Windows only",
    "asio/any/executors/actor": "passes fifty million messages and prints nothing",
    "asio/cpp17/coroutines_ts": "needs the withdrawn coroutines TS; the same programs are in cpp20",
    "asio/cpp11/operations, cpp14/operations": "the same programs as cpp20/operations in older syntax",
    "beast/http/client/crawl": "fetches the ten thousand public web sites listed in its source",
    "beast/http/client/body": "talks to one public web site named in its source",
    "beast/websocket/server/chat-multi (browser page)": "its page needs a browser; its server is driven",
}


def program_sources(examples, name):
    """The sources of a program, or an empty list when this release does not have it."""
    suite, rest = name.split("/", 1)
    root = pathlib.Path(examples) / "libs" / suite / "example"
    choices = [rest]
    if rest.startswith("any/"):
        choices = [f"{folder}/{rest[4:]}" for folder in STANDARD_FOLDERS]
    for choice in choices:
        path = root / choice
        if path.with_suffix(".cpp").is_file():
            return [path.with_suffix(".cpp")] + companions(path)
        if path.is_dir() and list(path.glob("*.cpp")):
            return sorted(path.glob("*.cpp"))
    return []


def companions(path):
    """Sources that are compiled together with a program without being one themselves."""
    return sorted(other for other in path.parent.glob("*.cpp") if other.stem in ("logger_service",) and other.stem != path.stem)


def program_standard(source):
    """C++20 where the example is about it, and C++17 otherwise: both are what programs are built with."""
    return "-std=c++20" if "cpp20" in source.parts or "co_await" in source.read_text(errors="replace") else "-std=c++17"


def program_libraries(sources):
    """What a program links besides Asio, read from what it includes: (flags, groups of Boost's own sources)."""
    text = "\n".join(path.read_text(errors="replace") for path in sources)
    for path in sources:
        text += "\n".join(header.read_text(errors="replace") for header in path.parent.glob("*.hpp"))
    flags, parts = [], []
    if "ssl" in text:
        flags += ["-lssl", "-lcrypto"]
    if "spawn" in text or "boost/beast" in text:
        parts.append("boost_context")
    for word, library in (("boost/thread", "boost_thread"), ("boost/archive", "boost_serialization")):
        if word in text:
            flags.append(f"-l{library}")
    return flags, parts
