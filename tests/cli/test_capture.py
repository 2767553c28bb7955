"""From an installation to a lock that is the same, and from a restored folder to the same pins again."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.python.venv import find_python
from pycomfy.adapters.sources.pin import write_tree_of
from pycomfy.core.lockfile.schema import Lock, Step, parse_lock, render_lock
from pycomfy.core.nix.lock_outputs import package_requisites, source_requisite
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.path import PathSource
from pycomfy.errors import NotFound
from pycomfy.services.archive.restore_plain import restore_plain
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.workspace import Workspace
from tests.support.cli_projects import Place, Surroundings
from tests.support.installations import CARD, clone, listing, make_installation, publish
from tests.support.repositories import git
from tests.support.service_projects import record


@pytest.fixture
def root(place: Place, surroundings: Surroundings) -> Path:
    """A ComfyUI with a local change, a changed pack, one that is a folder, and two packages that uv installed."""
    root = make_installation(place.root)
    with (root / "nodes.py").open("a") as f:
        f.write("# mine\n")
    pack = clone(publish(place.root / "upstream" / "card", {"__init__.py": CARD})[0], root / "custom_nodes" / "card")
    (pack / "more.py").write_text("x = 1\n")
    (root / "custom_nodes" / "local").mkdir()
    (root / "custom_nodes" / "local" / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    try:
        python = find_python("3.11")
    except NotFound as e:
        pytest.skip(e.what)
    uv = [find_uv_bin(), "--quiet", "--no-config", "--cache-dir", str(place.root / "uv")]
    subprocess.run([*uv, "venv", "--python", str(python), str(root / ".venv")], check=True)
    packages = ["--index-url", surroundings.index.url, "base==1.0", "oldbase==1.0"]
    subprocess.run([*uv, "pip", "install", "--python", str(root / ".venv/bin/python"), *packages], check=True)
    place.workflow("HelloCard", "SaveImage")
    return root


def captured(place: Place, root: Path, to: str) -> dict[str, Any]:
    """Capture and lock; the capture's result, and the lock. Nothing of the installation is changed."""
    before = listing(root)
    outcome = place.run("capture", root, "--workflow", "workflow.json", "-o", to, "--json")
    assert outcome.status == 0, outcome.err
    assert listing(root) == before
    locked = place.run("lock", to, "--platform", "linux/amd64")
    assert locked.status == 0, locked.err
    return {"result": outcome.json(), "lock": parse_lock((place.work / to / "pycomfy.lock").read_text())}


def test_the_lock_of_a_capture_is_what_is_installed_and_so_is_that_of_a_restored_folder(
    place: Place, root: Path
) -> None:
    first = captured(place, root, "first")
    lock = first["lock"]
    assert isinstance(lock, Lock)
    source = lock.comfyui.source
    assert isinstance(source, GitSource) and source.commit == git(root, "rev-parse", "HEAD")
    assert source.patch is not None and "# mine" in source.patch
    kinds = {pack.name: pack.source for pack in lock.packs}
    assert isinstance(kinds["card"], GitSource) and isinstance(kinds["local"], PathSource)
    assert {f"{w.name}=={w.version}" for w in lock.platforms["linux/amd64"].wheels} == {"base==1.0", "oldbase==1.0"}
    assert first["result"]["python"]["packages"] == ["base==1.0", "oldbase==1.0"]

    folder = place.root / "restored"
    paths = Paths(place.data, place.data / "cache")
    restore(place, lock, paths, folder)
    second = captured(place, folder, "second")
    again = second["lock"]
    assert (again.comfyui, again.as_of) == (lock.comfyui, lock.as_of)
    assert again.platforms["linux/amd64"].wheels == lock.platforms["linux/amd64"].wheels
    assert trees(again) == trees(lock)
    assert {p.name: p.source for p in again.packs}["card"] == kinds["card"]

    # What somebody changes in the restored folder is seen.
    with (folder / "custom_nodes" / "card" / "__init__.py").open("a") as f:
        f.write("# changed\n")
    (folder / "main.py").unlink()
    (folder / "main.py").write_text("print('another')\n")
    third = captured(place, folder, "third")["lock"]
    assert trees(third)["card"] != kinds["card"].tree and third.comfyui.source.tree != source.tree
    assert trees(third)["local"] == trees(lock)["local"]

    # So are the commands that an image runs on a pack's files.
    steps = (Step(run=("python", "install.py", 'a "b"\n')),)
    packs = tuple(p.model_copy(update={"steps": steps}) if p.name == "card" else p for p in lock.packs)
    (folder / "pycomfy.lock").write_text(render_lock(lock.model_copy(update={"packs": packs})))
    fourth = captured(place, folder, "fourth")["lock"]
    assert {p.name: p.steps for p in fourth.packs} == {"card": steps, "local": ()}


def trees(lock: Lock) -> dict[str, str]:
    return {p.name: p.source.tree for p in lock.packs if isinstance(p.source, GitSource | PathSource)}


def restore(place: Place, lock: Lock, paths: Paths, folder: Path) -> None:
    """What `pycomfy restore --to` makes of a version of that lock, from an archive of its sources alone."""
    base = place.work / "first"
    files = {
        "pycomfy.lock": (base / "pycomfy.lock").read_bytes(),
        "workflow.json": (base / "workflow.json").read_bytes(),
        "prompt.json": json.dumps({"1": {"class_type": "SaveImage", "inputs": {}}}).encode(),
    }
    record(paths, files)
    archive = find_archive(paths)
    scratch = place.root / "scratch"
    for name, source in [(None, lock.comfyui.source), *((p.name, p.source) for p in lock.packs)]:
        need, tree = source_requisite(lock, name), scratch / (name or "ComfyUI")
        assert isinstance(source, GitSource | PathSource)
        write_tree_of(source, base, tree, paths)
        archive.add(need.output, tree, lambda n: None)
    for wheel in package_requisites(lock, "linux/amd64"):
        path = scratch / wheel.output.name
        subprocess.run([shutil.which("curl") or "curl", "-sSfo", str(path), wheel.origin], check=True)
        archive.add(wheel.output, path, lambda n: None)
    restore_plain(Workspace(paths), RestoreRequest(lock.name, offline=True), folder)


def test_what_was_captured_is_shown_to_people(place: Place, root: Path) -> None:
    outcome = place.run("capture", root, "-o", "out")
    assert outcome.status == 0, outcome.err
    assert "1 file changed: patches/ComfyUI.patch" in outcome.out and "local as a folder: packs/local" in outcome.out
    assert "next: put a workflow into out" in outcome.out
    assert place.run("capture", root, "-o", "out").status == 1
    assert place.run("capture", place.work).status == 1
    assert not (place.work / "captured").exists()
    assert [p.name for p in (place.work / "out" / "packs").iterdir()] == ["local"]
