"""A data folder with something of everything that pycomfy keeps, and copies of it elsewhere, as a careful user has."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.entries import Build, Run
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix import nar_writer
from pycomfy.core.lockfile.schema import ComfyUI, Lock, Pack, Platform, Root, Wheel, WorkflowPin, render_lock
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.sources.path import PathSource
from pycomfy.services.models.stored import add_model
from pycomfy.services.versions.branch import branch
from pycomfy.services.versions.push import push
from pycomfy.services.versions.tag import tag
from pycomfy.services.workspace import Workspace
from tests.support.catalog_maps import CORE, A, lists
from tests.support.repositories import commit
from tests.support.service_projects import PROMPT, make_files, make_image, record, with_steps
from tests.support.versions_repositories import git


@dataclass(frozen=True)
class FullDataFolder:
    """`paths` is the folder; `remote` is a git repository with all versions, `archive` an archive with all sources,
    `model` the file of the user's from which the model came."""

    paths: Paths
    remote: Path
    archive: Path
    model: Path

    def copied(self, folder: Path) -> "FullDataFolder":
        """The same in `folder`, to do with as one likes; what is elsewhere is shared."""
        shutil.copytree(self.paths.data, folder / "data", symlinks=True)
        return FullDataFolder(Paths(folder / "data", folder / "data" / "cache"), self.remote, self.archive, self.model)


def make_full_data_folder(folder: Path) -> FullDataFolder:
    """hello@1 to @3, of which two have images, with tags and runs; other@1; fast@1, a branch of hello's."""
    paths = Paths(folder / "data", folder / "data" / "cache")
    workspace = Workspace(paths)
    files = [_project(folder, "hello", steps) for steps in (20, 30, 40)]
    record(paths, files[0], "first", make_image("root", "workflow:1", proven=True))
    record(paths, files[1], "second", make_image("root", "workflow:2"))
    tag(workspace, "stable", "hello@1")
    branch(workspace, "fast", "hello@1")
    git(workspace.versions, "pack-refs", "--all")
    git(workspace.versions, "repack", "-a", "-d", "-q")
    git(workspace.versions, "commit-graph", "write", "--reachable")
    record(paths, files[2], "third")
    record(paths, _project(folder, "other", 20), "another", make_image("root", "workflow:3"))
    tag(workspace, "best", "hello@2")
    _record_runs(workspace)
    _fill_archive(folder, workspace, json.loads(files[0]["pycomfy.lock"]))
    model = folder / "models" / "checkpoints" / "small.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights" * 100)
    add_model(workspace, str(model), None)
    commit(folder / "manager", lists({CORE: (["KSampler"],), A: (["X", "Y"], {"title_aux": "Pack A"})}))
    update_catalog(paths, repository=str(folder / "manager"), docs="not a pin!")
    workspace.log_file("build-hello").write_text("built\n")
    remote = folder / "remote.git"
    git(workspace.versions, "init", "--quiet", "--bare", str(remote))
    push(workspace, str(remote), [])
    shutil.copytree(paths.data / "archive", folder / "archive")
    return FullDataFolder(paths, remote, folder / "archive", model)


def _project(folder: Path, name: str, steps: int) -> dict[str, bytes]:
    prompt = PROMPT if steps == 20 else with_steps(steps)
    files = make_files(name, prompt)
    lock = _make_lock(folder, name, files["workflow.json"])
    return {**files, "pycomfy.lock": render_lock(lock).encode()}


def _make_lock(folder: Path, name: str, workflow: bytes) -> Lock:
    """A lock of sources that exist."""
    trees = {}
    for part in ("ComfyUI", "pack", "root"):
        source = folder / "sources" / part
        source.mkdir(parents=True, exist_ok=True)
        (source / "file.txt").write_text(part)
        trees[part] = nar_writer.hash_path(source)
    wheel = _wheel(folder)
    root = Root(suite="bookworm", archives=("https://x.test/debian/",), packages=(), tree=trees["root"])
    return Lock(
        name=name,
        as_of="2025-12-05T00:00:00Z",
        workflow=WorkflowPin(sha256=hashlib.sha256(workflow).hexdigest()),
        comfyui=ComfyUI(version="0.3.75", source=PathSource(path="comfyui", tree=trees["ComfyUI"])),
        packs=(Pack(name="painter", source=PathSource(path="pack", tree=trees["pack"])),),
        platforms={"linux/amd64": Platform(root=root, wheels=(wheel,))},
    )


def _wheel(folder: Path) -> Wheel:
    data = b"a wheel" * 50
    (folder / "sources" / "torch-2.9.0.whl").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    return Wheel(
        name="torch", version="2.9.0", filename="torch-2.9.0.whl", url="https://x.test/t", sha256=sha256, size=len(data)
    )


def _fill_archive(folder: Path, workspace: Workspace, lock: dict[str, object]) -> None:
    """Archive every source of the lock, found by its hash."""
    archive = find_archive(workspace.paths)
    for requisite in list_requisites(Lock.model_validate(lock)):
        for source in (folder / "sources").iterdir():
            try:
                archive.add(requisite.output, source, lambda n: None)
            except Exception:  # noqa: BLE001  (another one's hash)
                continue
        assert archive.has(requisite.output), requisite


def _record_runs(workspace: Workspace) -> None:
    with Database(database_path(workspace.paths)) as database:
        image = make_image("root", "workflow:1", proven=True)
        database.record_build(Build("hello", 1, image, Path("/nix/store/x"), Path("/logs/1")))
        found = database.find_image("hello", 1)
        assert found is not None
        for number in range(2):
            outputs = ({"path": f"output/{number}.png", "size": 3, "sha256": "0" * 64},)
            database.record_run(found, Run(datetime.now(UTC), "podman", None, 1.5, outputs, inputs={"seed": number}))
