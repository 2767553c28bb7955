"""Ten processes work in one data folder at once: no version is lost, and none is refused."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Lock, Root
from tests.support.archived_versions import make_lock
from tests.support.http_server import serve_folder
from tests.support.machines import (
    Machine,
    answer,
    check_tidy,
    check_whole,
    versions_and_archive,
    what_is_recorded,
    write_project,
)
from tests.support.nix_projects import Workshop

pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make namespaces and mount a folder over /nix"),
]

MANY = 10


def new_lock(workshop: Workshop, root: Root, name: str, pack: str) -> Lock:
    """A lock with a node pack of its own."""
    shutil.rmtree(workshop.folder / "greeter", ignore_errors=True)
    return make_lock(workshop, root, pack).model_copy(update={"name": name})


@pytest.fixture(scope="module")
def first(settings: NixSettings, root: Root, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """One with an empty data folder, whose store has the large layers."""
    folder = tmp_path_factory.mktemp("first")
    machine = Machine.new(folder / "machine")
    with serve_folder(folder) as address, machine.on() as on:
        workshop = Workshop(folder, settings, address)
        lock = new_lock(workshop, root, "first", "none")
        machine.give(workshop, lock)
        on.run("build", write_project(folder / "project", workshop, lock), "--no-prove")
    shutil.rmtree(machine.paths.data)
    machine.paths.data.mkdir()
    return machine


@pytest.fixture
def machine(first: Machine, tmp_path: Path) -> Machine:
    """The same, for one test."""
    return first.twin(tmp_path / "machine")


def build_all(machine: Machine, folders: list[Path]) -> list[dict[str, Any]]:
    """What each `pycomfy build` says, all of them started at once."""
    with machine.on() as on:
        processes = [on.start("build", folder, "--no-prove") for folder in folders]
        return [answer(process) for process in processes]


def check(machine: Machine, built: list[dict[str, Any]]) -> None:
    """Versions repository, database and archive have what was built."""
    recorded = what_is_recorded(machine)
    assert {f"{b['name']}@{b['version']}": (b["commit"], b["manifest_digest"]) for b in built} == {
        label: record for label, (_, _, record) in recorded.items()
    }
    assert all(images["linux/amd64"].manifest_digest == record[1] for _, images, record in recorded.values())
    check_whole(machine, recorded, "after all builds")
    assert versions_and_archive(machine)["needed"] == 5 + MANY
    check_tidy(machine)


def test_ten_workflows_are_built_at_once(machine: Machine, workshop: Workshop, root: Root, tmp_path: Path) -> None:
    folders = []
    for number in range(MANY):
        lock = new_lock(workshop, root, f"flow-{number}", f"pack {number}")
        folders.append(write_project(tmp_path / lock.name, workshop, lock))
    built = build_all(machine, folders)
    assert {(b["name"], b["version"]) for b in built} == {(f"flow-{n}", 1) for n in range(MANY)}
    assert len({b["manifest_digest"] for b in built}) == MANY and all(b["new"] and b["archived"] for b in built)
    check(machine, built)


def test_ten_states_of_one_workflow_are_built_at_once(
    machine: Machine, workshop: Workshop, root: Root, tmp_path: Path
) -> None:
    folders = []
    for number in range(MANY):
        lock = new_lock(workshop, root, "flow", f"pack {number}")
        folders.append(write_project(tmp_path / f"state-{number}", workshop, lock))
    built = build_all(machine, folders)
    assert {b["version"] for b in built} == set(range(1, MANY + 1))
    assert len({b["manifest_digest"] for b in built}) == MANY and all(b["new"] and b["archived"] for b in built)
    check(machine, built)


def test_one_state_built_ten_times_at_once_is_one_version(
    machine: Machine, workshop: Workshop, root: Root, tmp_path: Path
) -> None:
    folder = write_project(tmp_path / "flow", workshop, new_lock(workshop, root, "flow", "pack"))
    built = build_all(machine, [folder] * MANY)
    assert {(b["version"], b["archived"]) for b in built} == {(1, True)}
    assert [b["new"] for b in built].count(True) == 1 and len({b["manifest_digest"] for b in built}) == 1


def test_what_builds_need_is_not_freed_beneath_them(
    machine: Machine, workshop: Workshop, root: Root, tmp_path: Path
) -> None:
    folders = []
    for number in range(4):
        lock = new_lock(workshop, root, "flow", f"pack {number}")
        folders.append(write_project(tmp_path / f"state-{number}", workshop, lock))
    with machine.on() as on:
        on.run("build", folders.pop(), "--no-prove")
        building = [on.start("build", folder, "--no-prove") for folder in folders]
        freeing = [on.start("gc", "--keep", "0") for _ in range(3)]
        built = [answer(process) for process in building]
        assert sum(answer(process)["size"] for process in freeing) > 0
        assert {b["version"] for b in built} == set(range(2, 5)) and all(b["archived"] for b in built)
        recorded = what_is_recorded(on)
        check_whole(on, recorded, "after all")
        on.run("gc", "--keep", "0")
        for b in built[:2]:
            again = on.run("restore", f"flow@{b['version']}", "--offline")
            assert again["same"] and again["manifest_digest"] == b["manifest_digest"]
        check_whole(on, recorded, "after all was restored")
