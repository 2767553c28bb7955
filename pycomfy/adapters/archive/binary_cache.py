"""Keep every source of every version in the archive: a Nix binary cache in a folder, which Nix reads without pycomfy.

A store path is there once its `.narinfo` is, which is written last; each file is written beside its place and then
moved there. So the archive can be read after a crash at any point, and filling it again only adds what is missing.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.io.atomic_files import translate_disk_full, write_file
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.temp_dirs import remove_unused, temporary_folder
from pycomfy.adapters.nix.nar_reader import NarDigest, NarHasher, unpack_nar
from pycomfy.adapters.nix.nar_writer import write_nar
from pycomfy.core.nix.narinfo import CACHE_INFO, MAX_NARINFO_BYTES, NarInfo, narinfo_name, parse_narinfo
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.errors import HashMismatch, NotFound, Placeholder, suggest

_LOCK = ".lock"
_TEMPORARY = ".part-"
_INFO = "nix-cache-info"
_OF_NIX = ("log", "realisations")


@dataclass(frozen=True)
class Removed:
    """How many store paths were removed, and the bytes of all their files."""

    paths: int
    size: int


@dataclass(frozen=True)
class Archive:
    """The binary cache in `folder`, which is created when something is added."""

    folder: Path
    _nars: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_nars", self.folder / "nar")

    # — what is there —

    def find(self, output: FixedOutput) -> NarInfo | None:
        """Return the entry of `output`; None if it is absent, or the size of its NAR is wrong.

        Raises `HashMismatch` for a `.narinfo` that was changed.
        """
        try:
            with (self.folder / narinfo_name(output.path)).open("rb") as f:
                info = parse_narinfo(f.read(MAX_NARINFO_BYTES + 1), output)
        except FileNotFoundError:
            return None
        except ValueError as e:
            raise self._damaged(output, f"its .narinfo was changed ({e})") from e
        try:
            there = (self.folder / info.nar_name).stat().st_size == info.nar_size
        except FileNotFoundError:
            return None
        return info if there else None

    def has(self, output: FixedOutput) -> bool:
        """Whether it is here, and neither its size nor its `.narinfo` shows damage."""
        return self._find_or_none(output) is not None

    def size_of(self, output: FixedOutput) -> int:
        """Return the bytes of its NAR, 0 if it is absent."""
        info = self._find_or_none(output)
        return 0 if info is None else info.nar_size

    def check_info(self) -> None:
        """Raise `HashMismatch` unless `nix-cache-info`, by which Nix knows what this folder is, is as it was
        written."""
        if not self.has_info and self.narinfos():
            raise self._damage("archive", f"{_INFO} was changed, or is missing")

    @property
    def has_info(self) -> bool:
        """Whether `nix-cache-info` is there, and as it was written."""
        path = self.folder / _INFO
        return path.is_file() and path.read_bytes() == CACHE_INFO

    def nar_of(self, info: NarInfo) -> Path:
        """Return the file of an entry's NAR."""
        return self.folder / info.nar_name

    def narinfos(self) -> list[Path]:
        """Return every `.narinfo`, sorted."""
        return sorted(self.folder.glob("*.narinfo"))

    def nars(self) -> list[Path]:
        """Return every NAR, sorted."""
        return sorted(self._nars.glob("*.nar"))

    def leftovers(self) -> list[Path]:
        """Return what a crash left: temporary files, and folders in which something was prepared."""
        hidden = [*self.folder.glob(".*"), *self._nars.glob(".*")]
        return sorted(path for path in hidden if path.name != _LOCK)

    def size(self) -> int:
        """Return the bytes of all NARs."""
        return sum(path.stat().st_size for path in self.nars())

    # — putting in and taking out —

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let one writer at a time run the block: it finds what the others added."""
        with translate_disk_full(self.folder):
            self._nars.mkdir(parents=True, exist_ok=True)
            (self.folder / _LOCK).touch()
        with exclusive_lock(self.folder / _LOCK):
            yield

    def add(self, output: FixedOutput, path: Path, advance: Callable[[int], object]) -> bool:
        """Add `output`, whose file or tree is at `path`; return whether it was missing. Calls `advance` with the number
        of bytes that were read.

        Raises `HashMismatch` if the file is not what `output` promises; then nothing was added.
        """
        with self.lock(), translate_disk_full(self.folder):
            if self.has(output):
                return False
            with self._temporary() as temporary:
                hasher = NarHasher()
                with temporary.open("wb") as out:

                    def write(piece: bytes | memoryview) -> None:
                        out.write(piece)
                        hasher.update(piece)
                        advance(len(piece))

                    write_nar(path, write)
                    _sync(out.fileno())
                self._put(output, temporary, hasher.digest(), str(path))
        return True

    def adopt(self, output: FixedOutput, nar: Path, digest: NarDigest) -> None:
        """Move in the file `nar`, which is on the same disk and has this digest. For a caller that has the lock."""
        with translate_disk_full(self.folder):
            if self.has(output):
                nar.unlink()
            else:
                self._put(output, nar, digest, str(nar))

    def take(self, output: FixedOutput, to: Path) -> None:
        """Unpack `output` to `to`, which must not exist. Raises `NotFound`, or `HashMismatch` for damage; then nothing
        is left of `to`."""
        info = self.find(output)
        if info is None:
            fix = suggest("archive status", "lists what is missing")
            raise NotFound(f"{output.name} is not in the archive", where=str(self.folder), fix=fix)
        with translate_disk_full(to), tempfile.TemporaryDirectory(dir=to.parent, prefix=_TEMPORARY) as folder:
            unpacked = Path(folder, "x")
            with self.nar_of(info).open("rb") as f:
                try:
                    found = unpack_nar(f, unpacked)
                except HashMismatch as e:
                    raise self._damaged(output, e.what) from e
            if found.sha256 != info.nar_sha256 or not found.matches(output):
                raise self._damaged(output, f"{info.nar_name} was changed")
            unpacked.rename(to)

    @contextlib.contextmanager
    def workplace(self) -> Iterator[Path]:
        """Make a folder on the archive's disk, in which files for `adopt` are prepared; it is removed afterwards."""
        with temporary_folder(self.folder, _TEMPORARY) as folder:
            yield folder

    def remove_others(self, keep: Iterable[FixedOutput], *, dry: bool = False) -> Removed:
        """Remove everything but `keep`, and what crashes left; with `dry` only count. For a caller that has the lock.

        Damaged entries of `keep` are removed too: they are of no use, and a whole one could not be added.
        """
        infos = [info for output in keep if (info := self._find_or_none(output)) is not None]
        narinfos = {info.file_name for info in infos}
        nars = {info.nar_name for info in infos}
        first = [path for path in self.narinfos() if path.name not in narinfos]
        then = [path for path in self.nars() if f"nar/{path.name}" not in nars]
        size = sum(path.stat().st_size for path in (*first, *then))
        for path in () if dry else (*first, *then):
            path.unlink(missing_ok=True)
        for path in () if dry else self.leftovers():
            remove_unused(path)
        return Removed(len(first), size)

    def remove_files(self, names: Iterable[str]) -> None:
        """Remove damaged files, whose paths are relative to the archive; what they belong to is absent then."""
        with self.lock():
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
            self._write_info()

    def _put(self, output: FixedOutput, nar: Path, digest: NarDigest, where: str) -> None:
        if not digest.matches(output):
            raise HashMismatch(
                f"{output.name} is not what the lock says, so it was not archived",
                where=where,
                fix="the disk changed it; repair it by `nix-store --verify --check-contents --repair`",
            )
        info = NarInfo(output, digest.sha256, digest.size)
        self._write_info()
        nar.chmod(0o444)
        nar.replace(self.folder / info.nar_name)
        _sync_folder(self._nars)
        write_file(self.folder / info.file_name, info.render())

    def _write_info(self) -> None:
        # Nix makes these folders in every cache that it opens, and fails where it may only read.
        for name in _OF_NIX:
            (self.folder / name).mkdir(exist_ok=True)
        if not self.has_info:
            write_file(self.folder / _INFO, CACHE_INFO)

    def _find_or_none(self, output: FixedOutput) -> NarInfo | None:
        try:
            return self.find(output)
        except HashMismatch:
            return None

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        """Make a file beside the NARs, for a caller that has the lock: older ones were left by a crash, and go."""
        for old in self._nars.glob(f"{_TEMPORARY}*"):
            old.unlink(missing_ok=True)
        fd, name = tempfile.mkstemp(dir=self._nars, prefix=_TEMPORARY)
        os.close(fd)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _damaged(self, output: FixedOutput, what: str) -> HashMismatch:
        return self._damage(f"archive's {output.name}", what)

    def _damage(self, name: str, what: str) -> HashMismatch:
        return HashMismatch(
            f"the {name} is damaged: {what}",
            where=str(self.folder),
            fix=(
                suggest("archive verify", "from this machine's Nix store", repair=True),
                suggest("archive pull", "from another archive", url=Placeholder("URL")),
            ),
        )


def find_archive(paths: Paths) -> Archive:
    """Return the archive in the data folder."""
    return Archive(paths.data / "archive")


def _sync(fd: int) -> None:
    os.fsync(fd)


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
