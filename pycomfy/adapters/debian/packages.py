"""Choose Debian packages: read a mirror's releases, check Debian's signature, and close over dependencies."""

import functools
import gzip
import io
import lzma
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from pycomfy import operation
from pycomfy.adapters.debian.mirrors import find_mirrors, find_snapshot
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.clock import blames_time, clock_fix
from pycomfy.adapters.io.computed import code_fingerprint, compute_once, fingerprint
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.download import File, fetch_all, read
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.process import run
from pycomfy.core.debian import base_packages as base
from pycomfy.core.debian import debian_index, relationships, resolver
from pycomfy.core.debian.base_packages import base_packages
from pycomfy.core.debian.debian_index import DebianIndex
from pycomfy.core.debian.release import Release, parse_release, signed_text
from pycomfy.core.debian.resolver import resolve_closure
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import DebianPackage
from pycomfy.errors import ErrorGroup, HashMismatch, NetworkError, NoDebianPackage

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PACKAGES = TypeAdapter(tuple[DebianPackage, ...])
_SHARED_LIBRARY = re.compile(r"(lib|zlib)(?!.*-(dev|doc|dbg|perl|java|common|tools|bin)$)")
_MAX_RELEASE = 8 << 20
_MAX_INDEX = 512 << 20
_OTHER_MIRROR = "use another mirror"


@dataclass(frozen=True)
class Suite:
    """A suite's release: the index of its mirror, its name, and its folder there."""

    mirror: int
    name: str
    folder: str
    release: Release


@dataclass(frozen=True)
class DebianReleases:
    """The releases of a configuration's suites, as Debian signed them, and the URLs of their mirrors; those of a
    snapshot if `is_snapshot`. They are the same for every platform."""

    urls: tuple[str, ...]
    suites: tuple[Suite, ...]
    is_snapshot: bool


def read_releases(config: Config, environment: Mapping[str, str] = os.environ) -> DebianReleases:
    """Read the releases of the configured suite, of its updates and of its security updates.

    With a snapshot they are those of its moment, which must be known: "as-of" is the caller's to replace. Raises
    `BadConfig` without a mirror, `NetworkError`, `HashMismatch`.
    """
    debian = config.debian
    moment = debian.snapshot if isinstance(debian.snapshot, datetime) else None
    if moment is not None:
        mirrors = find_snapshot(debian.snapshot_mirror, debian.snapshot_id, environment)
    else:
        mirrors = find_mirrors(debian.mirror, debian.security_mirror, suite=config.suite, environment=environment)
    urls = (mirrors.main, mirrors.security)
    suites = {config.suite: 0, f"{config.suite}-updates": 0, f"{config.suite}-security": 1}

    def read_suite(name: str, mirror: int) -> Suite:
        folder = f"{urls[mirror]}/dists/{name}"
        return Suite(mirror, name, folder, _read_release(folder, name, moment))

    with operation.step("Read Debian's releases", total=len(suites)) as task:
        try:
            found = run_concurrently({name: partial(read_suite, name, m) for name, m in suites.items()}, task.advance)
        except ErrorGroup as e:
            # What is wrong with a mirror is wrong with all its suites: once is enough.
            raise e.problems[0] from e
    return DebianReleases(urls, tuple(found[name] for name in suites), moment is not None)


def choose_packages(
    config: Config, platform: PlatformName, paths: Paths, releases: DebianReleases
) -> tuple[DebianPackage, ...]:
    """Return the newest version of the packages that an image of `config` needs, and of all they depend on. Raises as
    `choose_with_dependencies`."""
    names = [*base_packages(config.python), *config.apt]
    return choose_with_dependencies(names, config.suite, platform, paths, releases)


def choose_with_dependencies(
    names: Sequence[str], suite: str, platform: PlatformName, paths: Paths, releases: DebianReleases
) -> tuple[DebianPackage, ...]:
    """Return the newest version of these packages, and of all they depend on.

    Equal package lists have equal answers, so each is computed once. Raises `NoDebianPackage` for all packages missing,
    `NetworkError`, `HashMismatch`, `NoSpace`.
    """
    architecture = platform.removeprefix("linux/")
    lists = _find_lists(releases, architecture)
    content = [(one.mirror, one.file.sha256) for one in lists], sorted({*names}), _code()

    def choose() -> tuple[DebianPackage, ...]:
        title = f"Fetch Debian's package lists ({architecture})"
        files = fetch_all([one.file for one in lists], cache=paths.cache, title=title)
        texts = (_read_list(path, one.file) for one, path in zip(lists, files, strict=True))
        index = DebianIndex((one.mirror, text) for one, text in zip(lists, texts, strict=True))
        shared_libraries = "\n".join(name for name in index.names if _SHARED_LIBRARY.match(name))
        write_file(_shared_library_names(suite, platform, paths), shared_libraries)
        return resolve_closure(index, names)

    return compute_once(paths.cache / "debian" / f"{fingerprint(*content)}.json", _PACKAGES, choose)


