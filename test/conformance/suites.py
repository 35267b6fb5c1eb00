"""What Boost.Asio's and Boost.Beast's own test suites consist of, and how their own build files compile them."""

import re

# The same definitions as in the suites' own build files.
COMMON_FLAGS = ("-O0", "-g0", "-w", "-DBOOST_ALL_NO_LIB=1", "-D_XOPEN_SOURCE=600", "-D_GNU_SOURCE=1")

BEAST_FLAGS = (
    "-DBOOST_ASIO_SEPARATE_COMPILATION",
    "-DBOOST_BEAST_SEPARATE_COMPILATION",
    "-DBOOST_ASIO_NO_DEPRECATED=1",
    "-DBOOST_ASIO_DISABLE_BOOST_ARRAY=1",
    "-DBOOST_ASIO_DISABLE_BOOST_BIND=1",
    "-DBOOST_ASIO_DISABLE_BOOST_DATE_TIME=1",
    "-DBOOST_ASIO_DISABLE_BOOST_REGEX=1",
    "-DBOOST_COROUTINES_NO_DEPRECATION_WARNING=1",
    "-DBOOST_BEAST_TESTS",
)

# Not tests: programs that wait for a peer named on their command line, and parts for another platform's build.
ASIO_EXCLUDED = ("latency/",)

# Folders of Beast's suite that hold tests with a main of their own or built together with beast's.
BEAST_FOLDERS = ("_experimental", "core", "http", "ssl", "websocket", "zlib")

ASIO_TIMEOUT_SECONDS = 60
BEAST_TIMEOUT_SECONDS = 300

STOCK_FLAGS = ()
STOCK_URING_FLAGS = ("-DBOOST_ASIO_HAS_IO_URING=1", "-DBOOST_ASIO_DISABLE_EPOLL=1")


def drop_in_flags(project_root):
    """The folders and macros that make a program drop-in: what the CMake target gives, without its tripwires."""
    include = project_root / "include"
    return (
        f"-I{include}/asio_proactor/drop_in/include", f"-I{include}",
        "-DBOOST_ASIO_HAS_IO_URING=1", "-DBOOST_ASIO_DISABLE_EPOLL=1", "-DASIO_PROACTOR_DROP_IN=1",
        "-DBOOST_ASIO_VERSION_NAMESPACE=asio_proactor_drop_in",
    )


class test_case:
    """One source file of a suite: its name, and what is compiled and linked beside it."""

    def __init__(self, name, source, flags, libraries, companions=()):
        self.name = name
        self.source = source
        self.flags = tuple(flags)
        self.libraries = tuple(libraries)
        self.companions = tuple(companions)


class suite:
    """The tests of one library: `parts` are sources compiled once per way of building and linked where named."""

    def __init__(self, name, cases, parts, timeout):
        self.name = name
        self.cases = cases
        self.parts = parts
        self.timeout = timeout


def count_cases(output):
    """How many test cases a run reports: a feature that is silently compiled out would show here."""
    return len(re.findall(r"(?m)^\S+ passed$", output)) or len(re.findall(r"(?m)^boost\.\S+\.\S+ *$", output))


def asio_suite(source_root, standard):
    folder = source_root / "libs/asio/test"
    cases = []
    for path in sorted(folder.rglob("*.cpp")):
        name = str(path.relative_to(folder))[: -len(".cpp")]
        if name.startswith(ASIO_EXCLUDED):
            continue
        flags = COMMON_FLAGS + (f"-std={standard}", f"-I{folder}")
        libraries = ["-lssl", "-lcrypto"] if name.startswith("ssl/") else []
        text = path.read_text(errors="replace")
        companions = ["boost_context"] if re.search(r"asio/spawn\.hpp", text) else []
        cases.append(test_case(name, path, flags, libraries, companions))
    return suite("asio", cases, {}, ASIO_TIMEOUT_SECONDS)


def text_with_own_headers(path):
    """A test's text and that of the helper headers beside it."""
    text = path.read_text(errors="replace")
    beside = [path.parent / name for name in re.findall(r'#include "([^"]+)"', text)]
    return text + "".join(header.read_text(errors="replace") for header in beside if header.exists())


def beast_case(folder, path, flags, zlib_parts):
    name = str(path.relative_to(folder / "beast"))[: -len(".cpp")]
    group = name.split("/")[0]
    companions = ["lib_test", "lib_asio", "lib_beast", "boost_context"]
    libraries = []
    if group in ("ssl", "websocket"):
        companions.append("lib_asio_ssl")
        libraries = ["-lssl", "-lcrypto"]
    if group == "zlib":
        companions += zlib_parts
    if "filesystem" in text_with_own_headers(path):
        companions.append("boost_filesystem")
    return test_case(name, path, flags, libraries, companions)


def beast_suite(source_root, standard):
    folder = source_root / "libs/beast/test"
    flags = COMMON_FLAGS + BEAST_FLAGS + (
        f"-std={standard}", f"-I{source_root}/libs/beast", f"-I{folder}", f"-I{folder}/extras/include", f"-I{folder}/extern",
    )
    c_flags = ("-O1", "-w", "-DHAVE_UNISTD_H")
    parts = {}
    for part in ("lib_test", "lib_asio", "lib_asio_ssl", "lib_beast"):
        # Newer releases keep these sources beside the library instead of beside its tests.
        places = [folder / f"{part}.cpp", source_root / "libs/beast/src" / f"{part}.cpp"]
        parts[part] = (next((place for place in places if place.exists()), places[0]), flags)
    zlib_parts = []
    for path in sorted(folder.glob("extern/zlib-*/*.c")):
        if not path.name.startswith("gz"):
            parts["zlib_" + path.stem] = (path, c_flags)
            zlib_parts.append("zlib_" + path.stem)
    cases = []
    for group in BEAST_FOLDERS:
        # Only what the suite's own build file names: the folders also hold leftovers that compile nowhere.
        listed = (folder / "beast" / group / "Jamfile").read_text()
        for path in sorted((folder / "beast" / group).glob("*.cpp")):
            if not re.search(rf"(?m)^[^#]*\b{re.escape(path.name)}", listed):
                continue
            cases.append(beast_case(folder, path, flags, zlib_parts))
    return suite("beast", cases, parts, BEAST_TIMEOUT_SECONDS)
