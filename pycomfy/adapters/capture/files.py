"""The files of a folder as git would have them; links are never followed."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pycomfy.adapters.git.checkout import FILE, LINK, MAX_FILES, PROGRAM
from pycomfy.adapters.io.atomic_files import escapes
from pycomfy.core.requirements.model_files import is_model_file
from pycomfy.errors import BadInput

SMALL_MODEL = 1 << 20
"""What is called like a model and is no larger may well be a part of the code."""

CHUNK = 1 << 20
MAX_DEPTH = 200

Blob = tuple[str, str]
"""git's mode, and the object's hash."""


class Files:
    """Files of a folder, never through a link that one of their parents is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plain: dict[str, bool] = {}

    def lstat(self, path: str) -> os.stat_result | None:
        """What is at `path`; None for nothing, and for what lies behind a link."""
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
    """The paths of all files and links, but for what git and Python keep for themselves, virtual environments, and what
    is called as in `skip` at the top. Raises `BadInput` for what cannot be read, and for too many."""
    for count, path in enumerate(_walk(folder, "", skip)):
        if count >= MAX_FILES:
            raise BadInput(f"it has more than {MAX_FILES} files", where=str(folder), fix="tidy it up")
        yield path


def _walk(folder: Path, prefix: str, skip: Sequence[str]) -> Iterator[str]:
    if prefix.count("/") > MAX_DEPTH:
        raise BadInput(f"its folders are nested more than {MAX_DEPTH} deep", where=str(folder), fix="tidy it up")
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as e:
        raise BadInput(f"it cannot be read: {e.strerror}", where=str(folder), fix="make it readable") from e
    for entry in entries:
        name = entry.name
        if name in (".git", "__pycache__", *skip) or name.endswith(".pyc"):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not (Path(entry.path, "pyvenv.cfg")).exists():
                yield from _walk(Path(entry.path), f"{prefix}{name}/", ())
        else:
            yield prefix + name


def why_left(path: str, about: os.stat_result, files: Files) -> str | None:
    """Why a file that is there is left out; None if it is not."""
    if path.endswith("/"):
        return "a git repository of its own"
    if stat.S_ISLNK(about.st_mode):
        return "a link that leads out of the folder" if escapes(files.folder / path, files.folder) else None
    if not stat.S_ISREG(about.st_mode):
        return "neither file nor link"
    if is_model_file(path) and about.st_size > SMALL_MODEL:
        return f"a model ({about.st_size / 1e6:.0f} MB)"
    return None


def hash_entry(path: Path, about: os.stat_result, expected: str, modes: bool) -> Blob | None:
    """A file as git would have it; None for what git has no place for. Where modes are not kept (`modes`), they are as
    expected."""
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
        raise BadInput(f"it cannot be read: {e.strerror}", where=str(path), fix="make it readable") from e


def hash_blob(data: bytes) -> str:
    """The name that git gives to a file of these bytes."""
    digest = _header(len(data))
    digest.update(data)
    return digest.hexdigest()


def _header(size: int) -> "hashlib._Hash":
    """git's name of a file is a hash of its size and its bytes."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
