"""Read files of an installation without following links, and list those of a folder as git would have them."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pycomfy.adapters.git.checkout import FILE, LINK, MAX_FILES, PROGRAM
from pycomfy.adapters.io.atomic_files import escapes
from pycomfy.core.requirements.model_files import is_model_file
from pycomfy.errors import BadInput

MAX_TEXT = 32 << 20
"""Bytes of a text file."""

SMALL_MODEL = 1 << 20
"""Bytes up to which a file with a model's name counts as code."""

_TIDY = "remove what does not belong there"

CHUNK = 1 << 20
MAX_DEPTH = 200
"""Levels of folders."""

Blob = tuple[str, str]
"""git's mode, and the object's hash."""


def read_text(path: Path, limit: int = MAX_TEXT) -> str:
    """Return a text file of an installation; "" if it cannot be read, is not a regular file, or is larger than `limit`
    bytes. Waits for no pipe or device."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as f:
            about = os.fstat(f.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
                return ""
            return f.read(limit + 1).decode("utf-8-sig", errors="replace")
    except (OSError, ValueError):
        return ""


class Files:
    """Look at files of a folder, never through a link in place of one of their parents."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plain: dict[str, bool] = {}

    def lstat(self, path: str) -> os.stat_result | None:
        """Return what is at `path`; None for nothing, and for a path that leads through a link."""
        parts = path.split("/")
        if all(self._is_plain("/".join(parts[:n])) for n in range(1, len(parts))):
            return self._lstat(path)
        return None

    def _is_plain(self, folder: str) -> bool:
        if folder not in self._plain:
            about = self._lstat(folder)
            self._plain[folder] = about is not None and stat.S_ISDIR(about.st_mode)
        return self._plain[folder]

    def _lstat(self, path: str) -> os.stat_result | None:
        try:
            return os.lstat(self.folder / path)
        except (OSError, ValueError):
            return None


def list_files(folder: Path, skip: Sequence[str] = ()) -> Iterator[str]:
    """Yield the paths of all files and links, except those of git and of Python's cache, virtual environments, and the
    names `skip` at the top. Raises `BadInput` for a folder that cannot be read, and for too many files."""
    for count, path in enumerate(_walk(folder, "", skip)):
        if count >= MAX_FILES:
            raise BadInput(f"more than {MAX_FILES} files", where=str(folder), fix=_TIDY)
        yield path


def _walk(folder: Path, prefix: str, skip: Sequence[str]) -> Iterator[str]:
    if prefix.count("/") > MAX_DEPTH:
        raise BadInput(f"folders are nested more than {MAX_DEPTH} deep", where=str(folder), fix=_TIDY)
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as e:
        raise unreadable(folder, e) from e
    for entry in entries:
        name = entry.name
        if name in (".git", "__pycache__", *skip) or name.endswith(".pyc"):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not (Path(entry.path, "pyvenv.cfg")).exists():
                yield from _walk(Path(entry.path), f"{prefix}{name}/", ())
        else:
            yield prefix + name


def unreadable(path: Path, error: OSError) -> BadInput:
    """Return the error for a file or folder of an installation that cannot be read."""
    return BadInput(f"cannot be read: {error.strerror}", where=str(path), fix="make it readable")


def why_skipped(path: str, about: os.stat_result, files: Files) -> str | None:
    """Return why a file is left out; None if it is not. A path that ends in `/` is a repository within the folder."""
    if path.endswith("/"):
        return "a git repository of its own"
    if stat.S_ISLNK(about.st_mode):
        return "a link that escapes the folder" if escapes(files.folder / path, files.folder) else None
    if not stat.S_ISREG(about.st_mode):
        return "neither a file nor a link"
    if is_model_file(path) and about.st_size > SMALL_MODEL:
        return f"a model ({about.st_size / 1e6:.0f} MB)"
    return None


def hash_entry(path: Path, about: os.stat_result, expected: str, modes: bool) -> Blob | None:
    """Return a file as git would have it; None for what git cannot hold. `modes` says whether the file system keeps
    which files are programs; where it does not, the mode is `expected`."""
    try:
        if stat.S_ISLNK(about.st_mode):
            return LINK, hash_blob(os.fsencode(path.readlink()))
        if not stat.S_ISREG(about.st_mode):
            return None
        mode = PROGRAM if about.st_mode & 0o100 else FILE
        if not modes and expected in (FILE, PROGRAM):
            mode = expected
        digest = _header(about.st_size)
        with path.open("rb") as f:
            while chunk := f.read(CHUNK):
                digest.update(chunk)
        return mode, digest.hexdigest()
    except OSError as e:
        raise unreadable(path, e) from e


def hash_blob(data: bytes) -> str:
    """Return the name that git gives to a file of these bytes."""
    digest = _header(len(data))
    digest.update(data)
    return digest.hexdigest()


def _header(size: int) -> "hashlib._Hash":
    """A hash that has begun with the size: git's name of a file is a hash of its size and its bytes."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
