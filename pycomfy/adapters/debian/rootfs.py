"""Debian's archive: pins the packages of an image's userland, and unpacks them."""

import contextlib
import functools
import gzip
import hashlib
import io
import json
import lzma
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from pycomfy import operation
from pycomfy.adapters.debian.mirrors import find_mirrors, find_snapshot
from pycomfy.adapters.io.atomic_files import says_disk_is_full, write_file
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.download import File, fetch_all, read
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.nix.nar_writer import hash_path
from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.core.debian import resolver as rules
from pycomfy.core.debian.release import Release, parse_release, signed_text
from pycomfy.core.debian.resolver import DebianIndex, base_packages, resolve_closure
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.schema import DebianPackage, PlatformName, Root
from pycomfy.errors import ErrorGroup, HashMismatch, MissingTool, NetworkError, NoDebianPackage, NoSpace

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PACKAGES = TypeAdapter(tuple[DebianPackage, ...])
_LIBRARY = re.compile(r"(lib|zlib)(?!.*-(dev|doc|dbg|perl|java|common|tools|bin)$)")
_MAX_RELEASE = 8 << 20
_MAX_INDEX = 512 << 20


@dataclass(frozen=True)
class _Suite:
    """A suite's release: the number of its archive, and its folder there."""

    archive: int
    name: str
    folder: str
    release: Release


@dataclass(frozen=True)
class DebianArchives:
    """The archives that a configuration means, by their URLs, and the releases of its suites there, as Debian signed
    them; of a snapshot if `fixed`. They are the same for every platform."""

    urls: tuple[str, ...]
    suites: tuple[_Suite, ...]
    fixed: bool


def read_archives(config: Config) -> DebianArchives:
    """Read the releases of the configured suite, of its updates and of its security updates.

    With a snapshot they are those of its moment, which must be known: "as-of" is the caller's to replace. Raises
    `BadConfig` without a mirror, `NetworkError`, `HashMismatch`.
    """
    moment = config.debian.snapshot if isinstance(config.debian.snapshot, datetime) else None
    if moment is not None:
        mirrors = find_snapshot(config.debian.snapshot_mirror, config.debian.snapshot_id)
    else:
        mirrors = find_mirrors(config.debian.mirror, config.debian.security_mirror, suite=config.suite)
    urls = (mirrors.main, mirrors.security)
    suites = [(0, config.suite), (0, f"{config.suite}-updates"), (1, f"{config.suite}-security")]

    def find(archive: int, name: str) -> _Suite:
        folder = f"{urls[archive]}/dists/{name}"
        return _Suite(archive, name, folder, _read_release(folder, name, moment))

    with operation.step("Read Debian's releases", total=len(suites)) as task:
        try:
            found = run_concurrently({name: partial(find, archive, name) for archive, name in suites}, task.advance)
        except ErrorGroup as e:
            # What is wrong with a mirror is wrong with all its suites: once is enough.
            raise e.problems[0] from e
    return DebianArchives(urls, tuple(found[name] for _, name in suites), moment is not None)


def pin_root(config: Config, platform: PlatformName, paths: Paths, archives: DebianArchives | None = None) -> Root:
    """Pin the newest packages of the configured suite, updates and security included, and hash the tree they make.
    `archives` are what `read_archives` gave, if it was asked already.

    Raises as `read_archives` does, and `NoDebianPackage` for all packages missing.
    """
    there = archives or read_archives(config)
    lists = _find_lists(there, platform.removeprefix("linux/"))
    names = _names_file(config.suite, platform, paths)
    packages = _close(lists, names, [*base_packages(config.python), *config.apt], paths)
    tree = _hash_tree(packages, there.urls, platform, paths)
    return Root(suite=config.suite, archives=there.urls, packages=packages, tree=tree)


def make_root(root: Root, platform: PlatformName, out: Path, paths: Paths) -> None:
    """Unpack a pinned root to `out`, which must not be there yet; on failure nothing is left of it.

    The tree is not hashed here: who puts it into a store compares. Raises `NetworkError`, `HashMismatch`, `NoSpace`.
    """
    _unpack(root.packages, _fetch(root.packages, root.archives, paths), out, f"Unpack Debian ({platform})")


