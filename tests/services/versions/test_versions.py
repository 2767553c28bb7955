"""A repository and its database, from the first version to the last: what each verb does to both."""

import json
import multiprocessing
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.entries import Run
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.interface.model import Interface, Parameter, Target
from pycomfy.core.nix.project import render_json
from pycomfy.core.versions.reference import parse_reference
from pycomfy.errors import BadInput, NotFound
from pycomfy.services.versions.branch import branch, list_branches
from pycomfy.services.versions.checkout import checkout
from pycomfy.services.versions.diff import diff
from pycomfy.services.versions.indexing import index, layout_link
from pycomfy.services.versions.log import log
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.versions.reindex import reindex
from pycomfy.services.versions.rename import rename
from pycomfy.services.versions.revert import revert
from pycomfy.services.versions.rm import rm
from pycomfy.services.versions.show import show
from pycomfy.services.versions.tag import list_tags, tag
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.database_entries import make_outdated
from tests.support.moments import NOW
from tests.support.operations import listening
from tests.support.service_projects import make_files, make_image, record, with_steps

# What only this machine knows, and what numbers the rows.
LOCAL = {"id", "workflow_id", "version_id", "image_id", "source_id", "layout", "build_logs", "log"}
TABLES = ("workflows", "workflow_versions", "custom_nodes", "container_images", "builds", "sources", "api_endpoints")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """hello@1, hello@2 and other@1."""
    paths = new_paths(tmp_path)
    record(paths, make_files("hello"), "first", make_image("root", "workflow:1", proven=True))
    record(paths, make_files("hello", with_steps(30), torch="2.9.1"), "second", make_image("root", "workflow:2"))
    record(paths, make_files("other"), "another")
    return paths


def listed(paths: Paths, name: str | None = None) -> list[str]:
    return [f"{v.name}@{v.version}" for v in log(Workspace(paths), name)]


