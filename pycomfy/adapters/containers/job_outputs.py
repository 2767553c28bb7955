"""Save files from a job's folder in the user's. The container that wrote them is not trusted."""

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.atomic_files import explain_os_error, free_space, use_default_mode
from pycomfy.errors import BadInput, NoSpace, PycomfyError, RunFailed

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
"""The errors of file systems without hard links."""

_MAX_BYTES = 200
"""Bytes of one part of an output's path: a file system takes 255, some of them for a number."""

_PACKED = 1 << 20
_MAX_PARTS, _MAX_PATH = 16, 1000
"""Parts and bytes of an output's path below the user's folder; of a longer one the file's own name is kept."""

_UNSAFE = re.compile(r'[/\\<>:"|?*]')
"""What separates paths, or is forbidden, on a system or a disk that the files may get to."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows takes for devices, with every ending."""

OUTPUT_FOLDERS = ("output", "results")
"""ComfyUI's output folder below the job's, and that of what the runtime keeps for nodes."""

MAX_HOLES = 32 << 30
"""Bytes that all files of a job may claim beyond those they take on the disk: reading takes time for these, too."""


class NotAnOutput(RunFailed):
    """What an event named is no regular file in the job's folder: there is nothing to save."""


@dataclass(frozen=True)
class SavedFile:
    """A file in the user's folder; `size` in bytes, `holes` those of them that it does not take on the disk."""

    path: Path
    sha256: str
    size: int
    holes: int = 0


def check_output_folder(folder: Path) -> None:
    """Create the user's folder, and check that files can be written there. Raises `BadInput` where nothing can be
    written, `NoSpace` where the disk is full."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix=".pycomfy-", buffering=0) as file:
            file.write(b"\0" * 4096)
    except OSError as e:
        raise explain_unwritable(e, folder) from e


def explain_unwritable(error: OSError, folder: Path) -> PycomfyError:
    """Return the error for the user's folder, of which nothing but its path is known."""
    full = explain_os_error(error, folder)
    if isinstance(full, NoSpace):
        return NoSpace(full.what, where=str(folder), fix=f"free some space on the disk of {folder}")
    in_the_way = next((path for path in (folder, *folder.parents) if path.is_symlink() or path.exists()), None)
    if in_the_way is not None and not in_the_way.is_dir():
        return BadInput(f"{in_the_way} is no folder", where=str(folder))
    return BadInput(f"nothing can be written there: {error.strerror}", where=str(folder))


