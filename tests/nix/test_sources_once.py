"""After a build, each file that an image is made of is in the archive alone; what needs it again gets it from there."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pycomfy.adapters.archive.integrity import check_archive
from pycomfy.adapters.nix.store import add_file, add_gc_root, delete_paths, valid_paths
from pycomfy.core.lockfile.schema import Lock, Root, render_lock
from pycomfy.core.nix.lock_outputs import Requisite, list_requisites
from pycomfy.services import realise
from pycomfy.services.build.record import SourceKeeping, archive_sources
from pycomfy.services.project import host_platform
from pycomfy.services.workspace import Workspace
from tests.support.command_line import Outcome, call
from tests.support.data_folders import new_paths
from tests.support.nix_projects import WORKFLOW, Workshop
from tests.support.sudden_ends import kill_before, list_steps


@dataclass(frozen=True)
class Card:
    """A workflow with two wheels and a node pack, whose contents nobody else has."""

    workshop: Workshop
    root: Root
    workspace: Workspace

    def lock(self, *more: str, pack: str = "x = 1") -> Lock:
        text = f"# {self.workshop.folder}\n"
        wheels = [self.workshop.wheel(n, {f"{n}.py": f"{text}{n}\n".encode() * 9}) for n in ("one", "two", *more)]
        made = self.workshop.pack("greeter", {"__init__.py": f"NODE_CLASS_MAPPINGS = {{}}\n{text}{pack}\n"})
        files = {"comfy.py": text.encode()}
        lock = self.workshop.lock({"linux/amd64": self.root}, wheels, [made], files)
        folder = self.workshop.folder / "card"
        folder.mkdir(exist_ok=True)
        (folder / "workflow.json").write_bytes(WORKFLOW)
        (folder / "pycomfy.lock").write_text(render_lock(lock))
        shutil.copytree(self.workshop.folder / "greeter", folder / "greeter", dirs_exist_ok=True)
        return lock

    def build(self, *options: str) -> Outcome:
        env = {**os.environ, "PYCOMFY_HOME": str(self.workspace.paths.data), "COLUMNS": "300"}
        done = call("build", self.workshop.folder / "card", "--locked", "--no-prove", *options, cwd=Path("/"), env=env)
        assert done.status == 0 and "warning" not in done.err, done.err
        return done

    def lose_upstream(self) -> None:
        for wheel in self.workshop.folder.glob("*.whl"):
            wheel.unlink()

    def twice(self, lock: Lock) -> set[str]:
        """What both the Nix store and the archive have."""
        needed = list_requisites(lock, {host_platform()})
        here = set(valid_paths(self.workspace.nix, [r.path for r in needed]))
        return {r.path for r in needed if r.path in here and self.workspace.archive.has(r.output)}


@pytest.fixture
def card(workshop: Workshop, root: Root, tmp_path: Path) -> Iterator[Card]:
    yield Card(workshop, root, Workspace(new_paths(tmp_path), workshop.settings))


def files_of(lock: Lock) -> list[Requisite]:
    """But for that of the gateway's, which other tests have, too."""
    requisites = list_requisites(lock, {host_platform()})
    return [r for r in requisites if not r.output.recursive and "gatewaykit" not in r.path]


def test_a_file_is_kept_once_and_the_next_build_gets_it_from_the_archive(card: Card) -> None:
    lock = card.lock()
    card.build()
    files = files_of(lock)
    assert len(files) == 3 and all(card.workspace.archive.has(r.output) for r in files)
    assert not valid_paths(card.workspace.nix, [r.path for r in files])
    again = card.build()
    assert "Take sources" not in again.err and "Fetch" not in again.err, "nothing is missing"
    # The wheels of a bucket are one layer: all of them are needed where one is new, and upstream has none any more.
    more = card.lock("three")
    new = next(r for r in files_of(more) if "three" in r.path)
    kept = (card.workshop.folder / "three-1.0-py3-none-any.whl").read_bytes()
    card.lose_upstream()
    (card.workshop.folder / "three-1.0-py3-none-any.whl").write_bytes(kept)
    card.build()
    assert card.workspace.archive.has(new.output)
    assert not valid_paths(card.workspace.nix, [r.path for r in files_of(more)])
    assert check_archive(card.workspace.archive, lambda read: None) == []


