"""Fetches Boost's own tests, examples and headers from Debian and keeps them in the cache folder.

Nothing here names a package mirror: the address comes from the machine's own apt configuration, so a
machine behind another mirror works unchanged.
"""

import contextlib
import fcntl
import hashlib
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

# Suites are searched in this order because an older release keeps its Boost longest.
SUITES = ("bookworm", "trixie", "forky", "sid")

# Debian's own signing keys; when present the suite's index is verified before it is believed.
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# The few folders of the source package that the suites need.
WANTED_FOLDERS = (
    "libs/asio/test",
    "libs/asio/example",
    "libs/beast/test",
    "libs/beast/example",
    # Stackful coroutines and Beast's file tests need these compiled libraries; those of a newer Debian
    # do not run on an older C library, so they are built from source.
    "libs/context/src",
    "libs/coroutine/src",
    "libs/filesystem/src",
)

DOWNLOAD_TIMEOUT_SECONDS = 300


class FetchError(RuntimeError):
    """A package could not be found, fetched or verified."""


def cache_root():
    """The folder for everything downloaded or unpacked; never inside the repository."""
    configured = os.environ.get("ASIO_PROACTOR_CACHE")
    return pathlib.Path(configured or pathlib.Path.home() / ".cache" / "asio_proactor")


def apt_source_entries():
    """Yields (address, suite) pairs of the machine's apt configuration, in both of apt's formats."""
    files = [pathlib.Path("/etc/apt/sources.list")]
    files += sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))
    for path in files:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                uris = re.search(r"(?m)^URIs:\s*(.+)$", stanza)
                suites = re.search(r"(?m)^Suites:\s*(.+)$", stanza)
                if uris and suites:
                    for uri in uris.group(1).split():
                        for suite in suites.group(1).split():
                            yield uri.rstrip("/"), suite
        else:
            for match in re.finditer(r"(?m)^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", text):
                yield match.group(1).rstrip("/"), match.group(2)


def download(url):
    """Returns the bytes at an address."""
    with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as answer:
        return answer.read()


def download_to(url, path):
    """Streams an address into a file, because a source package does not belong in memory."""
    with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as answer:
        with open(path, "wb") as out:
            shutil.copyfileobj(answer, out)


def release_text(mirror, suite):
    """A suite's signed index as text, or None when the mirror does not carry that suite of Debian."""
    try:
        signed = download(f"{mirror}/dists/{suite}/InRelease")
    except OSError:
        return None
    if b"Origin: Debian" not in signed:
        return None
    if shutil.which("gpgv") and os.path.exists(KEYRING):
        check = subprocess.run(["gpgv", "--keyring", KEYRING], input=signed, capture_output=True)
        if check.returncode != 0:
            raise FetchError(f"the signature of suite {suite} does not verify: {check.stderr.decode()[-300:]}")
    return signed.decode(errors="replace")


def debian_mirror():
    """The first configured address that serves Debian itself (and not only its security updates)."""
    for uri, suite in apt_source_entries():
        if "security" not in suite and release_text(uri, suite) is not None:
            return uri
    raise FetchError("no Debian mirror found in this machine's apt configuration")


def suite_index(mirror, suite, index):
    """An index file of a suite, verified against the suite's signed checksums; None when there is none."""
    release = release_text(mirror, suite)
    if release is None:
        return None
    sums = release.split("\nSHA256:", 1)[-1]
    entry = re.search(rf"(?m)^ ([0-9a-f]{{64}})\s+\d+\s+{re.escape(index)}$", sums)
    if not entry:
        return None
    data = download(f"{mirror}/dists/{suite}/{index}")
    if hashlib.sha256(data).hexdigest() != entry.group(1):
        raise FetchError(f"checksum of {index} of {suite} does not match its suite's index")
    return lzma.decompress(data).decode(errors="replace")


