"""Keep files that are given to runs from the browser, under their hash: a run can be done again with them."""

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeGuard

from pycomfy import operation
from pycomfy.adapters.database.database import database_path, is_there
from pycomfy.adapters.io.atomic_files import new_folder, translate_disk_full
from pycomfy.core.lockfile.names import safe_name
from pycomfy.core.loose_json import as_mapping
from pycomfy.errors import BadInput
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

MAX_UPLOAD = 1 << 30
"""Bytes of a file: a video."""

_MAX_OPERATIONS = 10_000

FRESH = 24 * 3600
"""Seconds for which a file is kept that no run has: somebody is filling in a form."""


class UploadedFile(Result):
    """A file that is kept; `path` is given to a run, `name` is its name there."""

    path: Path
    name: str
    size: int
    sha256: str


def keep_upload(workspace: Workspace, file: BinaryIO, file_name: str) -> UploadedFile:
    """Keep a file; the same bytes under the same name are kept once. Raises `BadInput` for an empty one."""
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    sha256, size = digest.hexdigest(), file.tell()
    if size == 0:
        raise BadInput("the file is empty", where=file_name or "the file", fix="give another one")
    name = _name_of(file_name)
    folder = workspace.paths.uploads / f"{sha256[:32]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    path = folder / name
    if not path.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        file.seek(0)
        with translate_disk_full(folder.parent):
            if folder.exists():  # what is left of one
                shutil.rmtree(folder)
            with new_folder(folder) as new, (new / name).open("wb") as out:
                shutil.copyfileobj(file, out)
    os.utime(folder)  # it is fresh again
    return UploadedFile(path=path, name=name, size=size, sha256=sha256)


def is_upload(workspace: Workspace, value: object) -> bool:
    """Return whether a value is the path of a file that was sent here; the hash in it cannot be guessed."""
    if not isinstance(value, str) or "\0" in value:
        return False
    path = Path(value)
    inside = ".." not in path.parts and path.parent.parent == workspace.paths.uploads
    return inside and path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


def find_unused_uploads(workspace: Workspace) -> list[Path]:
    """Return the folders of files that no recorded run was given, and no operation that goes on; without fresh ones."""
    folder = operation.original(workspace.paths.uploads)
    if not folder.is_dir():
        return []
    used = {os.path.realpath(path.parent) for path in _list_given(workspace)}
    return sorted(p for p in folder.iterdir() if os.path.realpath(p) not in used and not _is_fresh(p))


def _is_fresh(folder: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - folder.lstat().st_mtime < FRESH
    return False


def _list_given(workspace: Workspace) -> Iterator[Path]:
    """Yield the files that runs and operations have."""
    if not is_there(database_path(workspace.paths)):
        return
    with workspace.open_database() as database:
        for run in database.runs():
            yield from map(Path, filter(_is_path, run.files.values()))
        for one in database.operations(limit=_MAX_OPERATIONS):
            if one.state in ("waiting", "running"):
                yield from map(Path, filter(_is_path, as_mapping(one.arguments.get("inputs")).values()))


def _is_path(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith("/") and "\0" not in value


def _name_of(file_name: str) -> str:
    """The name without anything that means something in a path; ComfyUI goes by its ending."""
    path = Path(file_name.replace("\\", "/"))
    suffix = path.suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]{1,12}", path.suffix) else ""
    return f"{safe_name(path.stem or 'file')}{suffix}"
