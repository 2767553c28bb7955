"""The recorded runs of a workflow, and the files that they saved."""

import hashlib
import stat
from pathlib import Path

from pycomfy.errors import NotFound
from pycomfy.services.run.history import RunEntry, find_run, list_runs
from pycomfy.services.workspace import Workspace

MAX_RUNS = 200


def list_recorded_runs(workspace: Workspace, name: str) -> list[RunEntry]:
    """Return the newest runs of a workflow, newest first; none of one that was never built."""
    return list_runs(workspace, name)[:MAX_RUNS] if name in workspace.versions.names() else []


def find_saved_file(workspace: Workspace, name: str, run: int, at: int) -> Path:
    """Return the file that a run saved, its output number `at`, from 0. Raises `NotFound` for one that is gone, or has
    other bytes by now: whatever is in its place is not the run's."""
    entry = find_run(workspace, name, run)
    if at >= len(entry.outputs):
        raise NotFound(f"run {run} of {name} has no output {at + 1}", where="the recorded runs", fix="take another one")
    output = entry.outputs[at]
    path = Path(output.path)
    try:
        if stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == output.sha256:
                    return path
    except (OSError, ValueError):
        pass
    raise NotFound("this output is gone, or was changed since", where=output.path, fix="run it again")
