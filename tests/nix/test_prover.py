"""Asking a ComfyUI in reserve for the nodes of an image that is not built yet: real code in a Nix store, a real engine,
and a small image that answers with the code that it got."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import forget
from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, Pack, Step
from pycomfy.core.sources.path import PathSource
from pycomfy.errors import PycomfyError
from pycomfy.services.build.prover import Prover
from pycomfy.services.disk.collect import end_reserve
from pycomfy.services.verification import read_cached_definitions
from pycomfy.services.workspace import Workspace
from tests.adapters.containers.test_spare import SCRIPT
from tests.support.data_folders import new_paths
from tests.support.operations import listening
from tests.support.service_projects import make_lock
from tests.support.tiny_image import write_layout

NAME = "pycomfy-prover"
PLATFORM: PlatformName = "linux/amd64"
Edit = Callable[[Lock], Lock]


def make_pack(base: Path, name: str, code: str) -> Pack:
    folder = base / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "code").write_text(code)
    return Pack(name=name, source=PathSource(path=name, tree=nar_writer.hash_path(folder)))


def with_packs(lock: Lock, *packs: Pack) -> Lock:
    return lock.model_copy(update={"packs": packs})


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    packs = [make_pack(tmp_path, name, f"{name}, as it was, {tmp_path}") for name in ("painter", "writer")]
    return with_packs(make_lock(NAME, b"{}"), *packs)


@pytest.fixture
def workspace(tmp_path: Path, settings: NixSettings) -> Workspace:
    return Workspace(new_paths(tmp_path), settings, environment={**os.environ, "PYCOMFY_RESERVE": "120"})


def make_prover(workspace: Workspace, engine: Engine, lock: Lock, folder: Path, script: str) -> Iterator[Prover]:
    oci = write_layout(folder / "layout", linked=True, python=script)
    prover = Prover(workspace)
    prover.warm_up(lock, PLATFORM, oci)
    yield prover
    workspace.reserve.end_all()
    shutil.rmtree(workspace.reserve.folder)
    forget(engine, read_layout(oci), NAME)


@pytest.fixture
def prover(workspace: Workspace, engine: Engine, lock: Lock, tmp_path: Path) -> Iterator[Prover]:
    yield from make_prover(workspace, engine, lock, tmp_path, SCRIPT)


def test_the_code_of_the_next_image_is_what_is_asked_for(
    workspace: Workspace, prover: Prover, lock: Lock, tmp_path: Path
) -> None:
    code = f"another code, {tmp_path}"
    after = with_packs(lock, make_pack(tmp_path, "painter", code), lock.packs[1])
    answer = prover.ask(after, PLATFORM, tmp_path)
    assert answer is not None and answer.types["painter"] == {"python_module": code}
    assert "writer" not in answer.types, "the image has it"
    kept = read_cached_definitions(workspace, after, PLATFORM)
    assert kept is not None and kept.types == answer.types and Path(kept.log).read_text() == "started\n"
    assert prover.ask(after, PLATFORM, tmp_path) is None, "each is asked once"


def test_what_was_asked_is_left_again_where_the_build_fails(
    workspace: Workspace, prover: Prover, lock: Lock, tmp_path: Path
) -> None:
    (first,) = workspace.reserve.list()
    after = with_packs(lock, make_pack(tmp_path, "painter", "x"), lock.packs[1])
    with pytest.raises(PycomfyError), prover.renewing():
        assert prover.ask(after, PLATFORM, tmp_path) is not None and not workspace.reserve.list()
        raise PycomfyError("the node pack cannot be imported")
    (second,) = workspace.reserve.list()
    assert second.about == first.about and second.folder != first.folder


def test_one_that_can_be_asked_stays(workspace: Workspace, prover: Prover, lock: Lock, tmp_path: Path) -> None:
    (waiting,) = workspace.reserve.list()
    prover.warm_up(with_packs(lock, make_pack(tmp_path, "painter", "x"), lock.packs[1]), PLATFORM, tmp_path)
    assert workspace.reserve.list() == [waiting]


def test_freeing_the_disk_ends_it(workspace: Workspace, prover: Prover) -> None:
    assert end_reserve(workspace) == 1 and workspace.reserve.list() == []


def test_other_limits_are_another_container(workspace: Workspace, prover: Prover, lock: Lock, tmp_path: Path) -> None:
    other = replace(workspace, environment={**workspace.environment, "PYCOMFY_CONTAINER_MEMORY": "2G"})
    assert Prover(other).ask(with_packs(lock, lock.packs[1]), PLATFORM, tmp_path) is None


def test_packs_can_be_left_out(prover: Prover, lock: Lock, tmp_path: Path) -> None:
    answer = prover.ask(with_packs(lock, lock.packs[1]), PLATFORM, tmp_path)
    assert answer is not None and answer.types["about"]["removed"] == ["painter"]


def test_another_environment_is_not_asked_for(prover: Prover, lock: Lock, tmp_path: Path) -> None:
    torch = make_lock(NAME, b"{}", torch="3.0")
    assert prover.ask(with_packs(torch, *lock.packs), PLATFORM, tmp_path) is None


def test_a_new_pack_is_not_asked_for(prover: Prover, lock: Lock, tmp_path: Path) -> None:
    after = with_packs(lock, *lock.packs, make_pack(tmp_path, "third", "x"))
    assert prover.ask(after, PLATFORM, tmp_path) is None


def test_a_pack_that_steps_make_is_not_asked_for(prover: Prover, lock: Lock, tmp_path: Path) -> None:
    stepped = make_pack(tmp_path, "painter", "x").model_copy(update={"steps": (Step(run=("make",)),)})
    assert prover.ask(with_packs(lock, stepped, lock.packs[1]), PLATFORM, tmp_path) is None


def test_where_there_is_no_answer_there_is_a_note_and_none(
    workspace: Workspace, engine: Engine, lock: Lock, tmp_path: Path
) -> None:
    # As a gateway of before.
    script = "import sys\nsys.exit('gateway: error: unrecognized arguments: --packs')\n"
    for prover in make_prover(workspace, engine, lock, tmp_path, script):
        with listening() as heard:
            assert prover.ask(with_packs(lock, lock.packs[0]), PLATFORM, tmp_path) is None
        assert "the image is built and started instead" in heard.remarks[0]
    assert read_cached_definitions(workspace, with_packs(lock, lock.packs[0]), PLATFORM) is None


def test_without_one_in_reserve_nothing_is_asked(workspace: Workspace, lock: Lock, tmp_path: Path) -> None:
    assert Prover(workspace).ask(lock, PLATFORM, tmp_path) is None