# — indices —


@dataclass(frozen=True)
class _List:
    """A suite's list of packages: the number of its archive, and the file."""

    archive: int
    file: File


def _find_lists(archives: DebianArchives, architecture: str) -> list[_List]:
    lists = []
    for suite in archives.suites:
        index = suite.release.packages(architecture)
        if index is None:
            raise NoDebianPackage(f"no packages for {architecture}", where=suite.folder, fix="use another mirror")
        # A snapshot does not change, so nothing in it need be asked for by its hash; not all servers would answer.
        url = f"{suite.folder}/{index.path if archives.fixed else suite.release.index_path(index)}"
        lists.append(_List(suite.archive, File(url, index.sha256, f"{suite.name} {index.path}", index.size)))
    return lists


def _close(lists: Sequence[_List], names: Path, wanted: Sequence[str], paths: Paths) -> tuple[DebianPackage, ...]:
    """`wanted` with all they depend on. Equal lists and wishes have equal answers, so each is worked out once.

    Whenever the lists are read, the names of all packages that may be libraries are written to `names`.
    """
    content = [[(one.archive, one.file.sha256) for one in lists], sorted({*wanted}), _closer()]
    known = paths.cache / "debian" / f"{hashlib.sha256(json.dumps(content).encode()).hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError):
        return _PACKAGES.validate_json(known.read_bytes())
    files = fetch_all(
        [one.file for one in lists],
        cache=paths.cache,
        title=f"Fetch Debian's package lists ({names.name.rpartition('-')[2]})",
    )
    texts = (_read_index(path, one.file) for one, path in zip(lists, files, strict=True))
    index = DebianIndex((one.archive, text) for one, text in zip(lists, texts, strict=True))
    write_file(names, "\n".join(name for name in index.names if _LIBRARY.match(name)))
    packages = resolve_closure(index, wanted)
    write_file(known, _PACKAGES.dump_json(packages))
    return packages


def library_packages(suite: str, platform: PlatformName, paths: Paths) -> frozenset[str]:
    """The names of Debian's packages that may be libraries, as the last lock here saw them; none if there was none."""
    try:
        return frozenset(_names_file(suite, platform, paths).read_text().split())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def _names_file(suite: str, platform: PlatformName, paths: Paths) -> Path:
    return paths.cache / "debian" / f"names-{suite}-{platform.removeprefix('linux/')}"


@functools.cache
def _closer() -> str:
    """A hash of the code that chooses: a pycomfy with other rules must not believe what this one chose."""
    return hashlib.sha256(Path(str(rules.__file__)).read_bytes()).hexdigest()


def _read_index(path: Path, file: File) -> str:
    data = path.read_bytes()
    compression = gzip if data.startswith(b"\x1f\x8b") else lzma if data.startswith(b"\xfd7zXZ") else None
    try:
        with compression.open(path) if compression else io.BytesIO(data) as stream:
            text = stream.read(_MAX_INDEX + 1)
    except (OSError, EOFError, lzma.LZMAError) as e:
        raise HashMismatch(f"the package list is damaged: {e}", where=file.url, fix="use another mirror") from e
    if len(text) > _MAX_INDEX:
        raise HashMismatch("the package list is larger than any of Debian's", where=file.url, fix="use another mirror")
    return text.decode("utf-8", "replace")