def save_result(job: Path, relative: str, folder: Path, name: str, *, max_holes: int = MAX_HOLES) -> SavedFile:
    """Give the file `relative` of the job's folder to the user as `folder/name`, or with a number if that exists.

    `name` may have folders in it, and anything else: it is made harmless. On the same disk the file takes no more
    room, as its name there is another one of the same file: the job's folder has to be removed afterwards. Raises
    `NotAnOutput` for anything but a regular file inside the job's folder, without links on the way; `NoSpace`, also
    for one that claims more than the disk has, or `max_holes` bytes more than it takes; `BadInput` where nothing can be
    written. A file is saved as a whole or not at all.
    """
    source = _find_regular(job, relative)
    holes = _check_size(source.stat(), folder, max_holes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _give(source, _find_target(folder, split_name(name)))
    except OSError as e:
        raise explain_unwritable(e, folder) from e
    with path.open("rb") as f:
        return SavedFile(path, hashlib.file_digest(f, "sha256").hexdigest(), path.stat().st_size, holes)


def find_files(job: Path, *, limit: int) -> Iterator[str]:
    """Give the paths of the regular files that a job left in its output folder, or that the runtime kept for it, below
    `job`; at most `limit` of them, and nothing that a link leads to."""
    found = 0
    for top in OUTPUT_FOLDERS:
        # The folder itself may be a link by now, too.
        for parent, folders, names in [] if (job / top).is_symlink() else os.walk(job / top):
            folders.sort()
            for name in sorted(names):
                path = Path(parent, name)
                if _is_regular(path):
                    found += 1
                    if found > limit:
                        return
                    yield path.relative_to(job).as_posix()


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:  # its path may be longer than the system takes
        return False


def split_name(name: str) -> list[str]:
    """Return the parts of an output's path, which may be anything, made harmless: at least one."""
    parts = [_harmless(part) for part in name.split("/") if part not in ("", ".", "..")] or ["output"]
    if len(parts) > _MAX_PARTS or len("/".join(parts).encode()) > _MAX_PATH:
        return parts[-1:]
    return parts


def _find_target(folder: Path, parts: list[str]) -> Path:
    """Return the path for an output; its folder exists. Where one of its folders is a file, or a link to outside, its
    parts are joined to one name."""
    root = folder.resolve()
    target = folder.joinpath(*parts)
    # Before anything is made: a link could lead out.
    if target.parent.resolve().is_relative_to(root):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return target
        except (FileExistsError, NotADirectoryError):
            pass
    return folder / _harmless("_".join(parts))


def _find_regular(job: Path, relative: str) -> Path:
    root = job.resolve()
    path = root / relative
    # Nothing runs in the folder any more, so what is checked here stays true.
    try:
        about = path.lstat()
        regular = stat.S_ISREG(about.st_mode) and os.path.realpath(path) == str(path)
    except (OSError, ValueError):
        regular = False
    if not regular or not path.is_relative_to(root):
        what = "an output is not a regular file in the job's folder"
        raise NotAnOutput(what, where=relative, fix="do not trust the image")
    return path


def _check_size(about: os.stat_result, folder: Path, max_holes: int) -> int:
    """Return how many bytes a file claims beyond those it takes. Raises `NoSpace` as `save_result`."""
    taken = about.st_blocks * 512
    holes = max(0, about.st_size - taken)
    # File systems pack small files.
    if holes > _PACKED and (holes > max_holes or about.st_size > free_space(folder)):
        sizes = [f"{size / 1e9:.1f} GB" for size in (about.st_size, taken, free_space(folder), max_holes)]
        what = (
            f"an output claims {sizes[0]}, of which {sizes[1]} are there; {sizes[2]} are free on the disk, and"
            f" {sizes[3]} are taken that are not there"
        )
        raise NoSpace(what, where=str(folder), fix="do not trust the image")
    return holes


def _give(source: Path, target: Path) -> Path:
    """Link the file to a free name, or copy it; return its path."""
    about = source.stat()
    try:
        if about.st_nlink != 1 or _is_labelled(source):
            raise OSError(errno.EXDEV, "not this one")
        if about.st_uid != os.geteuid():
            os.chown(source, os.geteuid(), os.getegid())
        use_default_mode(source)
        return _link(source, target)
    except OSError as e:
        if e.errno != errno.EXDEV and e.errno not in _NO_LINKS:
            raise
    return _copy(source, target)


def _copy(source: Path, target: Path) -> Path:
    fd, temporary = tempfile.mkstemp(dir=target.parent, prefix=".pycomfy-")
    try:
        with os.fdopen(fd, "wb") as out, source.open("rb") as f:
            shutil.copyfileobj(f, out, 1 << 20)
        use_default_mode(Path(temporary))
        return _rename(Path(temporary), target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _is_labelled(file: Path) -> bool:
    """Return whether the file has a label of SELinux's, which would stay that of the container."""
    try:
        return b"container" in os.getxattr(file, "security.selinux")
    except OSError:
        return False


def _names(target: Path) -> Iterator[Path]:
    yield target
    number = 2
    while True:
        yield target.with_name(f"{target.stem}-{number}{target.suffix}")
        number += 1


def _link(source: Path, target: Path) -> Path:
    """Give the file a name that no other file has, even if two runs do so at once; return its path."""
    for path in _names(target):
        try:
            os.link(source, path)
        except FileExistsError:
            continue
        return path
    raise AssertionError("names do not end")


def _rename(temporary: Path, target: Path) -> Path:
    """Do as `_link`, also on a file system that has no links."""
    try:
        return _link(temporary, target)
    except OSError as e:
        if e.errno not in _NO_LINKS:
            raise
    for path in _names(target):
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        temporary.replace(path)
        return path
    raise AssertionError("names do not end")


def _harmless(part: str) -> str:
    """Return a file name that prints, that no program takes for an option or a hidden file, and that other systems
    have, too. Of a long one the end is kept, with what makes it a picture."""
    printing = "".join(c if c.isprintable() else "_" for c in part)
    plain = _UNSAFE.sub("_", printing).strip()
    short = plain.encode()[-_MAX_BYTES:].decode(errors="ignore").strip()
    short = re.sub(r"[. ]+$", "_", re.sub(r"^[.-]+", "_", short))
    return f"_{short}" if _RESERVED.match(short) else short or "_"