def test_a_changed_pack_takes_nothing_else_from_the_archive(card: Card) -> None:
    card.lock()
    card.build()
    card.lose_upstream()
    lock = card.lock(pack="x = 2")
    card.lose_upstream()
    done = card.build()
    assert "Take sources" not in done.err and "Fetch" not in done.err
    assert not valid_paths(card.workspace.nix, [r.path for r in files_of(lock)])


def test_whoever_wants_both_copies_or_no_archive_keeps_the_files_in_the_store(card: Card) -> None:
    lock = card.lock()
    paths = [r.path for r in files_of(lock)]
    card.build("--no-archive")
    assert valid_paths(card.workspace.nix, paths) == paths
    card.build("--keep-sources")
    assert set(paths) <= card.twice(lock)
    card.build()
    assert not valid_paths(card.workspace.nix, paths), "what an earlier build kept goes, too"
    delete_paths(card.workspace.nix, paths)


def test_what_the_archive_has_damaged_stays_in_the_store(card: Card) -> None:
    lock = card.lock()
    card.build("--keep-sources")
    hurt = files_of(lock)[0]
    info = card.workspace.archive.find(hurt.output)
    assert info is not None
    nar = card.workspace.archive.nar_of(info)
    data = bytearray(nar.read_bytes())
    data[-20] ^= 1
    nar.chmod(0o644)
    nar.write_bytes(data)
    card.build()
    assert valid_paths(card.workspace.nix, [r.path for r in files_of(lock)]) == [hurt.path]
    delete_paths(card.workspace.nix, [hurt.path])


def test_what_a_root_of_the_user_s_needs_stays_and_all_else_goes(card: Card, tmp_path: Path) -> None:
    lock = card.lock()
    card.build("--keep-sources")
    first, second = files_of(lock)[:2]
    for number, one in enumerate((first, second)):
        add_gc_root(card.workspace.nix, one.path, tmp_path / f"mine-{number}")
    card.build()
    assert valid_paths(card.workspace.nix, [r.path for r in files_of(lock)]) == [first.path, second.path]
    for number, one in enumerate((first, second)):
        (tmp_path / f"mine-{number}").unlink()
        delete_paths(card.workspace.nix, [one.path])


def test_a_source_that_another_build_removes_before_it_is_used_is_put_there_again(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another build that archives it removes it from the store, at the worst moment; upstream is gone by then."""
    lock = card.lock()
    card.build()
    greeter = next(r for r in list_requisites(lock) if r.role == "pack")
    tries = []
    fetch = realise._fetch

    def fetch_and_lose(*arguments: object) -> None:
        fetch(*arguments)  # type: ignore[arg-type]
        tries.append(1)
        if len(tries) == 1:
            assert greeter.path in delete_paths(card.workspace.nix, [changed.path, greeter.path])

    monkeypatch.setattr(realise, "_fetch", fetch_and_lose)
    changed = next(r for r in list_requisites(card.lock(pack="x = 3")) if r.role == "pack")
    done = card.build()
    assert len(tries) == 2 and "greeter was removed from the Nix store meanwhile" in done.err


def test_killed_at_any_step_nothing_is_lost_and_the_next_build_finishes(card: Card) -> None:
    lock = card.lock()
    card.build("--no-archive")
    workspace = card.workspace
    files = [r for r in list_requisites(lock, {host_platform()}) if not r.output.recursive]
    keeping = SourceKeeping(host_platform(), None, lambda: None)
    originals = {r.output.name: card.workshop.folder / r.output.name for r in files}

    def keep() -> None:
        assert archive_sources(workspace, lock, keeping)

    def begin_again() -> None:
        shutil.rmtree(workspace.archive.folder, ignore_errors=True)
        for r in files:
            add_file(workspace.nix, r.output.name, r.output.sha256.hex(), originals[r.output.name])

    begin_again()
    steps = list_steps(keep)
    assert not valid_paths(workspace.nix, [r.path for r in files_of(lock)])
    # The last ones are those that remove from the store; before them the archive is written, file by file.
    chosen = sorted({*range(0, len(steps), max(1, len(steps) // 5)), *range(len(steps) - 6, len(steps))})
    for step in chosen:
        begin_again()
        kill_before(step, keep)
        here = set(valid_paths(workspace.nix, [r.path for r in files]))
        lost = [r.path for r in files if r.path not in here and not workspace.archive.has(r.output)]
        assert not lost, f"killed before step {step}, {steps[step]}"
        assert check_archive(workspace.archive, lambda read: None) == []
        keep()
        left = valid_paths(workspace.nix, [r.path for r in files_of(lock)])
        assert not left, f"killed before step {step}, {steps[step]}"
