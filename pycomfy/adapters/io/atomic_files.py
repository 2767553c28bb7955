"""Write files and folders that are never half there: beside the path where they belong, and then renamed."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from pycomfy import operation
from pycomfy.errors import BadInput, Fixes, NoSpace, PycomfyError, suggest

_MADE_UP = (Path("/proc"), Path("/sys"))
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("no space left", "out of diskspace", "database or disk is full", "disk full")
_QUOTA_WORDS = ("uota exceeded",)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_TARGET = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)
_MORE_SPACE = (suggest("gc", "frees what nothing needs"), "set PYCOMFY_HOME to a folder on a larger disk")

RESERVED_BYTES = 1 << 30
"""What stays free on a disk that much is written to."""

_SCRAPS = 64 << 10
"""Bytes that a full disk may still have free: what was to be written did not fit, and was removed."""

_HIDDEN = ".pycomfy-"

_UMASK = os.umask(0)
os.umask(_UMASK)  # read once: while it is read, files of other threads would get the wrong mode


def no_space(where: Path, *, quota: bool = False) -> NoSpace:
    """Return the error for a full disk; it says how much is free where `where` is or would be. `quota`: it is this
    user's part of the disk that is used up."""
    few = ", but no more files can be made" if free_files(where) == 0 else ""
    what = f"no space left on the disk ({free_space(where) / 1e6:.1f} MB free{few})"
    return NoSpace("your disk quota is used up" if quota else what, where=str(where), fix=_MORE_SPACE)


def says_disk_is_full(text: str) -> bool:
    """Return whether a program that printed `text` gave up because a disk was full."""
    text = text.lower()  # those in Go begin without a capital
    return any(words in text for words in (*_FULL_WORDS, *_QUOTA_WORDS))


def explain_full_disk(text: str, where: Path) -> NoSpace:
    """Return the error for such a text."""
    return no_space(where, quota=any(words in text for words in _QUOTA_WORDS))


def free_space(where: Path) -> int:
    """Return how many bytes are free on the disk where `where` is or would be."""
    return shutil.disk_usage(_find_existing(where)).free


def free_files(where: Path) -> int | None:
    """Return how many more files can be made on the disk where `where` is or would be; None where they are not
    counted."""
    status = os.statvfs(_find_existing(where))
    return status.f_favail if status.f_files else None


def is_full(where: Path) -> bool:
    """Return whether the disk where `where` is or would be has room for hardly anything more."""
    return free_space(where) < _SCRAPS or free_files(where) == 0


def _find_existing(where: Path) -> Path:
    return next((p for p in (where, *where.parents) if p.exists()), Path("/"))


def check_free_space(folder: Path, needed: int, what: str, fix: Fixes = _MORE_SPACE) -> None:
    """Raise `NoSpace` if `needed` bytes for `what` ("the sources") would leave less than `RESERVED_BYTES` free on the
    disk where `folder` is or would be."""
    free = free_space(folder)
    if needed > free - RESERVED_BYTES:
        raise NoSpace(
            f"no space left on the disk ({free / 1e6:.1f} MB free): {what} take {needed / 1e9:.2f} GB, and"
            f" {RESERVED_BYTES >> 30} GiB is left free",
            where=str(folder),
            fix=fix,
        )


def explain_os_error(error: OSError, where: Path) -> PycomfyError | None:
    """Return an error that the user can fix: a full disk, a folder without permission, a path that cannot be written.
    None for any other."""
    named = error.filename2 or error.filename
    path = str(named) if isinstance(named, str | os.PathLike) else str(where)
    if error.errno in _FULL:
        return no_space(where, quota=error.errno == errno.EDQUOT)
    if error.errno in _REFUSED:
        fix = ("change its permissions", "use another path")
        return BadInput(f"no permission: {error.strerror}", where=path, fix=fix)
    if error.errno in _NO_TARGET:
        return BadInput(f"nothing can be written there: {error.strerror}", where=path, fix="give another path")
    return None


