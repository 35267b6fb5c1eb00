"""Boost's own compiled libraries that the suites need, as lists of sources.

They are built from the source package for every release alike: the packages of a newer Debian need a
newer C library than this machine may have.
"""

import platform

# The assembler files are named after the processor and its calling convention.
CONTEXT_ABI = {"x86_64": "x86_64_sysv_elf_gas", "aarch64": "arm64_aapcs_elf_gas"}


def context_parts(source_root, flags):
    folder = source_root / "libs/context/src"
    abi = CONTEXT_ABI[platform.machine()]
    paths = [folder / "asm" / f"{step}_{abi}.S" for step in ("make", "jump", "ontop")]
    paths.append(folder / "posix/stack_traits.cpp")
    # Newer releases wrap the assembler functions.
    paths += [path for path in [folder / "fcontext.cpp"] if path.exists()]
    return {f"context_{path.stem}": (path, flags if path.suffix == ".cpp" else ()) for path in paths}


def coroutine_parts(source_root, flags):
    """Boost.Coroutine, which the deprecated form of spawn() still needs where a release has it."""
    folder = source_root / "libs/coroutine/src"
    paths = [folder / "detail/coroutine_context.cpp", folder / "exceptions.cpp", folder / "posix/stack_traits.cpp"]
    own = tuple(flags) + ("-DBOOST_COROUTINES_NO_DEPRECATION_WARNING=1",)
    return {f"coroutine_{path.stem}": (path, own) for path in paths if path.exists()}


def filesystem_parts(source_root, flags):
    folder = source_root / "libs/filesystem/src"
    own = tuple(flags) + (f"-I{folder}", "-DBOOST_FILESYSTEM_SOURCE=1", "-DBOOST_FILESYSTEM_STATIC_LINK=1",
                          "-DBOOST_FILESYSTEM_SINGLE_THREADED=1")
    return {f"filesystem_{path.stem}": (path, own) for path in sorted(folder.glob("*.cpp")) if "windows" not in path.name}


def compiled_parts(source_root, flags):
    """The libraries as {group: {part name: (source, flags)}}; context and coroutine are needed together."""
    return {
        "boost_context": {**context_parts(source_root, flags), **coroutine_parts(source_root, flags)},
        "boost_filesystem": filesystem_parts(source_root, flags),
    }
