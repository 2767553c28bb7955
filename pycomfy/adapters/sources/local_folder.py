"""Copy and list a local folder that becomes a source, without what is not code."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pycomfy.adapters.git.checkout import MAX_BYTES, MAX_DEPTH, MAX_FILES
from pycomfy.adapters.io.atomic_files import escapes, is_made_up, translate_disk_full
from pycomfy.core.lockfile.schema import LOCK_FILE
from pycomfy.core.lockfile.workflow_names import is_lock
from pycomfy.errors import BadInput, NotFound

_HEAD = 1 << 16  # bytes in which a lock shows that it is one


def copy_code(root: Path, out: Path, owner: str) -> None:
    """Copy the code below `root` into the empty folder `out`, without `.git` and bytecode; `owner` is who needs it.
    Locks of pycomfy are left out: in a folder that is a project and its own node pack, the lock has the folder's hash.

    Raises `NotFound`, and `BadInput` for a link that escapes, a special file, too many files or bytes, a folder that
    the kernel makes up, and one that `out` is in."""
    if not root.is_dir():
        raise NotFound(f"{owner}: there is no folder {root}", where=str(root), fix="correct path = … in pycomfy.toml")
    if is_made_up(root):
        raise _refused(owner, root, "it is no folder of a disk: it has what the kernel says of this process or machine")
    if out.resolve().is_relative_to(root.resolve()):
        raise _refused(owner, root, f"pycomfy's own data is in it, in {out.parent}")
    count = size = 0
    with translate_disk_full(out):
        for path in walk_code(root):
            to = out / path.relative_to(root)
            if path.is_symlink():
                if escapes(path, root):
                    raise _refused(owner, path, f"the link escapes from the folder, to {path.readlink()}")
                to.symlink_to(path.readlink())
            elif path.is_dir():
                to.mkdir()
            elif path.is_file():
                count, size = count + 1, size + path.stat().st_size
                if path.name.endswith(".lock") and _is_own_lock(path):
                    continue
                if count > MAX_FILES or size > MAX_BYTES:
                    raise _refused(owner, root, f"it has more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB")
                shutil.copyfile(path, to)
                to.chmod(0o755 if os.access(path, os.X_OK) and path.stat().st_mode & 0o100 else 0o644)
            else:
                raise _refused(owner, path, "it is neither file, folder nor link")


def _is_own_lock(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD).decode(errors="replace")
    return path.name == LOCK_FILE or (bool(head.strip()) and is_lock(head))


def walk_code(folder: Path) -> Iterator[Path]:
    """Yield all paths below the folder in order, without git's and Python's own files. Raises `BadInput` for more than
    `MAX_DEPTH` levels."""
    opened = [iter(sorted(folder.iterdir()))]
    while opened:
        path = next(opened[-1], None)
        if path is None:
            opened.pop()
        elif path.name not in (".git", "__pycache__") and not path.name.endswith(".pyc"):
            yield path
            if path.is_dir() and not path.is_symlink():
                if len(opened) >= MAX_DEPTH:
                    what = f"folders are nested more than {MAX_DEPTH} deep"
                    raise BadInput(what, where=str(folder), fix="leave them out")
                opened.append(iter(sorted(path.iterdir())))


def _refused(owner: str, path: Path, why: str) -> BadInput:
    return BadInput(
        f"{owner}: the folder cannot become a source: {why}",
        where=str(path),
        fix="leave it out, or name a git repository (git = …): only its committed files are taken",
    )
