"""Files that are never half there: written beside and then put in place."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pycomfy.errors import NoSpace


@contextlib.contextmanager
def full_disk_is_an_error(where: Path) -> Iterator[None]:
    """Turn ENOSPC and EDQUOT into `NoSpace`, which says how much is free and where."""
    try:
        yield
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        there = next((p for p in (where, *where.parents) if p.exists()), Path("/"))
        free = shutil.disk_usage(there).free
        raise NoSpace(
            f"no space left on the disk ({free / 1e6:.0f} MB free)",
            where=str(where),
            fix="free some space (`nix-store --gc`, `podman image prune`) or set PYCOMFY_HOME to a larger disk",
        ) from e


def write_file(path: Path, data: bytes | str) -> None:
    """Replace `path` by `data` in one step. The folder is made if it is missing. Raises `NoSpace`."""
    raw = data.encode() if isinstance(data, str) else data
    with full_disk_is_an_error(path):
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
    with full_disk_is_an_error(path):
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
