"""`show` for a picture: name the version that made it."""

import hashlib
import stat
from pathlib import Path
from typing import Any

from pycomfy.adapters.database.records import VersionRecord
from pycomfy.adapters.metadata.detect import find_maker
from pycomfy.core.versions.made_by import MadeBy, parse_made_by
from pycomfy.core.versions.reference import format_label, parse_reference
from pycomfy.errors import BadInput, NotFound, suggest
from pycomfy.services.results import Result
from pycomfy.services.run.history import list_runs
from pycomfy.services.versions.indexing import index, list_indexed
from pycomfy.services.workspace import Workspace

PICTURES = (".png", ".apng", ".webp", ".jpg", ".jpeg", ".avif", ".svg", ".gif", ".glb")
SOUNDS = (".flac", ".ogg", ".opus", ".mp3", ".m4a")
VIDEOS = (".mp4", ".mov", ".webm", ".mkv")
SUFFIXES = frozenset((*PICTURES, *SOUNDS, *VIDEOS))
"""Names of files with which `is_picture` takes a text for a file rather than for a version."""


class PictureResult(Result):
    """What is known of a file. `format` is as PNG, "" for an unknown one. `made_by` is what the file itself says, None
    if it says nothing: anybody can write that. `version` is the recorded version with the same lock, as NAME@3, None if
    none is recorded here; `proven` says that the file is, byte for byte, an output of the recorded run `run`."""

    file: str
    format: str
    sha256: str
    made_by: dict[str, Any] | None
    version: str | None
    commit: str | None
    run: int | None
    proven: bool
    has_workflow: bool


def is_picture(workspace: Workspace, text: str) -> bool:
    """Return whether a text names a file rather than a version: no version's name has a slash. The name of a picture
    that is nowhere is a file, unless a workflow has it."""
    if "/" in text:
        return True
    return Path(text).suffix.lower() in SUFFIXES and (Path(text).is_file() or not _names_workflow(workspace, text))


def _names_workflow(workspace: Workspace, text: str) -> bool:
    try:
        return parse_reference(text).name in workspace.versions.names()
    except BadInput:
        return False


def show_picture(workspace: Workspace, file: str) -> PictureResult:
    """Name the version that made a file, by what ComfyUI wrote into it, or by the recorded run that saved it. Raises
    `NotFound` if there is no such file, or nothing says what made it; `BadInput` if it cannot be read."""
    path = Path(file)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise BadInput("not a file", where=file, fix="give a picture, sound or video that was saved")
        with path.open("rb") as f:
            kind, texts = find_maker(f)
            f.seek(0)
            digest = hashlib.file_digest(f, "sha256").hexdigest()
    except FileNotFoundError as e:
        raise NotFound(f"there is no file {path.name}", where=file, fix="check the path") from e
    except OSError as e:
        what = f"the file cannot be read: {e.strerror}"
        raise BadInput(what, where=file, fix="check the path and its permissions") from e
    made_by = parse_made_by(texts["pycomfy"]) if "pycomfy" in texts else None
    has_workflow = not texts.keys().isdisjoint(("workflow", "prompt"))
    index(workspace)
    version = None if made_by is None else _find(list_indexed(workspace), made_by)
    label = None if version is None else format_label(version.name, version.version, version.commit)
    run = next((run for run in list_runs(workspace) if any(o.sha256 == digest for o in run.outputs)), None)
    if run is not None:
        label = f"{run.name}@{run.version}"
    if made_by is None and run is None:
        fix = suggest("inspect", "shows the workflow in it", file=file) if has_workflow else ()
        what = "nothing in this file says which version made it, and no recorded run saved it"
        raise NotFound(what, where=file, fix=fix or "give the file as it was saved: other programs drop what is in it")
    return PictureResult(
        file=file,
        format=kind,
        sha256=digest,
        made_by=None if made_by is None else made_by.model_dump(),
        version=label,
        commit=None if version is None else version.commit,
        run=None if run is None else run.run,
        proven=run is not None,
        has_workflow=has_workflow,
    )


def _find(versions: list[VersionRecord], made_by: MadeBy) -> VersionRecord | None:
    """Return the version with the same lock: the one that is named, else the one whose image is, else the newest."""
    same = [v for v in versions if v.lock_sha256 and v.lock_sha256 == made_by.lock_sha256]
    named = [v for v in same if (v.name, str(v.version)) == (made_by.name, made_by.version)]
    by_image = [v for v in same if v.manifest_digest and v.manifest_digest == made_by.image_digest]
    return next(iter((*named, *by_image, *same)), None)
