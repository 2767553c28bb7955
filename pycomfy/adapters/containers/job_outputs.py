"""Save files from a job's folder in the user's. The container that wrote them is not trusted."""

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.atomic_files import translate_disk_full, use_default_mode
from pycomfy.errors import RunFailed

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
"""The errors of file systems without hard links."""


_MAX_BYTES = 200
"""Bytes of one part of an output's path."""


@dataclass(frozen=True)
class SavedFile:
    """A file in the user's folder; `size` in bytes."""

    path: Path
    sha256: str
    size: int


def save_result(job: Path, relative: str, folder: Path, name: str) -> SavedFile:
    """Copy the file `relative` of the job's folder to `folder/name`, or to `name` with a number if that exists.

    `name` may have folders in it, which are made harmless. Raises `RunFailed` for anything but a regular file inside
    the job's folder, without links on the way; `NoSpace`. A file is saved as a whole or not at all.
    """
    source = _find_regular(job, relative)
    parts = [_harmless(part) for part in name.split("/") if part not in ("", ".", "..")] or ["output"]
    target = folder.joinpath(*parts)
    with translate_disk_full(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise RunFailed("an output's folder is a link to outside the output folder", where=str(target))
        fd, temporary = tempfile.mkstemp(dir=target.parent, prefix=".pycomfy-")
        try:
            with os.fdopen(fd, "wb") as out, source.open("rb") as f:
                shutil.copyfileobj(f, out, 1 << 20)
            use_default_mode(Path(temporary))
            path = _rename(Path(temporary), target)
        finally:
            Path(temporary).unlink(missing_ok=True)
    with path.open("rb") as f:
        return SavedFile(path, hashlib.file_digest(f, "sha256").hexdigest(), path.stat().st_size)


def _find_regular(job: Path, relative: str) -> Path:
    root = job.resolve()
    path = root / relative
    # Nothing runs in the folder any more, so what is checked here stays true.
    try:
        regular = stat.S_ISREG(path.lstat().st_mode) and os.path.realpath(path) == str(path)
    except (OSError, ValueError):
        regular = False
    if not regular or not path.is_relative_to(root):
        raise RunFailed(
            "an output is not a regular file in the job's folder", where=relative, fix="do not trust the image"
        )
    return path


def _rename(temporary: Path, target: Path) -> Path:
    """Give the file a name that no other file has, even if two runs do so at once; return its path."""
    number, path = 1, target
    while True:
        try:
            try:
                os.link(temporary, path)
            except OSError as e:
                if e.errno not in _NO_LINKS:
                    raise
                path.touch(exist_ok=False)
                temporary.replace(path)
            return path
        except FileExistsError:
            number += 1
            path = target.with_name(f"{target.stem}-{number}{target.suffix}")


def _harmless(part: str) -> str:
    """Return a file name without control characters that no program takes for an option or a hidden file. Of a long one
    the end is kept, with what makes it a picture: a file system takes 255 bytes, some of them for a number."""
    printable = re.sub(r"[\x00-\x1f\x7f/\\]", "_", part).strip()
    short = printable.encode(errors="replace")[-_MAX_BYTES:].decode(errors="ignore")
    return re.sub(r"^[.-]+", "_", short) or "_"
