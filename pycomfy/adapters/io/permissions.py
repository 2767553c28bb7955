"""Whether files may be read: what may not is neither gone nor damaged."""

import os
from pathlib import Path

from pycomfy.errors import BadInput


def refuse_unreadable(*paths: Path) -> None:
    """Raise `BadInput` for the first file or folder, among `paths` and below them, that this user may not read."""
    for path in paths:
        for at, folders, files in os.walk(path):
            for name in (".", *folders, *files):
                _check(Path(at, name), folder=name not in files)
        if path.is_file():
            _check(path, folder=False)


def _check(path: Path, *, folder: bool) -> None:
    if not path.is_symlink() and path.exists() and not os.access(path, os.R_OK | (os.X_OK if folder else 0)):
        what = "no permission to read it; it may be whole"
        raise BadInput(what, where=str(path), fix="change its permissions, or ask its owner to")
