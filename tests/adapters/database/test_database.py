import json
import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.database import migrations
from pycomfy.adapters.database.connection import DamagedDatabase, OutdatedDatabase
from pycomfy.adapters.database.database import Database
from pycomfy.adapters.database.entries import IndexedImage, Run, VersionEntry
from pycomfy.errors import BadInput, NotFound
from tests.support.database_entries import TREE, build, built, entry, make_outdated

NOW = datetime(2026, 2, 3, 10, 30, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
def database(tmp_path: Path) -> Any:
    with Database(tmp_path / "data" / "pycomfy.db") as made:
        yield made


def rows(database: Database, sql: str) -> list[dict[str, Any]]:
    with sqlite3.connect(database.path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def test_versions_are_listed_newest_first_with_what_changed(database: Database) -> None:
    first = entry(1)
    database.index([], [first, entry(1, "b"), entry(2, parent=first.commit, changes=("node 3: a", "b"))])
    database.record_build(build(2))
    assert [(v.name, v.version) for v in database.versions()] == [("hello", 2), ("b", 1), ("hello", 1)]
    assert database.names() == ["b", "hello"]
    newest = database.versions("hello")[0]
    assert (newest.parent, newest.summary, newest.message) == (first.commit, ("node 3: a", "b"), "no. 2")
    assert (newest.comfyui_version, newest.size, newest.created_by) == ("0.3.75", 8_000_000_000, "A <a@x>")
    assert newest.manifest_digest == "sha256:" + "1" * 64
    assert database.versions("hello")[1].manifest_digest is None


def test_a_version_that_a_wrong_clock_dated_before_its_parent_is_the_newest_of_its_workflow(database: Database) -> None:
    database.index([], [entry(1), entry(2), entry(3, created_at="2020-01-01T00:00:00Z")])
    assert [v.version for v in database.versions("hello")] == [3, 2, 1]
    assert [(v.version, v.versions) for v in database.newest()] == [(3, 3)]


def test_a_build_for_another_platform_does_not_change_a_versions_digest(database: Database) -> None:
    database.index([], [entry(1)])
    database.record_build(build(1))
    database.record_build(build(1, digit="2", platform="linux/arm64"))
    assert database.versions()[0].manifest_digest == "sha256:" + "1" * 64
    database.record_build(build(1, digit="3"))
    assert database.versions()[0].manifest_digest == "sha256:" + "3" * 64


def test_the_newest_of_each_workflow_is_the_first_that_is_listed_of_it(database: Database) -> None:
    assert database.newest() == []
    same = (entry(3, project="hello 1"), entry(1, "other", "hello 1"), entry(1, "unbuilt", "nothing"))
    database.index([], [entry(1), entry(2), *same])
    for platform, digit in (("linux/amd64", "1"), ("linux/arm64", "2")):
        database.record_build(build(1, digit=digit, platform=platform))
    for found in (database.newest(), database.newest("other"), database.newest("nobody")):
        for newest in found:
            listed = database.versions(newest.name)
            first, count = vars(listed[0]), len(listed)
            assert vars(newest) == {**first, "versions": count}
    assert {v.name: v.manifest_digest is not None for v in database.newest()} == {
        "hello": True,
        "other": True,
        "unbuilt": False,
    }
    assert [v.name for v in database.newest("other")] == ["other"]


def test_the_image_found_is_the_one_built_last(database: Database) -> None:
    database.index([], [entry(1), entry(2)])
    assert database.find_image("hello") is None
    database.record_build(build(1))
    database.record_build(build(1, digit="2"))
    database.record_build(build(1, layout="/nix/store/y", built_at="2026-02-02T10:00:00Z"))
    found = database.find_image("hello")
    assert found is not None
    assert (found.manifest_digest[-1], found.layout, found.version) == ("1", Path("/nix/store/y"), 1)
    assert database.find_image("hello", 2) is None
    assert database.find_image("hello", 1, "linux/arm64") is None
    database.record_build(build(2, platform="linux/arm64"))
    assert database.find_image("hello") == database.find_image("hello", 2, "linux/arm64")
    assert database.find_image("hello", platform="linux/amd64") == found


def test_versions_with_the_same_tree_have_the_same_images(database: Database) -> None:
    database.index([], [entry(1), entry(2), entry(3, project="hello 1"), entry(1, "other", "hello 1")])
    database.record_build(build(1, proven=True))
    for name, number in (("hello", 3), ("other", 1)):
        found = database.find_image(name, number)
        assert found is not None and (found.name, found.version) == (name, number)
    assert database.find_image("hello", 2) is None
    digests = {(v.name, v.version): v.manifest_digest is not None for v in database.versions()}
    assert digests == {("hello", 1): True, ("hello", 2): False, ("hello", 3): True, ("other", 1): True}
    assert rows(database, "SELECT count(*) AS n FROM custom_nodes WHERE verified_compatible") == [{"n": 6}]


def test_a_branch_that_moved_takes_its_images_along(database: Database) -> None:
    """Renaming a workflow is: its versions are gone, and others with the same trees are there."""
    database.index([], [entry(1), entry(2)])
    database.record_build(build(1))
    image = database.find_image("hello")
    assert image is not None
    database.record_run(image, Run(NOW, "podman", None, 1.0))
    database.index([("hello", 1), ("hello", 2)], [entry(1, "new", "hello 1"), entry(2, "new", "hello 2")])
    assert database.names() == ["new"]
    assert [(r.name, r.version) for r in database.runs()] == [("new", 1)]
    assert rows(
        database,
        "SELECT w.name FROM builds b JOIN workflow_versions v ON v.id = b.version_id"
        " JOIN workflows w ON w.id = v.workflow_id",
    ) == [{"name": "new"}]


def test_a_number_gets_another_commit(database: Database) -> None:
    database.index([], [entry(1), entry(2, project="mine")])
    database.record_build(build(2))
    database.index([("hello", 2)], [entry(2, project="theirs"), entry(3, project="mine")])
    found = database.find_image("hello")
    assert found is not None and found.version == 3
    assert database.commits()["hello"] == {
        1: entry(1).commit,
        2: entry(2, project="theirs").commit,
        3: entry(3, project="mine").commit,
    }


def test_the_last_version_with_a_tree_takes_its_images_away(database: Database) -> None:
    database.index([], [entry(1), entry(1, "other")])
    database.record_build(build(1))
    database.index([("hello", 1)], [])
    for table in ("container_images", "builds"):
        assert rows(database, f"SELECT count(*) AS n FROM {table}") == [{"n": 0}]
    assert database.names() == ["other"]


def test_an_image_of_the_repository_is_recorded_once(database: Database) -> None:
    image = IndexedImage(entry(1).tree, built(proven=True, requirements={"painter": ("pillow>=10",)}), "/there")
    database.index([], [entry(1)], [image])
    database.index([], [], [image])
    database.record_build(build(1, "hello", "/here"))
    assert rows(database, "SELECT log FROM builds") == [{"log": "/logs/1"}]
    assert rows(database, "SELECT layout, build_logs FROM container_images") == [
        {"layout": "/here", "build_logs": "/logs/1"}
    ]
    assert database.image_keys() == {(entry(1).tree, "linux/amd64", "sha256:" + "1" * 64)}


def test_a_version_has_its_node_packs_its_api_and_every_source(database: Database) -> None:
    image = IndexedImage(entry(1).tree, built(proven=True, requirements={"painter": ("pillow>=10",)}), "/there")
    database.index([], [entry(1, inputs_schema='{"type": "object"}')], [image])
    own, painter = rows(database, "SELECT * FROM custom_nodes ORDER BY name")
    assert (painter["repository_url"], painter["commit_hash"]) == ("https://x.test/p.git", "d" * 40)
    assert json.loads(painter["node_mappings"]) == ["Draw", "Paint"]
    assert json.loads(painter["python_dependencies"]) == ["pillow>=10"]
    assert painter["verified_compatible"] == 1
    assert (own["commit_hash"], own["source_hash"]) == (None, TREE)
    (api,) = rows(database, "SELECT method, path, schema FROM api_endpoints")
    assert (api["method"], api["path"], json.loads(api["schema"])["type"]) == ("POST", "/v1/jobs", "object")
    listed = rows(database, "SELECT role, name, url, platform FROM sources JOIN version_sources ON id = source_id")
    assert sorted((r["role"], r["platform"]) for r in listed) == [
        ("comfyui", "any"),
        ("debian", "linux/amd64"),
        ("debian", "linux/arm64"),
        ("pack", "any"),
        ("pack", "any"),
        ("wheel", "linux/amd64"),
    ]
    assert {r["url"] for r in listed if r["role"] == "debian"} == {"https://x.test/debian/pool/tini.deb"}


def test_versions_share_their_sources(database: Database) -> None:
    database.index([], [entry(number) for number in range(1, 6)])
    assert rows(database, "SELECT count(*) AS n FROM sources") == [{"n": 5}]
    assert rows(database, "SELECT count(*) AS n FROM version_sources") == [{"n": 30}]
    database.index([("hello", n) for n in range(1, 6)], [])
    assert rows(database, "SELECT count(*) AS n FROM sources") == [{"n": 0}]


def test_runs_are_kept_with_their_outputs_or_their_error(database: Database) -> None:
    database.index([], [entry(1)])
    database.record_build(build())
    found = database.find_image("hello")
    assert found is not None
    good = Run(
        NOW,
        "podman",
        "all",
        1.5,
        ({"path": "a.png", "size": 3, "sha256": "0" * 64},),
        inputs={"title": "grün", "seed": 1 << 63},
    )
    bad = Run(NOW, "docker", None, 0.5, error="no memory")
    for one in (good, bad):
        database.record_run(found, one)
    listed = database.runs("hello")
    assert [(r.name, r.version, r.started_at) for r in listed] == [("hello", 1, "2026-02-03T09:30:00Z")] * 2
    for record, one in zip(listed, (bad, good), strict=True):
        assert (record.engine, record.gpus, record.seconds) == (one.engine, one.gpus, one.seconds)
        assert (tuple(map(asdict, record.outputs)), record.error, record.inputs) == (one.outputs, one.error, one.inputs)
    assert database.runs("other") == []


WRONG_CELLS: dict[str, dict[str, object]] = {
    "runs": {"outputs": "{", "inputs": "[1]", "input_files": '{"a": 1}', "node_values": "[" * 5000, "seconds": 9e999},
    "workflow_versions": {"changes": "[1]", "number": "first", "created_at": b"\xff", "tree_id": b"\xff"},
    "container_images": {"diff_ids": "x", "platform": "amiga", "size_bytes": "large", "description": "[]"},
    "workflows": {"name": b"\xff"},
}


@pytest.mark.parametrize(("table", "column"), [(t, c) for t, columns in WRONG_CELLS.items() for c in columns])
def test_a_row_that_cannot_have_been_written_is_damage(database: Database, table: str, column: str) -> None:
    database.index([], [entry(1)])
    database.record_build(build())
    found = database.find_image("hello")
    assert found is not None
    database.record_run(found, Run(NOW, "podman", None, 1.5))
    database.check()
    database.change(f"UPDATE {table} SET {column} = ?", WRONG_CELLS[table][column])
    with pytest.raises(DamagedDatabase):
        database.check()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM _sqlite_migrations",
        "ALTER TABLE runs RENAME COLUMN outputs TO other",
        "ALTER TABLE runs RENAME TO other",
        "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = replace(sql, 'created_at', '\udcff')",
        "DELETE FROM workflows",
        "UPDATE runs SET outputs = CAST(x'ff' AS TEXT)",
    ],
)
def test_other_tables_than_ours_and_rows_that_refer_to_none_are_damage(database: Database, statement: str) -> None:
    database.index([], [entry(1)])
    database.record_build(build())
    found = database.find_image("hello")
    assert found is not None
    database.record_run(found, Run(NOW, "podman", None, 1.5))
    database.close()
    with closing(sqlite3.connect(database.path)) as connection:
        for one in statement.split("; "):
            connection.execute(one.encode("utf-8", "surrogateescape").decode("latin-1"))
        connection.commit()
    with pytest.raises(DamagedDatabase), Database(database.path) as opened:
        opened.check()


