"""`--dry-run` says what would happen, with the same errors, and changes nothing: no file of the user, no data."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.services.dry_run import dry_run
from pycomfy.services.workspace import Workspace
from tests.support.command_line import Outcome, call
from tests.support.service_projects import make_files, record, with_steps

DRY = "note: this was a dry run: nothing was changed\n"


class Machine:
    """hello@1, hello@2 with the tag `stable`, and other@1; the same hello@1 in another versions repository, `there`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        for data in (self.data, folder / "there"):
            record(Paths(data, data / "cache"), make_files("hello", with_steps(1)))
        paths = Paths(self.data, self.data / "cache")
        record(paths, make_files("hello", with_steps(2)))
        record(paths, make_files("other", with_steps(1)))
        record(Paths(folder / "there", folder / "there/cache"), make_files("theirs", with_steps(3)))
        (folder / "work").mkdir()
        (self.data / "archive").mkdir()
        (self.data / "archive" / "some.narinfo").write_text("a source")
        assert self.run("tag", "stable", "hello@2").status == 0

    @property
    def there(self) -> Path:
        return self.folder / "there" / "library.git"

    def run(self, *words: object) -> Outcome:
        env = {**os.environ, "PYCOMFY_HOME": str(self.data), "COLUMNS": "200"}
        return call(*words, cwd=self.folder / "work", env=env)

    def state(self) -> dict[str, str]:
        """Every file with its hash, and what refs say; the database by its contents, as reading touches the file."""
        found = {}
        for at in (self.data, self.folder / "work", self.there):
            for path in sorted(at.rglob("*")):
                if path.is_file() and not path.name.startswith("pycomfy.db") and "cache" not in path.parts:
                    found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        log = self.run("log", "--json").out
        refs = subprocess.run(["git", "for-each-ref"], cwd=self.data / "library.git", capture_output=True, text=True)
        return {**found, "log": log, "refs": refs.stdout}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


COMMANDS = [
    ("rm", "other", "--force"),
    ("rename", "hello", "greeting"),
    ("revert", "hello@1"),
    ("tag", "first", "hello@1"),
    ("tag", "-d", "stable", "hello"),
    ("branch", "fast", "hello@1"),
    ("checkout", "hello@1", "--to", "copy"),
    ("reindex",),
    ("restore", "hello@1", "--project", "project"),
    ("pull", "THERE"),
    ("push", "THERE", "other"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_says_what_the_command_then_does_and_changes_nothing(machine: Machine, words: tuple[str, ...]) -> None:
    words = tuple(word.replace("THERE", str(machine.there)) for word in words)
    before = machine.state()
    dry = machine.run(*words, "--dry-run")
    assert dry.status == 0 and DRY in dry.err, dry.err
    assert machine.state() == before
    done = machine.run(*words)
    assert done.status == 0 and DRY not in done.err
    # A commit has the moment of its making in it.
    assert done.out == dry.out
    assert machine.state() != before or words == ("reindex",)
    assert not list((machine.data / "cache" / "dry-runs").iterdir())


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("rm", "nope"), "no workflow"),
        (("rm", "hello"), "versions that no other workflow has"),
        (("rename", "hello", "other"), "there is a workflow other already"),
        (("tag", "stable", "hello@1"), "is another version"),
        (("checkout", "hello@1", "--to", "taken"), "there are other files already"),
        (("restore", "hello@1", "--project", "taken"), "not an empty folder"),
        (("push", "THERE", "nope"), "no workflow"),
        (("pull", "/nowhere"), "/nowhere"),
        (("import", "nope.json"), "no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_are_the_same(machine: Machine, words: tuple[str, ...], what: str) -> None:
    words = tuple(word.replace("THERE", str(machine.there)) for word in words)
    (machine.folder / "work" / "taken").mkdir()
    (machine.folder / "work" / "taken" / "workflow.json").write_text("{}")
    before = machine.state()
    dry = machine.run(*words, "--dry-run")
    assert machine.state() == before
    real = machine.run(*words)
    assert dry.status == real.status == 1 and what in dry.err
    data, copy = str(machine.data), "/cache/dry-runs/"
    told = [re.sub(r"\(\d+\.\d s\)", "(TIME)", outcome.err) for outcome in (dry, real)]
    assert told[0] == told[1] or (copy in told[0] and data in told[1])


def test_another_tools_file_makes_no_folder(machine: Machine) -> None:
    snapshot = {"comfyui": "0" * 40, "git_custom_nodes": {}, "file_custom_nodes": [], "pips": {"requests==2.32.0": ""}}
    (machine.folder / "work" / "snapshot.json").write_text(json.dumps(snapshot))
    dry = machine.run("import", "snapshot.json", "--to", "made", "--dry-run")
    assert dry.status == 0 and "made/pycomfy.toml" in dry.out and not (machine.folder / "work" / "made").exists()
    assert machine.run("import", "snapshot.json", "--to", "made").out == dry.out


def test_a_damaged_database_is_not_put_aside(machine: Machine) -> None:
    database = machine.data / "pycomfy.db"
    database.write_bytes(b"SQLite format 3\0 and then nothing" * 100)
    for name in ("pycomfy.db-wal", "pycomfy.db-shm"):
        (machine.data / name).unlink(missing_ok=True)
    dry = machine.run("reindex", "--dry-run")
    assert dry.status == 0 and "3 versions of 2 workflows" in dry.out
    assert database.read_bytes().startswith(b"SQLite format 3\0 and")


def test_where_nothing_is_nothing_is_made(tmp_path: Path) -> None:
    env = {**os.environ, "PYCOMFY_HOME": str(tmp_path / "data")}
    assert call("rm", "x", "--dry-run", cwd=tmp_path, env=env).status == 1
    assert {path.name for path in (tmp_path / "data").rglob("*")} <= {"cache", "dry-runs"}


@pytest.mark.parametrize("name", ["archive", "models"])
def test_a_folder_on_a_larger_disk_is_not_written_to(tmp_path: Path, name: str) -> None:
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("kept")
    (data / name).mkdir(parents=True)
    (data / name / "folder").symlink_to(elsewhere)
    with dry_run(Workspace(Paths(data, tmp_path / "cache"))) as copy:
        folder = copy.paths.data / name / "folder"
        assert (folder / "file").read_text() == "kept"
        (folder / "file").unlink()
        (folder / "more").touch()
    assert [(path.name, path.read_text()) for path in elsewhere.iterdir()] == [("file", "kept")]


def test_an_error_names_the_data_and_not_the_copy(machine: Machine) -> None:
    done = machine.run("rename", "hello", "other", "--dry-run")
    assert done.status == 1 and str(machine.data / "library.git") in done.err and "dry-runs" not in done.err
