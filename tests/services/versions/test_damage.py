"""What cannot be read is listed as the database knows it, and reported beside the others."""

import multiprocessing
import shutil
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pycomfy.adapters.database.connection import DamagedDatabase
from pycomfy.adapters.database.copy import copy_path
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.entries import Run
from pycomfy.adapters.database.inspection import inspect_database
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.integrity import find_damage
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.errors import BadInput
from pycomfy.operation import Operation
from pycomfy.services.archive.archive import collect_garbage
from pycomfy.services.run.history import list_runs
from pycomfy.services.versions.log import log
from pycomfy.services.versions.pull import pull
from pycomfy.services.versions.push import push
from pycomfy.services.versions.reindex import reindex
from pycomfy.services.versions.rm import rm
from pycomfy.services.versions.show import show
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.moments import NOW
from tests.support.operations import Recorder
from tests.support.service_projects import make_files, make_image, record, with_steps
from tests.support.versions_repositories import git


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """hello@1, hello@2 and other@1."""
    paths = new_paths(tmp_path)
    for files in (make_files("hello"), make_files("hello", with_steps(30)), make_files("other")):
        record(paths, files)
    return paths


def listed(paths: Paths) -> tuple[set[str], list[str]]:
    """The labels of all versions, and what was reported."""
    with Operation().running() as operation:
        labels = {f"{v.name}@{v.version}" for v in log(Workspace(paths))}
    return labels, [error.what for error in operation.errors]


def test_versions_of_a_repository_that_is_gone_are_listed(paths: Paths) -> None:
    shutil.rmtree(Workspace(paths).versions.path)
    labels, errors = listed(paths)
    assert labels == {"hello@1", "hello@2", "other@1"} and "is gone" in errors[0]


def test_one_bad_lock_is_listed_with_its_problem_and_removed_alone(paths: Paths) -> None:
    workspace = Workspace(paths)
    bad = {**make_files("bad"), "pycomfy.lock": b'{"version": 99}'}
    workspace.versions.commit("bad", bad, created_at=NOW, message="of a newer pycomfy")
    for _ in range(2):
        labels, errors = listed(paths)
        assert labels == {"hello@1", "hello@2", "other@1", "bad@1"}
        assert len(errors) == 1 and "bad@1 cannot be read" in errors[0]
    assert reindex(workspace).versions == 4 and show(workspace, "hello@2").version == 2
    rm(workspace, "bad", force=True)
    assert listed(paths) == ({"hello@1", "hello@2", "other@1"}, [])


def test_a_branch_that_cannot_be_read_is_listed_and_put_back(paths: Paths) -> None:
    workspace = Workspace(paths)
    branch = workspace.versions.path / "refs" / "heads" / "hello"
    branch.write_text("nonsense")
    labels, errors = listed(paths)
    assert labels == {"hello@1", "hello@2", "other@1"} and "hello" in errors[0]
    assert reindex(workspace).versions == 3
    assert listed(paths) == (labels, []) and show(workspace, "hello").version == 2