def test_a_failed_write_leaves_nothing_behind(database: Database) -> None:
    def entries() -> Iterator[VersionEntry]:
        yield entry(1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.index([], entries())
    with pytest.raises(sqlite3.IntegrityError):
        database.index([], [entry(1), entry(2, created_at=None)])
    assert database.versions() == []
    assert database.names() == []


def test_a_build_of_a_version_that_is_not_indexed_is_refused(database: Database) -> None:
    with pytest.raises(NotFound, match="hello@1"):
        database.record_build(build())


def test_a_second_opening_keeps_what_is_there(database: Database) -> None:
    database.index([], [entry(1)])
    with Database(database.path) as again:
        assert len(again.versions()) == 1


def test_every_migration_is_recorded_once_and_the_database_is_durable(database: Database) -> None:
    Database(database.path).close()
    names = [r["name"] for r in rows(database, "SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert names[0] == "m001_tables" and len(names) == len(set(names)) and set(names) == migrations.names()
    assert rows(database, "PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    assert rows(database, "PRAGMA foreign_key_check") == []
    assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_a_database_of_a_newer_pycomfy_is_left_alone(database: Database) -> None:
    with sqlite3.connect(database.path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('pycomfy', 'm999_later', 'now')"
        )
    with pytest.raises(BadInput, match="newer pycomfy"):
        Database(database.path)


def test_a_database_of_a_development_version_is_called_so(tmp_path: Path) -> None:
    make_outdated(tmp_path / "pycomfy.db")
    with pytest.raises(OutdatedDatabase, match="development version") as caught:
        Database(tmp_path / "pycomfy.db")
    assert "newer" not in str(caught.value) and "reindex" in str(caught.value)


def test_a_text_that_is_not_utf8_is_recorded_and_finds_nothing(database: Database) -> None:
    name = os.fsdecode(b"caf\xe9")
    database.index([], [entry(1)])
    database.record_build(build(1))
    image = database.find_image("hello")
    assert image is not None and database.versions(name) == []
    database.record_run(image, Run(NOW, "podman", name, 1.0))
    assert [run.gpus for run in database.runs()] == [r"caf\udce9"]


def test_a_path_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    with pytest.raises(BadInput, match="not UTF-8"):
        Database(folder / "pycomfy.db")
    assert not folder.exists()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(BadInput, match="damaged") as caught:
        Database(tmp_path / "x.db")
    assert caught.value.where == str(tmp_path / "x.db")


def _record_many(path: Path, worker: int, count: int) -> None:
    for number in range(1, count + 1):
        with Database(path) as database:
            name = f"w{worker}"
            database.index([], [entry(number, name)])
            database.record_build(build(number, name))
            found = database.find_image(name)
            assert found is not None
            database.record_run(found, Run(NOW, "podman", None, 1.0))


def test_ten_processes_record_at_once_and_lose_nothing(tmp_path: Path) -> None:
    path, workers, count = tmp_path / "new" / "pycomfy.db", 10, 8
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_record_many, args=(path, worker, count)) for worker in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [p.exitcode for p in processes] == [0] * workers
    with Database(path) as database:
        assert len(database.names()) == workers
        assert [v.version for v in database.versions("w3")] == list(range(count, 0, -1))
        assert len(database.runs()) == workers * count
