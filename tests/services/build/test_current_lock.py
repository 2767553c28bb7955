"""The lock of a workflow that is built: it keeps its pins where only values were changed since a version."""

import hashlib
from pathlib import Path

import pytest

from pycomfy.core.lockfile.schema import parse_lock, render_lock
from pycomfy.errors import BadLock
from pycomfy.services.build.current_lock import read_or_make_lock
from pycomfy.services.lock_request import LockRequest
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files, record

VALUE, OTHER = b'"steps": 20', b'"steps": 30'


def test_a_workflow_with_other_values_keeps_the_pins_of_its_version(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "data")
    files = make_files("sky")
    lock = parse_lock(files["pycomfy.lock"].decode())
    # The gateway's packages are those of the image: any will do here.
    platforms = {p: parts.model_copy(update={"gateway": parts.wheels}) for p, parts in lock.platforms.items()}
    files["pycomfy.lock"] = render_lock(lock.model_copy(update={"platforms": platforms})).encode()
    record(workspace.paths, files)
    folder, data = tmp_path / "work", files["workflow.json"].replace(VALUE, OTHER)
    folder.mkdir()
    (folder / "workflow.json").write_bytes(data)
    (folder / "pycomfy.lock").write_bytes(files["pycomfy.lock"])
    request = LockRequest(folder / "workflow.json")

    with pytest.raises(BadLock, match="another state"):
        read_or_make_lock(workspace, request, data, only_read=True)
    assert (folder / "pycomfy.lock").read_bytes() == files["pycomfy.lock"]

    kept = read_or_make_lock(workspace, request, data, only_read=False)
    assert kept.workflow.sha256 == hashlib.sha256(data).hexdigest()
    assert (folder / "pycomfy.lock").read_text() == render_lock(kept)
    assert kept.model_copy(update={"workflow": lock.workflow, "platforms": lock.platforms}) == lock
    assert read_or_make_lock(workspace, request, data, only_read=True) == kept