def test_locks_without_end_cost_an_error_each_and_not_the_memory(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred of them are a small repository, as zeros are packed well."""
    workspace, real = Workspace(paths), VersionsRepository.read_some
    read: list[int] = []

    def read_some(
        self: VersionsRepository, commits: Sequence[str], names: Sequence[str]
    ) -> dict[str, dict[str, bytes]]:
        found = real(self, commits, names)
        read.append(sum(len(data) for files in found.values() for data in files.values()))
        return found

    monkeypatch.setattr(VersionsRepository, "read_some", read_some)
    for number, size in enumerate((17, 17, 17, 17, 65)):
        lock = b"[" + b"0," * (size << 19) + str(number).encode() + b"]"
        workspace.versions.commit("big", {**make_files("big"), "pycomfy.lock": lock}, created_at=NOW, message="big")
    labels, errors = listed(paths)
    assert labels == {"hello@1", "hello@2", "other@1", *(f"big@{n}" for n in range(1, 6))}
    assert [error.partition(":")[0] for error in errors] == [f"big@{n} cannot be read" for n in range(1, 6)]
    assert "larger than 16 MiB" in errors[0] and "more than 64 MiB" in errors[4]
    assert 17 << 20 < max(read) < 90 << 20


def reported(action: Callable[[], object]) -> str:
    """What an operation reports."""
    heard = Recorder()
    with Operation(heard).running() as operation:
        action()
    return "\n".join([*heard.remarks, *(error.what for error in operation.errors)])


def with_run(paths: Paths) -> None:
    """hello@2 has an image, and the image a run."""
    record(paths, make_files("hello", with_steps(30)), image=make_image("root"))
    with Database(database_path(paths)) as database:
        image = database.find_image("hello")
        assert image is not None
        database.record_run(
            image,
            Run(
                datetime.now(UTC),
                "podman",
                None,
                1.5,
                ({"path": "a.png", "size": 3, "sha256": "0" * 64},),
                inputs={"seed": 7},
            ),
        )


def read_runs(paths: Paths) -> list[object]:
    with Database(database_path(paths)) as database:
        return [(run.name, run.version, run.outputs, run.inputs) for run in database.runs()]


def test_a_branch_that_is_as_it_was_before_is_not_believed(paths: Paths) -> None:
    workspace = Workspace(paths)
    branch = workspace.versions.path / "refs" / "heads" / "hello"
    first = show(workspace, "hello@1").commit
    branch.write_text(f"{first}\n")
    labels, errors = listed(paths)
    assert labels == {"hello@1", "hello@2", "other@1"} and "hello" in errors[0]
    reindex(workspace)
    assert show(workspace, "hello").version == 2


@pytest.mark.parametrize("at", [3, 44], ids=["what it was", "what it is"])
@pytest.mark.parametrize("line", [0, -1], ids=["oldest", "newest"])
@pytest.mark.parametrize("ref", ["refs/heads/hello", "HEAD"])
def test_a_damaged_line_in_a_log_is_named_and_left_out(paths: Paths, ref: str, line: int, at: int) -> None:
    workspace = Workspace(paths)
    before, bare = listed(paths), workspace.versions.bare
    file = bare.path / "logs" / ref
    lines = file.read_text().splitlines()
    was = lines[line]
    lines[line] = was[:at] + ("1" if was[at] != "1" else "2") + was[at + 1 :]
    file.write_text("\n".join(lines) + "\n")
    assert ref in find_damage(bare)[0]
    assert f"left 1 damaged line out of the log of {ref}" in reported(lambda: reindex(workspace))
    assert find_damage(bare) == [] and listed(paths) == before
    assert bare.read_log("refs/heads/hello")[0] == show(workspace, "hello").commit


def test_the_description_of_an_image_that_is_damaged_is_told_and_written_again(paths: Paths) -> None:
    record(paths, make_files("hello", with_steps(30)), image=make_image("root", proven=True))
    workspace = Workspace(paths)
    before = show(workspace, "hello@2")
    assert before.images
    (ref, blob), *_ = workspace.versions.bare.refs("refs/images").items()
    file = workspace.versions.path / "objects" / blob[:2] / blob[2:]
    for damaged in (None, b"nonsense"):
        file.unlink()
        if damaged is not None:
            file.write_bytes(damaged)
        assert "description of an image for linux/amd64" in reported(lambda: show(workspace, "hello@2"))
        assert "wrote what the database knows" in reported(lambda: reindex(workspace))
        assert show(workspace, "hello@2") == before and workspace.versions.bare.refs(ref)[ref] == blob


def test_a_database_that_is_lost_begins_as_its_copy_with_its_runs(paths: Paths) -> None:
    with_run(paths)
    before, runs = listed(paths), read_runs(paths)
    assert runs
    for file in paths.data.glob("pycomfy.db"):
        file.unlink()
    assert "made from its copy" in reported(lambda: log(Workspace(paths)))
    assert listed(paths) == before and read_runs(paths) == runs
    with Database(database_path(paths)) as database:
        assert database.all("SELECT * FROM version_sources"), "what is not copied is read from the versions repository"


def change_runs(paths: Paths) -> None:
    """As another program does that knows nothing of the copy."""
    with Database(database_path(paths)) as database:
        database.change("UPDATE runs SET outputs = '{'")


def test_a_row_that_cannot_have_been_written_costs_no_version_and_is_put_right_from_the_copy(paths: Paths) -> None:
    with_run(paths)
    before, runs = listed(paths), read_runs(paths)
    change_runs(paths)
    found = inspect_database(database_path(paths))
    assert found is not None and found.damage
    with pytest.raises(DamagedDatabase):
        list_runs(Workspace(paths))
    reindex(Workspace(paths))
    assert listed(paths) == before and read_runs(paths) == runs


@pytest.mark.parametrize("copied", [True, False])
def test_a_row_that_the_copy_has_as_well_costs_no_version_and_stays_in_a_file(paths: Paths, copied: bool) -> None:
    with_run(paths)
    before = listed(paths)
    change_runs(paths)
    copy_path(database_path(paths)).unlink()
    if copied:
        record(paths, make_files("third"))
        rm(Workspace(paths), "third", force=True)
    found = inspect_database(database_path(paths))
    assert found is not None and "cannot have written" in found.damage[0]
    assert "are not in the new one" in reported(lambda: reindex(Workspace(paths)))
    assert listed(paths) == before and list_runs(Workspace(paths)) == []
    assert list(paths.data.glob("pycomfy.db.damaged-*")), "what was there is still there"


def test_a_copy_that_is_lost_or_damaged_is_told_and_made_anew(paths: Paths) -> None:
    with_run(paths)
    path = database_path(paths)
    for damage, word in (
        (lambda: copy_path(path).unlink(), "missing"),
        (lambda: copy_path(path).write_bytes(copy_path(path).read_bytes()[:-9]), "damaged"),
    ):
        damage()
        found = inspect_database(path)
        assert found is not None and found.copy_damage and not found.damage
        assert word in reported(lambda: reindex(Workspace(paths)))
        found = inspect_database(path)
        assert found is not None and not found.copy_damage


def test_nothing_is_written_to_a_database_that_is_not_as_it_was_copied(paths: Paths) -> None:
    with_run(paths)
    path, runs = database_path(paths), read_runs(paths)
    with Database(path) as database:
        database._connection.execute("UPDATE runs SET inputs = '{}'")  # as a bit that changed does: it has no number
    with Database(path) as database, pytest.raises(DamagedDatabase, match="differs from its copy"):
        database.index([], [])
    found = inspect_database(path)
    assert found is not None and found.damage
    reindex(Workspace(paths))
    assert read_runs(paths) == runs


def test_versions_that_cannot_be_read_are_forgotten_by_force_alone(paths: Paths) -> None:
    workspace = Workspace(paths)
    for root in ("refs", "logs/refs"):
        (workspace.versions.path / root / "heads" / "hello").unlink()
    assert listed(paths)[0] == {"hello@1", "hello@2", "other@1"}
    with pytest.raises(BadInput):
        rm(workspace, "hello")
    assert listed(paths)[0] == {"hello@1", "hello@2", "other@1"}
    rm(workspace, "hello", force=True)
    assert listed(paths) == ({"other@1"}, [])


def test_what_no_remote_has_is_said_to_be_lost(paths: Paths, tmp_path: Path) -> None:
    workspace, remote = Workspace(paths), tmp_path / "remote.git"
    git(workspace.versions, "init", "--quiet", "--bare", str(remote))
    push(workspace, str(remote), ["other"])
    commit = show(workspace, "hello@2").commit
    (workspace.versions.path / "objects" / commit[:2] / commit[2:]).unlink()
    assert "is not in" in reported(lambda: pull(workspace, str(remote)))
    assert listed(paths)[0] == {"hello@1", "hello@2", "other@1"}


def test_sources_are_kept_while_a_version_cannot_be_read(paths: Paths) -> None:
    workspace = Workspace(paths)
    workspace.archive.folder.mkdir()
    for root in ("refs", "logs/refs"):  # the database alone knows it
        (workspace.versions.path / root / "heads" / "hello").unlink()
    with pytest.raises(BadInput, match="hello"):
        collect_garbage(workspace)


def test_without_the_database_its_copy_is_listed(paths: Paths) -> None:
    with_run(paths)
    (Workspace(paths).versions.path / "refs" / "heads" / "hello").write_text("nonsense")
    database_path(paths).write_bytes(b"nonsense" * 1000)
    assert listed(paths)[0] == {"hello@1", "hello@2", "other@1"}


def test_an_object_with_other_bytes_is_damage(paths: Paths) -> None:
    workspace = Workspace(paths)
    blob = workspace.versions.bare.blob_ids([f"{show(workspace, 'hello@1').commit}:workflow.json"]).popitem()[1]
    file = workspace.versions.path / "objects" / blob[:2] / blob[2:]
    file.unlink()
    file.write_bytes(zlib.compress(b"blob 2\0{}"))
    assert find_damage(workspace.versions.bare) == [f"{file.relative_to(workspace.versions.path)} was changed"]


def test_two_repairs_at_once_lose_nothing(paths: Paths) -> None:
    with_run(paths)
    workspace, before, runs = Workspace(paths), listed(paths), read_runs(paths)
    (workspace.versions.path / "refs" / "heads" / "hello").write_text("nonsense")
    database_path(paths).write_bytes(b"nonsense" * 1000)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_use, args=(paths, n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert listed(paths) == before and read_runs(paths) == runs


def _use(paths: Paths, number: int) -> None:
    """Repair, or list what there is meanwhile."""
    with Operation().running():
        if number < 2:
            reindex(Workspace(paths))
        else:
            assert len(log(Workspace(paths))) == 3
