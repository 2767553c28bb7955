"""The whole OCI layout of a version, for programs that read one."""

import hashlib
import json
from pathlib import Path

from pycomfy.adapters.io import process
from pycomfy.core.lockfile.schema import Root
from pycomfy.services.load import make_whole_layout
from pycomfy.services.workspace import Workspace
from tests.support.archived_versions import make_lock
from tests.support.data_folders import build_and_record, new_paths
from tests.support.nix_projects import Workshop


def test_other_programs_read_the_whole_layout_of_a_version(workshop: Workshop, root: Root, tmp_path: Path) -> None:
    paths = new_paths(tmp_path)
    built = build_and_record(workshop, make_lock(workshop, root, "to load"), paths)
    made = make_whole_layout(Workspace(paths, workshop.settings), "small@1")
    assert made.manifest_digest == built.image.manifest_digest and made.name == "small"
    for blob in (made.oci / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    inspected = process.run(["skopeo", "inspect", f"oci:{made.oci}"])
    assert inspected.returncode == 0, inspected.stderr
    assert json.loads(inspected.stdout)["Digest"] == built.image.manifest_digest
