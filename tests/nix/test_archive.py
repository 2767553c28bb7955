"""The archive of sources: what it has, what it lacks, what is garbage, and models on request."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.models.store import ModelStore
from pycomfy.adapters.nix.build import BuildTarget, evaluate
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.schema import ModelFile, Root, render_lock
from pycomfy.core.nix.lock_outputs import list_requisites, model_requisite
from pycomfy.errors import HashMismatch, NotFound
from pycomfy.services.archive import archive as archive_action
from pycomfy.services.archive import sync
from pycomfy.services.archive.archive import take_models
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.dry_run import dry_run
from pycomfy.services.models.needed import pull_models
from pycomfy.services.versions.rm import rm
from pycomfy.services.workspace import Workspace
from tests.support.archived_versions import PACK, ArchivedVersions
from tests.support.moments import NOW
from tests.support.nix_projects import WORKFLOW, Workshop
from tests.support.operations import listening
from tests.support.snapshots import snapshot

T = TypeVar("T")


def planned(workspace: Workspace, do: Callable[[Workspace], T]) -> T:
    """What a dry run of `do` says; nothing of the data is changed by it."""
    archive = workspace.archive.folder
    before = snapshot(archive) if archive.exists() else None
    with dry_run(workspace) as copy:
        result = do(copy)
    assert (snapshot(archive) if archive.exists() else None) == before
    return result


def test_needs_are_what_nix_calls_sources(workshop: Workshop, root: Root, arm_root: Root) -> None:
    wheels = [workshop.wheel("one", {"one.py": b""})]
    packs = [workshop.pack("greeter", {"__init__.py": PACK})]
    lock = workshop.lock({"linux/amd64": root, "linux/arm64": arm_root}, wheels, packs)
    paths = evaluate(workshop.settings, BuildTarget(workshop.project(lock), "sources", "linux/arm64")).outputs
    assert {need.path for need in list_requisites(lock)} == set(paths)


def test_status_names_what_is_missing_and_who_needs_it(lost: ArchivedVersions, settings: NixSettings) -> None:
    archive = find_archive(lost.paths)
    assert archive_action.status(Workspace(lost.paths, settings)).missing == ()
    need = next(n for n in list_requisites(lost.versions[0].lock) if n.title == "greeter")
    info = archive.find(need.output)
    assert info is not None
    archive.nar_of(info).unlink()
    (missing,) = archive_action.status(Workspace(lost.paths, settings)).missing
    assert (missing.title, missing.versions, missing.in_store) == ("greeter", ("small@1",), True)
    assert archive_action.fill(Workspace(lost.paths, settings)).added == 1
    assert archive_action.status(Workspace(lost.paths, settings)).missing == ()


def test_garbage_is_what_no_version_needs(lost: ArchivedVersions) -> None:
    archive = find_archive(lost.paths)
    before = len(archive.narinfos())
    assert archive_action.collect_garbage(lost.workspace).paths == 0
    rm(lost.workspace, "small", force=True)
    with pytest.raises(NotFound, match="there are no versions"):
        archive_action.collect_garbage(lost.workspace)
    kept = {"pycomfy.lock": render_lock(lost.versions[1].lock).encode()}
    VersionsRepository(versions_repository_path(lost.paths)).commit(
        "other", kept, created_at=NOW, message="only the second"
    )
    assert archive_action.collect_garbage(lost.workspace, dry=True).paths == 1
    assert archive_action.collect_garbage(lost.workspace).paths == 1
    assert len(archive.narinfos()) == before - 1


def test_a_model_is_archived_on_request_and_comes_back_when_it_is_gone(lost: ArchivedVersions, tmp_path: Path) -> None:
    (tmp_path / "style.safetensors").write_bytes(b"weights" * 1000)
    store = ModelStore(lost.paths)
    model = store.add(tmp_path / "style.safetensors")
    model.path.unlink()
    model.path.symlink_to(tmp_path / "style.safetensors")  # as it is made where the user's file is on another disk
    pins = (
        ModelFile(folder="loras", name="style.safetensors", sha256=model.sha256, size=model.size),
        ModelFile(folder="loras", name="again/style.safetensors", sha256=model.sha256, size=model.size),
    )
    lock = lost.versions[1].lock.model_copy(update={"models": pins})
    files = {"pycomfy.lock": render_lock(lock).encode(), "workflow.json": WORKFLOW}
    VersionsRepository(versions_repository_path(lost.paths)).commit("small", files, created_at=NOW, message="models")
    assert archive_action.fill(lost.workspace).added == 0
    plan = planned(lost.workspace, partial(archive_action.fill, models=True))
    assert archive_action.fill(lost.workspace, models=True) == plan and plan.added == 1
    status = archive_action.status(lost.workspace)
    assert (status.models.needed, status.models.present, status.superfluous.paths, status.missing) == (1, 1, 0, ())
    assert archive_action.verify_archive(lost.workspace).damage == ()
    # To a team and back, then to a machine that has lost its models.
    team = f"file://{tmp_path}/team"
    count = len(find_archive(lost.paths).narinfos())
    with listening() as heard:
        pushed = planned(lost.workspace, partial(sync.push, url=team))
    assert not (tmp_path / "team").exists() and f"note: {count} would be sent" in heard.remarks[0]
    assert sync.push(lost.workspace, team) == pushed
    with listening() as heard:
        planned(lost.workspace, partial(sync.push, url=team))
    assert f"note: 0 would be sent, 0.0 MB; {count} are there already" in heard.remarks
    shutil.rmtree(find_archive(lost.paths).folder)
    pulled = planned(lost.workspace, partial(sync.pull, url=team))
    assert sync.pull(lost.workspace, team) == pulled and pulled.pulled == count - 1
    assert archive_action.status(lost.workspace).models.present == 0
    pulled = planned(lost.workspace, partial(sync.pull, url=team, models=True))
    assert sync.pull(lost.workspace, team, models=True) == pulled and pulled.pulled == 1
    shutil.rmtree(store.folder)
    (tmp_path / "style.safetensors").unlink()
    fetched = planned(lost.workspace, partial(pull_models, target="small"))
    assert pull_models(lost.workspace, "small") == fetched and fetched.fetched[0].sha256 == model.sha256
    found = store.find(model.sha256)
    assert found is not None and found.read_bytes() == b"weights" * 1000 and found.stat().st_mode & 0o222 == 0


def test_a_restore_that_is_refused_has_taken_no_model_either(lost: ArchivedVersions, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"weights" * 1000)
    store = ModelStore(lost.paths)
    pin = ModelFile(folder="loras", name="x.safetensors", sha256=store.add(tmp_path / "x.safetensors").sha256)
    lock = lost.versions[1].lock.model_copy(update={"models": (pin,)})
    repository = VersionsRepository(versions_repository_path(lost.paths))
    files = repository.read_files(lost.versions[1].version.commit)
    repository.commit("small", {**files, "pycomfy.lock": render_lock(lock).encode()}, created_at=NOW, message="models")
    archive_action.fill(lost.workspace, models=True)
    shutil.rmtree(store.folder)
    archive = find_archive(lost.paths)
    info = archive.find(next(n for n in list_requisites(lock) if n.title == "greeter").output)
    assert info is not None
    (archive.folder / info.file_name).unlink()
    with pytest.raises(NotFound, match="greeter"):
        restore_image(lost.workspace, lost.request("small"))
    assert store.find(pin.sha256) is None


def test_a_damaged_model_is_refused_and_put_right(lost: ArchivedVersions, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"weights" * 1000)
    model = ModelStore(lost.paths).add(tmp_path / "x.safetensors")
    pin = ModelFile(folder="loras", name="x.safetensors", sha256=model.sha256)
    lock = lost.versions[1].lock.model_copy(update={"models": (pin,)})
    VersionsRepository(versions_repository_path(lost.paths)).commit(
        "small", {"pycomfy.lock": render_lock(lock).encode()}, created_at=NOW, message="models"
    )
    archive_action.fill(lost.workspace, models=True)
    archive = find_archive(lost.paths)
    info = archive.find(model_requisite(pin).output)
    assert info is not None
    archive.nar_of(info).chmod(0o644)
    archive.nar_of(info).write_bytes(archive.nar_of(info).read_bytes().replace(b"weights", b"Weights", 1))
    (lost.paths.data / "models").rename(tmp_path / "away")
    with pytest.raises(HashMismatch):
        take_models(lost.workspace, [pin])
    assert ModelStore(lost.paths).find(model.sha256) is None
    shutil.rmtree(lost.paths.data / "models")
    (tmp_path / "away").rename(lost.paths.data / "models")
    repaired = archive_action.verify_archive(lost.workspace, repair=True)
    assert (len(repaired.damage), repaired.repaired) == (1, 1)
