"""What cannot be read is listed as the database knows it, and reported beside the others."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.operation import Operation
from pycomfy.services.versions.log import log
from pycomfy.services.versions.reindex import reindex
from pycomfy.services.versions.rm import rm
from pycomfy.services.versions.show import show
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.moments import NOW
from tests.support.service_projects import make_files, record, with_steps


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
