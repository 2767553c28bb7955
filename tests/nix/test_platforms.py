"""An image for another platform than this machine's: its own sources are needed, and of this machine's only Debian."""

import dataclasses
from pathlib import Path

import pytest

from pycomfy.adapters.bundle.reader import open_bundle
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, Root
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.errors import BadLock
from pycomfy.services.archive.bundle_export import export_bundle
from pycomfy.services.archive.bundle_import import import_bundle
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.archive.verify import VerifyRequest, verify, verify_all
from pycomfy.services.workspace import Workspace
from tests.nix.test_image import small_lock
from tests.support.data_folders import build_and_record
from tests.support.moments import NOW
from tests.support.nix_projects import WORKFLOW, Workshop

ARM: PlatformName = "linux/arm64"
AMD: PlatformName = "linux/amd64"


def two_platforms(workshop: Workshop, root: Root, arm_root: Root) -> Lock:
    """A lock of which only amd64 has the package `heavy`, and that one cannot be fetched."""
    lock = small_lock(workshop, root, arm=arm_root)
    heavy = workshop.wheel("heavy", {"heavy.py": b"x = 1\n"})
    (workshop.folder / heavy.filename).unlink()
    amd = lock.platforms[AMD]
    own = amd.model_copy(update={"wheels": (*amd.wheels, heavy)})
    return lock.model_copy(update={"platforms": {**lock.platforms, AMD: own}})


@pytest.fixture
def workspace(workshop: Workshop, root: Root, arm_root: Root) -> Workspace:
    """A version of such a lock with an image for arm64, which was built here."""
    paths = Paths(workshop.folder / "home", workshop.folder / "cache")
    build_and_record(workshop, two_platforms(workshop, root, arm_root), paths, platform=ARM)
    return Workspace(paths, workshop.settings)


def test_verify_restore_and_export_need_no_wheel_of_this_machine(
    workspace: Workspace, root_store: NixSettings, tmp_path: Path
) -> None:
    result = verify(workspace, VerifyRequest("small@1", platform=ARM))
    assert (result.equal, result.platform) == (True, ARM)
    assert [r.equal for r in verify_all(workspace, platform=ARM)] == [True] and not [*verify_all(workspace)]

    elsewhere = dataclasses.replace(workspace, nix=root_store)
    restored = restore_image(elsewhere, RestoreRequest("small@1", platform=ARM))
    assert restored.same and restored.manifest_digest == result.rebuilt

    bundle = tmp_path / "small.tar.zst"
    exported = export_bundle(workspace, "small@1", bundle, platform=ARM)
    with open_bundle(bundle, lambda n: None) as opened:
        assert opened.manifest.platforms == (ARM,)
    other = Workspace(Paths(tmp_path / "other", tmp_path / "other-cache"), root_store)
    assert import_bundle(other, bundle).sources == exported.sources
    assert restore_image(other, RestoreRequest("small", platform=ARM)).manifest_digest == result.rebuilt


def test_a_platform_that_is_not_locked_is_refused(workspace: Workspace, workshop: Workshop, root: Root) -> None:
    files = project_files(ProjectContent(small_lock(workshop, root), WORKFLOW), read_toolkit())
    workspace.versions.commit("small", files, created_at=NOW, message="for one")
    with pytest.raises(BadLock, match="not locked for linux/arm64"):
        export_bundle(workspace, "small@2", workshop.folder / "x", platform=ARM)


def test_the_builder_adds_its_debian_alone(workshop: Workshop, root: Root, arm_root: Root) -> None:
    lock = two_platforms(workshop, root, arm_root)
    titles = {r.title for r in list_requisites(lock, {ARM}, AMD)}
    assert "the Debian root filesystem for linux/amd64" in titles and "heavy 1.0" not in titles
    assert titles - {r.title for r in list_requisites(lock, {ARM})} == {"the Debian root filesystem for linux/amd64"}