def _read_release(folder: str, suite: str, moment: datetime | None) -> Release:
    url = f"{folder}/InRelease"
    data = read(url, limit=_MAX_RELEASE)
    release = parse_release(_verify(data, url))
    if release.codename != suite:
        raise HashMismatch(
            f'the release calls itself "{release.codename}", not "{suite}"', where=url, fix="use another mirror"
        )
    if moment is not None and (release.date is None or release.date > moment):
        made = f"of {release.date:%Y-%m-%d %H:%M:%S} UTC" if release.date else "without a date"
        raise HashMismatch(
            f"the snapshot's release is {made}, not from before {moment:%Y-%m-%d %H:%M:%S} UTC",
            where=url,
            fix="name a server that keeps the archives of the past as snapshot-mirror, below [debian]",
        )
    if release.valid_until is not None and release.valid_until < (moment or datetime.now(UTC)):
        operation.report(f"{url} expired on {release.valid_until:%Y-%m-%d}: the mirror may lack newer security updates")
    return release


def _verify(data: bytes, url: str) -> str:
    """The signed text of an `InRelease`, of which Debian's signature is checked where this machine can."""
    if shutil.which("gpgv") is None or not KEYRING.is_file():
        text = signed_text(data.decode("utf-8", "replace"))
        if not text:
            raise NetworkError("the answer is no signed release", where=url, fix="check the address of the mirror")
        operation.report(
            f"{url}: the signature was not checked, the packages are as trustworthy as the connection "
            "(apt-get install gpgv debian-archive-keyring)"
        )
        return text
    done = run(["gpgv", "--keyring", KEYRING, "--status-fd", "2", "--output", "-"], stdin=data)
    status = done.stderr.decode("utf-8", "replace")
    # Several keys sign, and an old keyring need not have them all: one good signature is enough, a bad one too many.
    if "[GNUPG:] VALIDSIG " not in status or "[GNUPG:] BADSIG " in status:
        known = "[GNUPG:] NO_PUBKEY" not in status
        raise HashMismatch(
            "the release is not signed by Debian" if known else "the release is signed by keys that are not known here",
            where=url,
            fix="use another mirror" if known else "update debian-archive-keyring, or use another mirror",
        )
    return done.stdout.decode("utf-8", "replace")


# — packages —


def _fetch(packages: Sequence[DebianPackage], archives: Sequence[str], paths: Paths) -> list[Path]:
    files = [File(f"{archives[p.archive]}/{p.path}", p.sha256, p.name, p.size) for p in packages]
    return fetch_all(files, cache=paths.cache, title="Fetch Debian packages")


def _hash_tree(packages: Sequence[DebianPackage], archives: Sequence[str], platform: str, paths: Paths) -> str:
    """The tree's hash, which depends on nothing but the packages and the program that unpacks them."""
    content = [sorted((p.name, p.sha256) for p in packages), hashlib.sha256(_unpacker().read_bytes()).hexdigest()]
    known = paths.cache / "roots" / hashlib.sha256(json.dumps(content).encode()).hexdigest()
    if known.is_file():
        return known.read_text().strip()
    files = _fetch(packages, archives, paths)
    with temporary_folder(paths.cache, "root-") as folder:
        _unpack(packages, files, folder / "root", f"Unpack Debian ({platform})")
        tree = hash_path(folder / "root")
    write_file(known, tree + "\n")
    return tree


def _unpacker() -> Path:
    return nix_folder() / "builders" / "root.py"


def _unpack(packages: Sequence[DebianPackage], paths: Sequence[Path], out: Path, title: str) -> None:
    debs = [{"name": p.name, "path": str(path)} for p, path in zip(packages, paths, strict=True)]
    with operation.step(title), tempfile.NamedTemporaryFile("w", suffix=".json") as spec:
        json.dump({"debs": debs}, spec)
        spec.flush()
        done = run([sys.executable, "-I", "-B", _unpacker(), spec.name, out])
        if done.returncode == 0:
            return
        shutil.rmtree(out, ignore_errors=True)
    why = done.stderr.decode("utf-8", "replace").strip()
    if says_disk_is_full(why):
        raise NoSpace("no space left to unpack Debian", where=str(out), fix="free some space, or set TMPDIR")
    if "zstd" in why:
        raise MissingTool(why, where="Python", fix="install the Python package `zstandard`, or use Python 3.14")
    raise NoDebianPackage(
        f"the Debian packages make no tree: {why}", where=str(out), fix="leave out one of the packages named"
    )