@contextlib.contextmanager
def translate_disk_full(where: Path) -> Iterator[None]:
    """Turn an `OSError` that the user can fix into a `PycomfyError`: `NoSpace` for a full disk, which says how much is
    free and where; `BadInput` where nothing can be written."""
    try:
        yield
    except OSError as e:
        explained = explain_os_error(e, where)
        if explained is None:
            raise
        raise explained from e
    except Exception as e:
        if not str(getattr(e, "sqlite_errorname", "")).startswith("SQLITE_FULL"):
            raise
        raise no_space(where) from e


def check_replaceable(path: Path) -> None:
    """Raise `BadInput` if `path` exists and is not a file."""
    if path.exists() and not path.is_file():
        raise BadInput("not a file: it cannot be replaced", where=str(path), fix="give the path of a file")


def write_file(path: Path, data: bytes | str, *, private: bool = False) -> None:
    """Replace `path` by `data` in one step. Raises as `new_file`."""
    with new_file(path, private=private) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def new_file(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Write a file beside `path`; on success it replaces `path`; on failure, and in a dry run, nothing is left of it.
    The folder is created. One that is `private` no other user may read. Raises `NoSpace`, or `BadInput` where something
    else than a file is, such as a device: replacing it would harm the machine."""
    if operation.discards(path):
        check_replaceable(path)
        with tempfile.TemporaryFile(dir=operation.scratch()) as file:
            yield file
        return
    with translate_disk_full(path):
        check_replaceable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, temporary = _open_unnamed(path.parent)
        try:
            with os.fdopen(fd, "wb") as file:
                yield file
                file.flush()
                os.fsync(fd)
                temporary = temporary or _link(fd, path.parent)
            if not private:
                use_default_mode(temporary)
            temporary.replace(path)
        except BaseException:
            if temporary:
                temporary.unlink(missing_ok=True)
            raise


def _open_unnamed(folder: Path) -> tuple[int, Path | None]:
    """Open a new file in `folder` that has no name, so that nothing of it is left if the process is killed. Where the
    file system has no such files, it has a hidden name, which is returned too."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), None
    except OSError as e:
        if e.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            raise
    fd, name = tempfile.mkstemp(dir=folder, prefix=_HIDDEN)
    return fd, Path(name)


def _link(fd: int, folder: Path) -> Path:
    """Give the open file without a name a hidden one in `folder`: a link cannot replace a file, a rename can."""
    path = folder / f"{_HIDDEN}{os.urandom(8).hex()}"
    # `src_dir_fd` says nothing here, but without it Python would link to the link in /proc.
    os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
    return path


def use_default_mode(file: Path) -> None:
    """Give a file the permissions that every new file gets: those of a temporary one are the owner's alone."""
    file.chmod(0o666 & ~_UMASK)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside `path`; on success it replaces `path`, on failure or in a dry run nothing is left of it."""
    if operation.discards(path):
        with tempfile.TemporaryDirectory(dir=operation.scratch()) as folder:
            yield Path(folder)
        return
    with translate_disk_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:100]}."))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:100]}.old."))
                path.replace(old / "old")
                temporary.replace(path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Replace the folder `path` by one with these files, in one step. Raises `NoSpace`."""
    with new_folder(path) as folder:
        for name, data in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def escapes(link: Path, folder: Path) -> bool:
    """Return whether a link is absolute, or points outside `folder`, perhaps by way of other links."""
    return link.readlink().is_absolute() or not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(folder))


def is_made_up(path: Path) -> bool:
    """Return whether the kernel makes up what is there, when it is read: below /proc and /sys is what this process and
    this machine are, secrets too, and some of it never ends."""
    real, named = path.resolve(), Path(os.path.normpath(path.absolute()))
    return any(one.is_relative_to(place) for place in _MADE_UP for one in (real, named))


def find_escaping_link(folder: Path) -> Path | None:
    """Return a link in `folder` that points outside it; None if there is none."""
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in (*folders, *files)):
            if path.is_symlink() and escapes(path, folder):
                return path
    return None
