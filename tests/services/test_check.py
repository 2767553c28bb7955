"""`check` with a real engine and a small image that answers as the runtime does."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.node_definitions import read_cached
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.io import process
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.schema import parse_lock, render_lock
from pycomfy.core.versions.reference import Reference
from pycomfy.core.versions.verification import NodeDefinitions
from pycomfy.errors import BadLock, NotFound, RunFailed, UnknownNode
from pycomfy.services.check import check, find_built_version
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace
from tests.support.command_line import Outcome, call
from tests.support.data_folders import new_paths
from tests.support.service_projects import make_files, record_layout
from tests.support.tiny_image import write_layout

NODES = {"LoadImage": "nodes", "SaveImage": "nodes", "KSampler": "custom_nodes.painter"}
TRACE = "Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'segno'"


def answer(*lacking: str, **more: object) -> str:
    """A script that answers as `object-info`; the engine's own noise and ComfyUI's log go to standard error."""
    types = {t: {"python_module": module} for t, module in NODES.items() if t not in lacking}
    said = {"comfyui_version": "0.3.75", "object_info": types, "import_failures": [], **more}
    quoted = json.dumps(said).replace("'", "\\u0027")
    return f"echo loading >&2\nprintf '%s\\n' '{quoted}'\n"


def project() -> dict[str, bytes]:
    """A version whose node pack supplies KSampler."""
    files = make_files("pycomfy-check")
    lock = parse_lock(files["pycomfy.lock"].decode())
    packs = tuple(p.model_copy(update={"types": ("KSampler",)}) for p in lock.packs)
    return {**files, "pycomfy.lock": render_lock(lock.model_copy(update={"packs": packs})).encode()}


Builder = Callable[[str], Paths]


@pytest.fixture
def built(engine: Engine, tmp_path: Path) -> Iterator[Builder]:
    """Record an image whose script is given, as pycomfy-check@1."""
    images: list[tuple[Engine, str]] = []

    def make(script: str) -> Paths:
        layout = read_layout(write_layout(tmp_path / "layout", script=script))
        images.append((engine, layout.config_digest.removeprefix("sha256:")))
        paths = new_paths(tmp_path)
        record_layout(paths, project(), layout)
        return paths

    yield make
    for engine, image in images:
        process.run(engine.command("rmi", "--force", image))


def read_cached_answer(paths: Paths) -> NodeDefinitions | None:
    lock = parse_lock(project()["pycomfy.lock"].decode())
    return read_cached(paths.cache, environment_fingerprint(lock, "linux/amd64", {}))


def recorded(paths: Paths) -> Any:
    """What database and versions repository say of the pack, the database also after it was made anew."""
    repository = VersionsRepository(versions_repository_path(paths))
    (image,) = repository.images(repository.find("pycomfy-check").tree).values()
    with Database(database_path(paths)) as database:
        (row,) = database.all("SELECT verified_compatible AS v FROM custom_nodes")
    database_path(paths).rename(paths.data / "old.db")
    index(Workspace(paths))
    with Database(database_path(paths)) as database:
        (again,) = database.all("SELECT verified_compatible AS v FROM custom_nodes")
    assert row["v"] == again["v"]
    (paths.data / "old.db").replace(database_path(paths))
    return image.proven, image.compatible, row["v"]


def test_an_image_that_has_everything_is_recorded_as_compatible(built: Builder) -> None:
    paths = built(answer(remarks=[{"pack": "painter", "text": "UserWarning: old"}]))
    result = check(Workspace(paths), "pycomfy-check")
    assert result.compatible and (result.name, result.version) == ("pycomfy-check", 1)
    assert result.started and [p.remarks for p in result.parts] == [(), ("UserWarning: old",)]
    assert recorded(paths) == (True, {"painter": True}, 1)
    kept = read_cached_answer(paths)
    assert kept is not None and kept.remarks[0].text == "UserWarning: old"


def test_all_that_comfyui_printed_is_kept(built: Builder) -> None:
    lines = [f"line {number}" for number in range(200)]
    paths = built("".join(f"echo {line} >&2\n" for line in lines) + answer("KSampler"))
    result = check(Workspace(paths), "pycomfy-check")
    assert result.log.read_text().splitlines() == [*lines, "loading"]
    kept = read_cached_answer(paths)
    assert kept is not None and kept.log == str(result.log)


def test_a_comfyui_that_dies_is_told_with_every_pack_that_failed_before(built: Builder) -> None:
    missing = {"painter": "cv2", "writer": "segno", "odd": "unheard_of"}
    failures = [{"pack": p, "message": f"No module named {m!r}", "traceback": ""} for p, m in missing.items()]
    died = json.dumps({"error": "ComfyUI was ended by signal 11", "import_failures": failures}).replace("'", "\\u0027")
    paths = built(f"echo Fatal Python error >&2\nprintf '%s\\n' '{died}'\nexit 1\n")
    result = check(Workspace(paths), "pycomfy-check")
    (problem,) = result.problems
    assert problem.what == "ComfyUI did not start in the built image: ComfyUI was ended by signal 11"
    assert "Fatal Python error" in problem.details and str(result.log) in problem.where
    assert all(f"{pack} cannot be imported: No module named '{m}'" in problem.details for pack, m in missing.items())
    assert 'requirements = ["opencv-python-headless", "segno"]' in problem.fix


def test_a_pack_that_fails_is_named_with_its_traceback_and_recorded(built: Builder) -> None:
    failure = {"pack": "painter", "message": "No module named 'segno'", "traceback": TRACE}
    paths = built(answer("KSampler", import_failures=[failure]))
    result = check(Workspace(paths), "pycomfy-check@1")
    (problem,) = result.problems
    assert isinstance(problem, RunFailed) and TRACE in problem.details and '["segno"]' in problem.fix
    assert "node 2 (" not in problem.where and "node 2 of the workflow of pycomfy-check@1" in problem.where
    assert recorded(paths) == (False, {"painter": False}, 0)


def test_a_pack_that_is_loaded_without_a_type_is_named(built: Builder) -> None:
    paths = built(answer("KSampler", "SaveImage"))
    result = check(Workspace(paths), "pycomfy-check")
    assert [type(p) for p in result.problems] == [UnknownNode, UnknownNode]
    assert "the node pack painter is loaded" in result.problems[1].what
    assert recorded(paths) == (False, {"painter": False}, 0)


def test_a_later_check_replaces_what_an_earlier_one_found(built: Builder) -> None:
    paths = built(answer())
    check(Workspace(paths), "pycomfy-check")
    repository = VersionsRepository(versions_repository_path(paths))
    tree = repository.find("pycomfy-check").tree
    (image,) = repository.images(tree).values()
    later = image.model_copy(update={"compatible": {"painter": False}, "checked_at": "2999-01-01T00:00:00Z"})
    assert repository.add_image(tree, later) == later
    assert repository.add_image(tree, image) == later, "and an older one does not"


def test_comfyui_that_does_not_start_is_a_no(built: Builder) -> None:
    paths = built("echo no module named torch >&2; exit 1\n")
    result = check(Workspace(paths), "pycomfy-check")
    assert not result.compatible and not result.started
    assert "no module named torch" in result.problems[0].details
    assert recorded(paths) == (False, {"painter": False}, 0)


@pytest.mark.parametrize(("script", "status"), [(answer(), 0), (answer("KSampler"), 3)])
def test_the_exit_status_is_the_verdict(built: Builder, script: str, status: int) -> None:
    paths = built(script)

    def run(*arguments: str) -> Outcome:
        return call(*arguments, cwd=paths.data, env={**os.environ, "PYCOMFY_HOME": str(paths.data)})

    done = run("check", "pycomfy-check", "--json")
    told = done.json()
    assert done.status == status, done.err
    assert told["compatible"] is (status == 0) and bool(told["problems"]) is bool(status)
    assert [p["name"] for p in told["parts"]] == ["ComfyUI", "painter"]
    people = run("check", "pycomfy-check")
    assert people.status == status
    assert f"{1 if status == 0 else 0} of 1 node type" in people.out
    assert people.err.count("error: ") == bool(status)
    mark = "painter (works)" if status == 0 else "painter (does not work)"
    assert mark in run("show", "pycomfy-check").out


def test_a_folder_means_the_version_of_its_lock(tmp_path: Path) -> None:
    paths = new_paths(tmp_path)
    lock = tmp_path / "work" / "pycomfy.lock"
    lock.parent.mkdir()
    lock.write_bytes(project()["pycomfy.lock"])
    with pytest.raises(NotFound, match="no image was built of this lock"):
        find_built_version(Workspace(paths), str(lock.parent))
    record_layout(paths, project(), read_layout(write_layout(tmp_path / "layout")))
    workflow = lock.with_name("pycomfy-check.json")
    workflow.write_text("{}")
    for target in (lock.parent, lock, workflow):
        assert find_built_version(Workspace(paths), str(target)) == Reference("pycomfy-check", 1)
    assert find_built_version(Workspace(paths), "pycomfy-check@1") == Reference("pycomfy-check", 1)
    lock.write_text("{}")
    with pytest.raises(BadLock):
        find_built_version(Workspace(paths), str(lock))
