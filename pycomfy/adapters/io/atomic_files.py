"""Files that are never half there: written beside and then put in place."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pycomfy.errors import BadInput, NoSpace, PycomfyError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_PLACE = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)
LARGER = "free some space (`nix-store --gc`, `podman image prune`), or set PYCOMFY_HOME to a folder on a larger disk"


def no_space(where: Path) -> NoSpace:
    """The error for a disk that is full, which says how much is free where `where` is or would be."""
    return NoSpace(f"no space left on the disk ({free_space(where) / 1e6:.1f} MB free)", where=str(where), fix=LARGER)


def says_disk_is_full(text: str) -> bool:
    """Whether a program that printed `text` gave up because a disk was full."""
    return any(words in text for words in ("No space left", "uota exceeded", "database or disk is full"))


def free_space(where: Path) -> int:
    """Bytes that are free on the disk where `where` is or would be."""
    there = next((p for p in (where, *where.parents) if p.exists()), Path("/"))
    return shutil.disk_usage(there).free


def explain_os_error(error: OSError, where: Path) -> PycomfyError | None:
    """A full disk, a folder that must not be written, or a path that cannot be one, for a user; None for the rest."""
    named = error.filename2 or error.filename
    at = str(named) if isinstance(named, str | os.PathLike) else str(where)
    if error.errno in _FULL:
        return no_space(where)
    if error.errno in _REFUSED:
        fix = "change its permissions, or use another place"
        return BadInput(f"no permission: {error.strerror}", where=at, fix=fix)
    if error.errno in _NO_PLACE:
        return BadInput(f"nothing can be written there: {error.strerror}", where=at, fix="give another path")
    return None


@contextlib.contextmanager
def translate_disk_full(where: Path) -> Iterator[None]:
    """Turn an `OSError` that the user can mend into a `PycomfyError`: `NoSpace` for a full disk, which says how much is
    free and where; `BadInput` for a place where nothing can be written."""
    try:
        yield
    except OSError as e:
        explained = explain_os_error(e, where)
        if explained is None:
            raise
        raise explained from e


def check_replaceable(path: Path) -> None:
    """Raise `BadInput` if there is something at `path` that is no file."""
    if path.exists() and not path.is_file():
        raise BadInput("it is no file that could be replaced", where=str(path), fix="give the path of a file")


def write_file(path: Path, data: bytes | str) -> None:
    """Replace `path` by `data` in one step. The folder is made if it is missing. Raises `NoSpace`, or `BadInput` for
    what is no file, such as a device: putting a file in its place would harm the machine."""
    raw = data.encode() if isinstance(data, str) else data
    with translate_disk_full(path):
        check_replaceable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(fd, "wb") as f:
                f.write(raw)
                f.flush()
                os.fsync(f.fileno())
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside `path`; on success it replaces `path`, on failure nothing is left of it."""
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
    """Whether a link is absolute, or leads out of `folder` by whatever other links are on its way."""
    return link.readlink().is_absolute() or not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(folder))


def find_escaping_link(folder: Path) -> Path | None:
    """A link in `folder` that leads out of it; None without any."""
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in (*folders, *files)):
            if path.is_symlink() and escapes(path, folder):
                return path
    return None
