"""Read and write the file of users, which nobody else on this machine may read or write."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from pycomfy.adapters.io.atomic_files import explain_os_error, write_file
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.core.access.users import User, parse_users, render_users
from pycomfy.errors import BadInput, NotFound, Placeholder, suggest

MAX_FILE = 1 << 20

Stamp = tuple[int, int, int]
"""What changes when the file is changed."""


def read_users(path: Path) -> tuple[dict[str, User], Stamp]:
    """Return the users, and the stamp of the file that has them. Raises `NotFound` without a file; `BadInput` for one
    that is malformed, or that others may read or write."""
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            _check(path, about)
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError as e:
        fix = suggest("users add", "makes it", name=Placeholder("NAME"), auth=str(path))
        raise NotFound("there is no file of users", where=str(path), fix=fix) from e
    except OSError as e:
        raise explain_os_error(e, path) or BadInput(
            f"the file of users cannot be read: {e.strerror}", where=str(path), fix="give the path of a file"
        ) from e
    if len(data) > MAX_FILE:
        raise BadInput("the file of users is too large", where=str(path), fix="give the path of a file of users")
    return parse_users(data.decode(errors="replace"), str(path)), _stamp(about)


def stamp_users(path: Path) -> Stamp | None:
    """Return the stamp of the file as it is now; None without one."""
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def change_users(path: Path, change: Callable[[dict[str, User]], None]) -> None:
    """Change the users in the file, which is made if it is missing. One process at a time does so. Raises as
    `read_users`, and what `change` raises."""
    with exclusive_lock(path.with_name(f"{path.name}.lock"), remove=True):
        users = read_users(path)[0] if path.exists() else {}
        change(users)
        write_file(path, render_users(users), private=True)


def _check(path: Path, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise BadInput("this is not a file", where=str(path), fix="give the path of a file of users")
    if about.st_mode & 0o077:
        what = f"others may read or write the file of users (mode {stat.S_IMODE(about.st_mode):o})"
        raise BadInput(what, where=str(path), fix=f"let it be yours alone: chmod 600 {path}")
    if about.st_uid not in (os.geteuid(), 0):
        raise BadInput("the file of users is another user's", where=str(path), fix="let it be yours")


def _stamp(about: os.stat_result) -> Stamp:
    return about.st_mtime_ns, about.st_size, about.st_ino