def find_stanza(mirror, index, package):
    """The paragraph of a package in the first suite that has it."""
    for suite in SUITES:
        text = suite_index(mirror, suite, index)
        if text is None:
            continue
        match = re.search(rf"(?m)^Package: {re.escape(package)}\n(?:.+\n)*", text)
        if match:
            return match.group(0)
    raise FetchError(f"{package} is in none of the suites {', '.join(SUITES)}")


def fetch_verified(url, sha256, path):
    """Downloads a file and removes it again when its checksum is not the announced one."""
    download_to(url, path)
    digest = hashlib.sha256()
    with open(path, "rb") as data:
        for block in iter(lambda: data.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != sha256:
        path.unlink()
        raise FetchError(f"checksum of {path.name} does not match")


@contextlib.contextmanager
def only_one_fetcher():
    """Two runs that start together must not write the same download."""
    cache_root().mkdir(parents=True, exist_ok=True)
    with open(cache_root() / "fetch.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def boost_source(version):
    """The folder with Boost's own tests and examples of a release, fetched when it is not there yet."""
    with only_one_fetcher():
        return fetch_source(version)


def fetch_source(version):
    folder = cache_root() / f"boost-src-{version}"
    complete, wanted = folder / "complete", " ".join(WANTED_FOLDERS)
    if complete.exists() and wanted in complete.read_text():
        return folder
    print(f"fetching the tests and examples of Boost {version} from Debian's source package", file=sys.stderr)
    mirror = debian_mirror()
    stanza = find_stanza(mirror, "main/source/Sources.xz", f"boost{version}")
    place = re.search(r"(?m)^Directory: (.+)$", stanza).group(1)
    sums = stanza.split("\nChecksums-Sha256:", 1)[1]
    sha256, name = re.search(r"(?m)^ ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.\w+)$", sums).groups()

    folder.mkdir(parents=True, exist_ok=True)
    tarball = folder / name
    fetch_verified(f"{mirror}/{place}/{name}", sha256, tarball)
    subprocess.run(
        ["tar", "-xf", str(tarball), "-C", str(folder), "--strip-components=1", "--wildcards"]
        + [f"*/{part}/*" for part in WANTED_FOLDERS],
        check=True,
    )
    tarball.unlink()
    complete.write_text(f"{name} {sha256}\n{wanted}\n")
    return folder


def boost_include(version):
    """Where the headers of a release are: the system's own, or an unpacked package in the cache."""
    with only_one_fetcher():
        return fetch_include(version)


def fetch_include(version):
    system = pathlib.Path("/usr/include/boost/version.hpp")
    wanted = '"' + version.replace(".", "_") + '"'
    if system.exists() and wanted in system.read_text():
        return pathlib.Path("/usr/include")
    prefix = cache_root() / f"boost-{version}"
    include = prefix / "usr" / "include"
    if (include / "boost" / "version.hpp").exists():
        return include
    print(f"fetching the headers of Boost {version}", file=sys.stderr)
    mirror = debian_mirror()
    arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    stanza = find_stanza(mirror, f"main/binary-{arch}/Packages.xz", f"libboost{version}-dev")
    place = re.search(r"(?m)^Filename: (.+)$", stanza).group(1)
    sha256 = re.search(r"(?m)^SHA256: (.+)$", stanza).group(1)
    cache_root().mkdir(parents=True, exist_ok=True)
    package = cache_root() / f"boost-{version}.{os.getpid()}.deb"
    fetch_verified(f"{mirror}/{place}", sha256, package)
    # Unpacked beside and renamed, so that another run never sees half of the headers.
    partial = cache_root() / f"boost-{version}.{os.getpid()}"
    subprocess.run(["dpkg", "-x", str(package), str(partial)], check=True)
    package.unlink()
    if not include.exists():
        shutil.rmtree(prefix, ignore_errors=True)
        partial.rename(prefix)
    else:
        shutil.rmtree(partial)
    return include