def shared_library_packages(suite: str, platform: PlatformName, paths: Paths) -> frozenset[str]:
    """Return the names of Debian's packages that may have shared libraries, as the last package lists here had them;
    none if none were read."""
    try:
        return frozenset(_shared_library_names(suite, platform, paths).read_text().split())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def _shared_library_names(suite: str, platform: PlatformName, paths: Paths) -> Path:
    return paths.cache / "debian" / f"names-{suite}-{platform.removeprefix('linux/')}"


@functools.cache
def _code() -> str:
    """A hash of the rules by which packages are chosen."""
    return code_fingerprint(base, debian_index, relationships, resolver)


# — releases —


def _read_release(folder: str, suite: str, moment: datetime | None) -> Release:
    url = f"{folder}/InRelease"
    data = read(url, limit=_MAX_RELEASE)
    release = parse_release(_verify(data, url))
    if release.codename != suite:
        raise HashMismatch(f'the release is of "{release.codename}", not of "{suite}"', where=url, fix=_OTHER_MIRROR)
    if moment is not None and (release.date is None or release.date > moment):
        made = f"of {release.date:%Y-%m-%d %H:%M:%S} UTC" if release.date else "without a date"
        raise HashMismatch(
            f"the snapshot's release is {made}, not from before {moment:%Y-%m-%d %H:%M:%S} UTC",
            where=url,
            fix="name a server that keeps old states of Debian as snapshot-mirror, below [debian]",
        )
    if release.valid_until is not None and release.valid_until < (moment or datetime.now(UTC)):
        operation.report(f"{url} expired on {release.valid_until:%Y-%m-%d}: the mirror may lack newer security updates")
    return release


def _verify(data: bytes, url: str) -> str:
    """Return the signed text of an `InRelease`. Debian's signature is checked where this machine can."""
    if shutil.which("gpgv") is None or not KEYRING.is_file():
        text = signed_text(data.decode("utf-8", "replace"))
        if not text:
            raise NetworkError("not a signed release", where=url, fix="check the address of the mirror")
        operation.report(
            f"{url}: the signature was not checked, the packages are as trustworthy as the connection",
            "apt-get install gpgv debian-archive-keyring",
        )
        return text
    done = run(["gpgv", "--keyring", KEYRING, "--status-fd", "2", "--output", "-"], stdin=data)
    status = done.stderr.decode("utf-8", "replace")
    # Several keys sign, and an old keyring need not have them all: one good signature is enough, a bad one too many.
    if "[GNUPG:] VALIDSIG " not in status or "[GNUPG:] BADSIG " in status:
        if blames_time(status):
            what = "the release is signed at a time that is not now, as this machine's clock has it"
            raise HashMismatch(what, where=url, fix=clock_fix())
        known = "[GNUPG:] NO_PUBKEY" not in status
        raise HashMismatch(
            "the release is not signed by Debian" if known else "the release is signed by unknown keys",
            where=url,
            fix=_OTHER_MIRROR if known else ("update debian-archive-keyring", _OTHER_MIRROR),
        )
    return done.stdout.decode("utf-8", "replace")


# — package lists —


@dataclass(frozen=True)
class _PackageList:
    """A suite's list of packages: the index of its mirror, and the file."""

    mirror: int
    file: File


def _find_lists(releases: DebianReleases, architecture: str) -> list[_PackageList]:
    lists = []
    for suite in releases.suites:
        index = suite.release.packages(architecture)
        if index is None:
            raise NoDebianPackage(f"no packages for {architecture}", where=suite.folder, fix=_OTHER_MIRROR)
        # A snapshot does not change, so files are requested by name; not all its servers have them by hash.
        url = f"{suite.folder}/{index.path if releases.is_snapshot else suite.release.index_path(index)}"
        lists.append(_PackageList(suite.mirror, File(url, index.sha256, f"{suite.name} {index.path}", index.size)))
    return lists


def _read_list(path: Path, file: File) -> str:
    data = path.read_bytes()
    compression = gzip if data.startswith(b"\x1f\x8b") else lzma if data.startswith(b"\xfd7zXZ") else None
    try:
        with compression.open(path) if compression else io.BytesIO(data) as stream:
            text = stream.read(_MAX_INDEX + 1)
    except (OSError, EOFError, lzma.LZMAError) as e:
        raise HashMismatch(f"the package list is damaged: {e}", where=file.url, fix=_OTHER_MIRROR) from e
    if len(text) > _MAX_INDEX:
        raise HashMismatch("the package list is larger than any of Debian's", where=file.url, fix=_OTHER_MIRROR)
    return text.decode("utf-8", "replace")
