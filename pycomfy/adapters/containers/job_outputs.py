"""Files out of a job's folder into the user's. The container that wrote them is not trusted."""

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

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
"""What a file system without hard links answers."""


@dataclass(frozen=True)
class Saved:
    """A file in the user's folder."""

    path: Path
    sha256: str
    size: int


def save_result(job: Path, relative: str, folder: Path, name: str) -> Saved:
    """Copy the file `relative` of the job's folder to `folder/name`, or to `name` with a number where that is taken.

    `name` may have folders in it, which are made harmless. Raises `RunFailed` for anything but a regular file inside
    the job's folder, reached without a link; `NoSpace`. A file is there in full or not at all.
    """
    source = _regular(job, relative)
    parts = [_harmless(part) for part in name.split("/") if part not in ("", ".", "..")] or ["output"]
    target = folder.joinpath(*parts)
    with translate_disk_full(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise RunFailed("an output's folder is a link that leads out of the output folder", where=str(target))
        fd, temporary = tempfile.mkstemp(dir=target.parent, prefix=".pycomfy-")
        try:
            with os.fdopen(fd, "wb") as out, source.open("rb") as f:
                shutil.copyfileobj(f, out, 1 << 20)
            use_default_mode(Path(temporary))
            path = _place(Path(temporary), target)
        finally:
            Path(temporary).unlink(missing_ok=True)
    with path.open("rb") as f:
        return Saved(path, hashlib.file_digest(f, "sha256").hexdigest(), path.stat().st_size)


def _regular(job: Path, relative: str) -> Path:
    root = job.resolve()
    path = root / relative
    # Nothing runs in the folder any more, so what is checked here stays true.
    try:
        plain = stat.S_ISREG(path.lstat().st_mode) and os.path.realpath(path) == str(path)
    except (OSError, ValueError):
        plain = False
    if not plain or not path.is_relative_to(root):
        raise RunFailed(
            "an output is not a plain file in the job's folder", where=relative, fix="do not trust the image"
        )
    return path


def _place(temporary: Path, target: Path) -> Path:
    """Give the file its name without ever replacing another one; two runs may do this at once."""
    number, path = 1, target
    while True:
        try:
            try:
                os.link(temporary, path)
            except OSError as e:
                if e.errno not in NO_LINKS:
                    raise
                path.touch(exist_ok=False)
                temporary.replace(path)
            return path
        except FileExistsError:
            number += 1
            path = target.with_name(f"{target.stem}-{number}{target.suffix}")


def _harmless(part: str) -> str:
    """A file name without control characters that no program takes for an option or a hidden file."""
    plain = re.sub(r"[\x00-\x1f\x7f/\\]", "_", part).strip()
    return re.sub(r"^[.-]+", "_", plain)[-200:] or "_"
