"""The gateway's packages in a lock: the release's, whatever the workflow's date, and never mixed with its packages."""

import json
import tomllib
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.core.lockfile.schema import Lock, parse_lock, render_lock
from pycomfy.core.python.gateway_pins import FILE, parse_gateway_pins
from pycomfy.core.python.wheel_selection import Target
from pycomfy.errors import HashMismatch
from pycomfy.services.lock.lock import lock
from pycomfy.services.lock_request import LockRequest
from pycomfy.services.workspace import Workspace
from tests.support.locking import run
from tests.support.package_index import Index, gateway_files
from tests.support.saved_nodes import saved_nodes

AMD64 = Target("linux/amd64", "3.11")
CONFIG = 'as-of = 2025-06-01\nplatforms = ["linux/amd64"]\n[comfyui]\npath = "ComfyUI"\n'
PINS = parse_gateway_pins(read_toolkit().gateway[FILE].decode())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A workflow with a tiny ComfyUI, which requires another version of a package that the gateway has."""
    folder = tmp_path / "hello"
    (folder / "ComfyUI").mkdir(parents=True)
    (folder / "ComfyUI/nodes.py").write_text("class Save: pass\nNODE_CLASS_MAPPINGS = {'SaveImage': Save}\n")
    (folder / "ComfyUI/requirements.txt").write_text("base>=1\n")
    (folder / "pycomfy.toml").write_text(CONFIG)
    nodes = saved_nodes(("SaveImage",))
    (folder / "workflow.json").write_text(json.dumps({"version": 0.4, "nodes": nodes, "links": []}))
    return folder


@pytest.fixture
def paths(debian: Path) -> Paths:
    return Paths(debian, debian / "cache")


def versions(lock: Lock) -> dict[str, str]:
    return {w.name: w.version for w in lock.platforms["linux/amd64"].gateway}


def test_the_gateways_packages_are_the_releases_however_old_the_workflow_is(
    project: Path, index: Index, paths: Paths
) -> None:
    newest = max(str(f["upload-time"]) for files in gateway_files().values() for f in files.values())
    made = run(LockRequest(project), paths).lock
    assert made.as_of < newest
    assert versions(made) == PINS.versions(AMD64)
    pins = made.platforms["linux/amd64"]
    assert PINS.are_met(pins.gateway, AMD64) and [w.name for w in pins.wheels] == ["base"]
    assert all(w.size > 0 and w.url.endswith(f"/{w.filename}") for w in pins.gateway)


def test_a_lock_with_the_releases_packages_keeps_its_bytes_and_no_index_is_asked_for_them(
    project: Path, index: Index, paths: Paths
) -> None:
    made = run(LockRequest(project), paths).lock
    pins = made.platforms["linux/amd64"]
    elsewhere = tuple(w.model_copy(update={"url": f"https://mirror.example/{w.filename}"}) for w in pins.gateway)
    text = render_lock(
        made.model_copy(update={"platforms": {"linux/amd64": pins.model_copy(update={"gateway": elsewhere})}})
    )
    (project / "pycomfy.lock").write_text(text)
    index.asked.clear()
    again = run(LockRequest(project), paths)
    assert not again.changed and (project / "pycomfy.lock").read_text() == text
    assert not {*index.asked} & PINS.hashes.keys()


@pytest.mark.parametrize("others", ["none", "other"])
def test_a_lock_without_them_or_with_others_gets_the_releases(
    project: Path, index: Index, paths: Paths, others: str
) -> None:
    made = run(LockRequest(project), paths).lock
    pins = made.platforms["linux/amd64"]
    gateway = () if others == "none" else (*pins.gateway[:-1], pins.gateway[-1].model_copy(update={"version": "0.1"}))
    text = render_lock(
        made.model_copy(update={"platforms": {"linux/amd64": pins.model_copy(update={"gateway": gateway})}})
    )
    (project / "pycomfy.lock").write_text(text)
    again = run(LockRequest(project, update=("gateway",)), paths)
    assert again.changed and again.lock.platforms["linux/amd64"].gateway == pins.gateway
    (change,) = again.changes
    last = pins.gateway[-1]
    if others == "none":
        assert change.startswith(f"{len(pins.gateway)} packages of the gateway: aiohappyeyeballs, ")
    else:
        assert change.startswith(f"the gateway's package {last.name}: 0.1 ({last.sha256[:12]}) → {last.version} ")
    assert parse_lock((project / "pycomfy.lock").read_text()) == again.lock


def test_files_that_the_release_does_not_list_are_refused_by_name(project: Path, index: Index, paths: Paths) -> None:
    index.add("fastapi", PINS.versions(AMD64)["fastapi"])
    with pytest.raises(HashMismatch, match=r"fastapi .* has other files in the package index"):
        lock(Workspace(paths), LockRequest(project))


def test_an_index_of_the_user_that_knows_a_package_in_other_versions_is_no_obstacle(
    project: Path, index: Index, paths: Paths
) -> None:
    """Such as PyTorch's, which has old versions of what it needs itself."""
    index.add("own/fastapi", "0.1")
    own = index.url.removesuffix("/simple") + "/own/simple"
    (project / "pycomfy.toml").write_text(f'{CONFIG}[[index]]\nname = "own"\nurl = "{own}"\n')
    assert versions(run(LockRequest(project), paths).lock) == PINS.versions(AMD64)


def test_the_workflow_may_have_another_version_of_a_package(project: Path, index: Index, paths: Paths) -> None:
    files = {**gateway_files()["fastapi"]}
    index.files["fastapi"] = files
    index.add("fastapi", "0.1")
    (project / "ComfyUI/requirements.txt").write_text("base\nfastapi<0.2\n")
    made = run(LockRequest(project), paths).lock
    assert [w.version for w in made.platforms["linux/amd64"].wheels if w.name == "fastapi"] == ["0.1"]
    assert versions(made)["fastapi"] == PINS.versions(AMD64)["fastapi"]


def test_every_package_of_the_group_is_pinned() -> None:
    root = Path(__file__).parents[3]
    group = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]["gateway"]
    assert {line.partition(">")[0] for line in group} <= PINS.hashes.keys()
