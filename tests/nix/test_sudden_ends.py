"""Ended at any moment of whatever they do, commands lose nothing that was recorded, and the next one finishes.

In every other turn the whole machine goes off; in the others pycomfy is killed, and the Nix that it started goes on.
"""

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.io.temp_dirs import remove_folder
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Root
from pycomfy.services.archive.archived_sources import copy_from_archive
from pycomfy.services.archive.completeness import list_version_requisites
from pycomfy.services.workspace import Workspace
from tests.support.archived_versions import make_lock
from tests.support.machines import Machine, check_whole, timed, versions_and_archive, what_is_recorded, write_project
from tests.support.nix_projects import Workshop

pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make namespaces and mount a folder over /nix"),
]

TURNS = int(os.environ.get("STORY_TURNS", "6"))
"""Moments for each command; 20 take a quarter of an hour on two cores."""

SEED = int(os.environ.get("STORY_SEED", "5"))


@dataclass(frozen=True)
class Scene:
    """A machine that has `small@1` built and archived, and what `small@2` is built from."""

    machine: Machine
    second: Path
    folder: Path

    def prepare(self, *commands: tuple[str | Path, ...]) -> Machine:
        """The machine after these commands."""
        machine = self.machine.twin(self.folder / "before")
        with machine.on() as on:
            for command in commands:
                on.run(*command)
        return machine

    def end_and_go_on(
        self, machine: Machine, command: tuple[str | Path, ...], check: Callable[[Machine], Any], turns: int = TURNS
    ) -> None:
        """Run `command` undisturbed, then end it in so many moments, each on a machine as it was before, and run it
        again. `check` says what must be after a whole run: the same each time."""
        whole = machine.twin(self.folder / "whole")
        with whole.on() as on:
            duration, _ = timed(on, *command)
            expected = check(on)
        chance = random.Random(SEED)
        recorded, ended = what_is_recorded(machine), []
        for turn in range(turns):
            moment = duration * (turn + chance.random()) / turns
            victim = machine.twin(self.folder / f"turn-{turn}")
            with victim.on() as on:
                took = on.kill(on.start(*command), moment, everything=turn % 2 == 0)
                if took is None:
                    ended.append(moment)
                else:  # quicker than before: this machine has other things to do, too
                    duration = took
                check_whole(victim, recorded, f"ended after {moment:.3f} s")
                if turn % 2:
                    on.run(*command)
                    assert check(on) == expected, f"ended after {moment:.3f} s"
            if turn % 2 == 0:
                with victim.on() as on:
                    on.run(*command)
                    assert check(on) == expected, f"ended after {moment:.3f} s"
            check_whole(victim, recorded, f"ended after {moment:.3f} s, and done again")
            remove_folder(victim.root)
        print(f"{command[0]}: {duration:.2f} s, ended at", *(f"{moment:.2f}" for moment in ended))
        assert len(ended) > turns / 2, "too quick to be ended"


@pytest.fixture
def scene(workshop: Workshop, root: Root, tmp_path: Path) -> Scene:
    machine = Machine.new(tmp_path / "machine")
    lock = make_lock(workshop, root, "one")
    machine.give(workshop, lock)
    first = write_project(tmp_path / "first", workshop, lock)
    shutil.rmtree(workshop.folder / "greeter")
    other = make_lock(workshop, root, "two")
    more = workshop.wheel("three", {"three.py": b"z = 3\n" * 100_000})
    platform = other.platforms["linux/amd64"].model_copy(
        update={"wheels": (*other.platforms["linux/amd64"].wheels, more)}
    )
    other = other.model_copy(update={"platforms": {"linux/amd64": platform}})
    second = write_project(tmp_path / "second", workshop, other)
    with machine.on() as on:
        on.run("build", first, "--no-prove")
    return Scene(machine, second, tmp_path)


def test_a_build_goes_on_after_any_sudden_end(scene: Scene) -> None:
    command = ("build", scene.second, "--no-prove")
    scene.end_and_go_on(scene.machine, command, versions_and_archive)


def test_filling_the_archive_goes_on_after_any_sudden_end(scene: Scene) -> None:
    machine = scene.prepare(("build", scene.second, "--no-prove"))
    workspace = Workspace(machine.paths, NixSettings(store=machine.root))
    # As a machine has them where both versions were built without an archive.
    copy_from_archive(workspace, [r for one in list_version_requisites(workspace) for r in one.requisites])
    shutil.rmtree(workspace.archive.folder)
    scene.end_and_go_on(machine, ("archive", "fill"), versions_and_archive)


def test_an_import_goes_on_after_any_sudden_end(scene: Scene) -> None:
    """Into a machine that has the version before."""
    bundle = scene.folder / "small.tar.zst"
    scene.prepare(("build", scene.second, "--no-prove"), ("export", "small@2", "-o", bundle))
    scene.end_and_go_on(scene.machine, ("import", bundle), versions_and_archive)


def test_a_restore_goes_on_after_any_sudden_end(scene: Scene) -> None:
    built = scene.prepare(("build", scene.second, "--no-prove"))
    # The store is as it was before that build.
    machine = scene.machine.twin(scene.folder / "restoring")
    shutil.rmtree(machine.paths.data)
    built.paths.data.rename(machine.paths.data)

    def restored(on: Machine) -> dict[str, Any]:
        again = on.run("restore", "small@2", "--offline")
        assert again["same"] and again["layers_built"] == 0
        return {**versions_and_archive(on), "digest": again["manifest_digest"]}

    scene.end_and_go_on(machine, ("restore", "small@2", "--offline"), restored)


def test_freeing_the_disk_goes_on_after_any_sudden_end_and_nothing_is_lost(scene: Scene) -> None:
    machine = scene.prepare(("build", scene.second, "--no-prove", "--keep-sources"))

    def restored(on: Machine) -> dict[str, Any]:
        freed = versions_and_archive(on)
        digests = []
        for number in (1, 2):
            again = on.run("restore", f"small@{number}", "--offline")
            assert again["same"]
            digests.append(again["manifest_digest"])
        return {**freed, "digests": digests}

    scene.end_and_go_on(machine, ("gc", "--keep", "0"), restored, turns=TURNS // 2)
