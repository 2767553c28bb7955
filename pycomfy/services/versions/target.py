"""Find what a text of the user names: a version that was built, or a workflow's file, lock or folder."""

from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.versions.lookup import explain_unknown
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.errors import BadInput, NotFound, suggest
from pycomfy.services.lock_request import LockRequest
from pycomfy.services.workspace import Workspace


def find_target(workspace: Workspace, text: str) -> Reference | Path:
    """Return the version, or the path, that `text` names.

    A text with a slash is a path, and so are `.`, `..` and what ends in `.lock`: no workflow has such a name. Any other
    one is a version, if there is a workflow of that name, and else a file or folder. A remark says so where it could be
    either. Raises `NotFound` where it is neither; whether a path with a slash exists is for the caller to see.
    """
    path = Path(text)
    if "/" in text or text in (".", "..") or text.endswith(".lock"):
        return path
    try:
        reference = parse_reference(text)
    except BadInput as e:
        if path.exists():
            return path
        fixes = ("check the name", suggest("log", "lists the names of versions"))
        raise NotFound("no such version, file or folder", where=text, fix=fixes) from e
    names = workspace.versions.names()
    if reference.name in names:
        if path.exists():
            other = f"{text}/" if path.is_dir() else f"./{text}"
            operation.report(f'note: "{text}" is taken as the name of a workflow', f"for the path write {other}")
        return reference
    if path.exists():
        return path
    raise explain_unknown(reference.name, names, workspace.versions.bare)


def find_lock(path: Path) -> Path:
    """Return the lock at a path: that file itself, or the one of a workflow or of the workflow that a folder stands
    for. Raises `NotFound` if there is nothing at that path, `BadInput` if a folder has several workflows; the lock need
    not exist."""
    if not path.exists():
        raise NotFound("no such file or folder", where=str(path), fix="check the path")
    return path if path.name.endswith(".lock") and path.is_file() else LockRequest(path).lock_file