def rows(paths: Paths, sql: str) -> list[dict[str, Any]]:
    with sqlite3.connect(database_path(paths)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def content(paths: Paths) -> dict[str, list[str]]:
    """Every row that does not depend on this machine, under the names of what it belongs to."""
    found = {}
    for table in TABLES:
        kept = [{k: v for k, v in row.items() if k not in LOCAL} for row in rows(paths, f"SELECT * FROM {table}")]
        found[table] = sorted(json.dumps(row, sort_keys=True) for row in kept)
    joined = rows(
        paths,
        "SELECT w.name AS workflow, v.number, s.name, vs.platform FROM version_sources vs JOIN sources s"
        " ON s.id = vs.source_id JOIN workflow_versions v ON v.id = vs.version_id JOIN workflows w"
        " ON w.id = v.workflow_id",
    )
    found["version_sources"] = sorted(json.dumps(row, sort_keys=True) for row in joined)
    return found


def test_the_database_says_what_the_repository_has(paths: Paths) -> None:
    second, first = log(Workspace(paths), "hello")
    repository = VersionsRepository(versions_repository_path(paths))
    assert (first.commit, second.commit) == (repository.find("hello@1").commit, repository.find("hello@2").commit)
    assert (first.parent, second.parent) == (None, first.commit)
    assert (first.summary, first.message) == ((), "first")
    assert second.summary == (
        "node 2 (KSampler): steps 20 → 30",
        "package torch: 2.9.0 (bbbbbbbbbbbb) → 2.9.1 (bbbbbbbbbbbb)",
    )
    assert second.manifest_digest == make_image("root", "workflow:2").manifest_digest


def test_a_log_where_nothing_changed_starts_git_once(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    assert len(log(Workspace(paths))) == 3
    assert (tmp_path / "trace").read_text().count("built-in: git") == 1


def test_the_database_is_filled_anew_from_the_repository_alone(paths: Paths) -> None:
    branch(Workspace(paths), "fast", "hello@1")
    revert(Workspace(paths), "hello@1")
    record(paths, make_files("fast", with_steps(5)), "third", make_image("root", "workflow:3"))
    before, order = content(paths), listed(paths)
    for file in paths.data.glob("pycomfy.db*"):
        file.unlink()
    assert reindex(Workspace(paths)).versions == 6
    assert (content(paths), listed(paths)) == (before, order)
    assert all(before[table] for table in TABLES if table != "api_endpoints")
    assert reindex(Workspace(paths)).versions == 6
    assert content(paths) == before


@pytest.mark.parametrize("state", ["damaged", "outdated"])
def test_a_database_that_cannot_be_used_is_put_aside(paths: Paths, state: str) -> None:
    before, path = content(paths), database_path(paths)
    if state == "damaged":
        path.write_bytes(b"no database at all" * 1000)
    else:
        path.unlink()
        make_outdated(path)
    old = path.read_bytes()
    with listening() as heard:
        assert reindex(Workspace(paths)).workflows == 2
    assert content(paths) == before
    (aside,) = (p for p in path.parent.glob(f"pycomfy.db.{state}-*") if not p.name.endswith(("-wal", "-shm")))
    assert aside.read_bytes() == old and "put aside" in heard.remarks[0] and str(aside) in heard.remarks[0]


def test_runs_stay_when_the_database_is_filled_anew(paths: Paths) -> None:
    image = find_image(Workspace(paths), parse_reference("hello@1"))
    with Database(database_path(paths)) as database:
        database.record_run(image, Run(datetime.now(UTC), "podman", None, 1.0))
    reindex(Workspace(paths))
    with Database(database_path(paths)) as database:
        assert [(r.name, r.version) for r in database.runs()] == [("hello", 1)]


def test_a_version_that_was_committed_but_not_indexed_is_listed(paths: Paths) -> None:
    """As after a kill between the two."""
    VersionsRepository(versions_repository_path(paths)).commit(
        "hello", make_files("hello", with_steps(40)), created_at=NOW, message="third"
    )
    assert listed(paths, "hello") == ["hello@3", "hello@2", "hello@1"]


def test_a_repository_that_is_gone_does_not_empty_the_database(paths: Paths, tmp_path: Path) -> None:
    versions_repository_path(paths).rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(NotFound, match="the versions repository is gone"):
            index(Workspace(paths))
    (tmp_path / "elsewhere").rename(versions_repository_path(paths))
    assert len(listed(paths)) == 3


def test_a_commit_that_is_no_project_is_reported_and_left_out(paths: Paths) -> None:
    repository = VersionsRepository(versions_repository_path(paths))
    repository.commit("strange", {"a": b"1"}, created_at=NOW, message="")
    with listening() as heard:
        index(Workspace(paths))
    assert "not a project of pycomfy" in heard.remarks[0]
    repository.commit("strange", make_files("strange"), created_at=NOW, message="better")
    assert listed(paths, "strange") == ["strange@2"]


def test_the_api_of_a_version_is_recorded_and_a_senseless_one_is_not(paths: Paths) -> None:
    count = Parameter(name="count", type="integer", targets=(Target(node="2", input="steps"),), default=20)
    nothing = Parameter(name="nothing", type="choice", targets=())
    for name, parameter in (("good", count), ("bad", nothing)):
        interface = Interface(parameters=(parameter,))
        record(paths, {**make_files(name), "interface.json": render_json(interface.model_dump(mode="json"))})
    (api,) = rows(paths, "SELECT * FROM api_endpoints")
    assert (api["method"], api["path"]) == ("POST", "/v1/jobs")
    assert json.loads(api["schema"])["properties"]["count"]["default"] == 20
    assert {"good@1", "bad@1"} <= set(listed(paths))


def test_a_revert_is_a_new_version_with_the_image_of_the_old(paths: Paths) -> None:
    made = revert(Workspace(paths), "hello@1", message="back")
    assert (made.version, made.new, log(Workspace(paths), "hello")[0].message) == (3, True, "back")
    assert not revert(Workspace(paths), "hello@1").new
    old, image = (find_image(Workspace(paths), parse_reference(f"hello@{n}")) for n in (1, 3))
    assert (image.version, image.manifest_digest) == (3, old.manifest_digest)
    assert diff(Workspace(paths), "hello@1", "hello@3").empty


def test_a_branch_and_a_new_name_keep_images(paths: Paths) -> None:
    assert branch(Workspace(paths), "fast", "hello@2").label == "fast@2"
    assert find_image(Workspace(paths), parse_reference("fast@1")).name == "fast"
    rename(Workspace(paths), "hello", "greeting")
    assert [v.label for v in list_branches(Workspace(paths))] == ["fast@2", "greeting@2", "other@1"]
    assert find_image(Workspace(paths), parse_reference("greeting@1")).version == 1
    with pytest.raises(NotFound):
        find_image(Workspace(paths), parse_reference("hello"))


def test_what_was_removed_leaves_nothing_to_keep(paths: Paths) -> None:
    for number in (1, 2):
        link = layout_link(Workspace(paths), make_image("root", f"workflow:{number}").manifest_digest)
        link.parent.mkdir(exist_ok=True)
        link.symlink_to("/nix/store/nothing")
    branch(Workspace(paths), "kept", "hello@1")
    with pytest.raises(BadInput, match="1 version "):
        rm(Workspace(paths), "hello")
    rm(Workspace(paths), "hello", force=True)
    assert set(listed(paths)) == {"other@1", "kept@1"}
    assert layout_link(Workspace(paths), make_image("root", "workflow:1").manifest_digest).is_symlink()
    assert not layout_link(Workspace(paths), make_image("root", "workflow:2").manifest_digest).is_symlink()


def test_a_version_is_shown_with_its_tags_and_what_changed(paths: Paths) -> None:
    tag(Workspace(paths), "stable", "hello@2")
    shown = show(Workspace(paths), "hello@stable")
    assert (shown.version, shown.tags) == (2, ("stable",))
    assert shown.changes is not None and [c.new for c in shown.changes.nodes.parameters] == [30]
    assert shown.flake == f"git+file://{versions_repository_path(paths)}?ref=hello&rev={shown.commit}#oci"
    assert show(Workspace(paths), "hello@1").changes is None
    assert [(t.tag, t.label) for t in list_tags(Workspace(paths))] == [("stable", "hello@2")]


def test_the_newest_version_with_an_image_is_run(paths: Paths) -> None:
    record(paths, make_files("hello", with_steps(50)), "not built")
    assert find_image(Workspace(paths), parse_reference("hello")).version == 2
    with pytest.raises(NotFound, match="no image of hello@3"):
        find_image(Workspace(paths), parse_reference("hello@3"))


def test_a_checkout_built_unchanged_is_the_same_version(paths: Paths, tmp_path: Path) -> None:
    done = checkout(Workspace(paths), "hello@1", tmp_path / "work")
    assert {path.name for path in done.files} == {"workflow.json", "pycomfy.lock", "pycomfy.toml"}
    files = make_files("hello")
    for name in ("workflow.json", "pycomfy.lock"):
        assert (tmp_path / "work" / name).read_bytes() == files[name]
    assert done.local_sources == {"ComfyUI": "comfyui"}
    checkout(Workspace(paths), "hello@1", tmp_path / "work")
    (tmp_path / "work" / "workflow.json").write_text("mine")
    with pytest.raises(BadInput, match=r"workflow\.json"):
        checkout(Workspace(paths), "hello@1", tmp_path / "work")
    checkout(Workspace(paths), "hello@1", tmp_path / "work", force=True)


def _record_many(paths: Paths, worker: int, count: int) -> None:
    for number in range(count):
        record(
            paths,
            make_files("same", with_steps(worker * 100 + number)),
            f"{worker}-{number}",
            make_image(f"{worker}{number}"),
        )


def test_ten_processes_record_at_once_and_lose_no_version(tmp_path: Path) -> None:
    paths, workers, count = new_paths(tmp_path), 10, 2
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_record_many, args=(paths, worker, count)) for worker in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [p.exitcode for p in processes] == [0] * workers
    versions = log(Workspace(paths), "same")
    assert [v.version for v in versions] == list(range(workers * count, 0, -1))
    assert {v.message for v in versions} == {f"{w}-{n}" for w in range(workers) for n in range(count)}
    assert all(v.manifest_digest for v in versions)
