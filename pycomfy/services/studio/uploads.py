"""Keep files that are given to runs from the browser, under their hash: a run can be done again with them."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import BinaryIO

from pycomfy.adapters.io.atomic_files import new_folder, translate_disk_full
from pycomfy.core.lockfile.names import safe_name
from pycomfy.errors import BadInput
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

MAX_UPLOAD = 1 << 30
"""Bytes of a file: a video."""


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
    return UploadedFile(path=path, name=name, size=size, sha256=sha256)


def is_upload(workspace: Workspace, value: object) -> bool:
    """Return whether a value is the path of a file that was sent here; the hash in it cannot be guessed."""
    if not isinstance(value, str) or "\0" in value:
        return False
    path = Path(value)
    inside = ".." not in path.parts and path.parent.parent == workspace.paths.uploads
    return inside and path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


def _name_of(file_name: str) -> str:
    """The name without anything that means something in a path; ComfyUI goes by its ending."""
    path = Path(file_name.replace("\\", "/"))
    suffix = path.suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]{1,12}", path.suffix) else ""
    return f"{safe_name(path.stem or 'file')}{suffix}"
