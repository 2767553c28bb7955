import json
import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pycomfy.errors import BadInput
from pycomfy.flow.lock.model import (
    ComfyUI,
    DebianPackage,
    GitSource,
    Lock,
    Pack,
    PathSource,
    Platform,
    Root,
    Wheel,
    WheelTreeSource,
    WorkflowPin,
)
from pycomfy.outside.engine import LayoutImage
from pycomfy.outside.store import Build, Run, Store

TREE = "sha256-" + "A" * 43 + "="


def lock(name: str = "hello", as_of: str = "2025-12-05T00:00:00Z") -> Lock:
    wheel = Wheel(name="torch", version="2", filename="torch-2.whl", url="https://x.test/t", sha256="b" * 64, size=9)
    deb = DebianPackage(name="tini", version="1", archive=0, path="pool/tini.deb", sha256="c" * 64, size=8)
    root = Root(suite="bookworm", archives=("https://x.test/debian/",), packages=(deb,), tree=TREE)
    comfyui = WheelTreeSource(url="https://x.test/c", sha256="a" * 64, name="c.whl", size=7, folder="c")
    git = GitSource(url="https://x.test/p.git", commit="d" * 40, tree=TREE)
    return Lock(
        name=name,
        as_of=as_of,
        workflow=WorkflowPin(sha256="e" * 64),
        comfyui=ComfyUI(version="0.3.75", source=comfyui),
        packs=(
            Pack(name="painter", source=git, types=("Paint", "Draw")),
            Pack(name="own", source=PathSource(path="own", tree=TREE)),
        ),
        platforms={"linux/amd64": Platform(root=root, wheels=(wheel,)), "linux/arm64": Platform(root=root, wheels=())},
    )


def image(digit: str = "1", layout: str = "/nix/store/x") -> LayoutImage:
    digests = [f"sha256:{digit * 64}"] * 3
    return LayoutImage(Path(layout), digests[0], digests[1], (digests[2],), (digests[2],), "linux/amd64", 8_000_000_000)


def build(project: str = "p1", name: str = "hello", digit: str = "1", as_of: str = "2025-12-05T00:00:00Z") -> Build:
    return Build(lock(name, as_of), project, "linux/amd64", image(digit), Path("/logs/1"), 4.5, 3, 20)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "data" / "pycomfy.db") as made:
        yield made


def rows(store: Store, sql: str) -> list[dict[str, Any]]:
    with sqlite3.connect(store.path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def test_an_unchanged_lock_and_project_make_no_new_version(store: Store) -> None:
    records = [
        store.record_build(build("p1")),
        store.record_build(build("p1")),
        store.record_build(build("p2")),
        store.record_build(build("p2", as_of="2025-12-06T00:00:00Z")),
        store.record_build(build("p1")),
    ]
    assert [(r.version, r.new) for r in records] == [(1, True), (1, False), (2, True), (3, True), (4, True)]
    assert [v.version for v in store.versions("hello")] == [4, 3, 2, 1]


def test_versions_are_counted_for_each_workflow_and_listed_newest_first(store: Store) -> None:
    for name in ("b", "a", "b"):
        store.record_build(build(f"of {name} {len(store.versions())}", name))
    assert [(v.name, v.version) for v in store.versions()] == [("b", 2), ("a", 1), ("b", 1)]
    assert store.names() == ["a", "b"]
    newest = store.versions("b")[0]
    assert (newest.comfyui_version, newest.size, newest.commit) == ("0.3.75", 8_000_000_000, None)
    assert newest.manifest_digest == "sha256:" + "1" * 64


def test_the_image_found_is_the_one_built_last(store: Store) -> None:
    assert store.find_image("hello") is None
    store.record_build(build("p1", digit="1"))
    store.record_build(build("p1", digit="2"))
    store.record_build(replace(build("p1"), image=image("1", "/nix/store/y")))
    found = store.find_image("hello")
    assert found is not None
    assert (found.manifest_digest[-1], found.layout, found.version) == ("1", Path("/nix/store/y"), 1)
    assert store.find_image("hello", 2) is None
    assert store.find_image("hello", 1, "linux/arm64") is None
    store.record_build(replace(build("p2"), platform="linux/arm64"))
    assert store.find_image("hello") == store.find_image("hello", 2, "linux/arm64")
    assert store.find_image("hello", platform="linux/amd64") == found


def test_a_version_has_its_node_packs_and_every_source(store: Store) -> None:
    store.record_build(replace(build(), proven=True, requirements={"painter": ("pillow>=10",)}))
    own, painter = rows(store, "SELECT * FROM custom_nodes ORDER BY name")
    assert (painter["repository_url"], painter["commit_hash"]) == ("https://x.test/p.git", "d" * 40)
    assert json.loads(painter["node_mappings"]) == ["Draw", "Paint"]
    assert json.loads(painter["python_dependencies"]) == ["pillow>=10"]
    assert painter["verified_compatible"] == 1
    assert (own["commit_hash"], own["source_hash"]) == (None, TREE)
    listed = rows(store, "SELECT role, name, url, platform FROM sources JOIN version_sources ON id = source_id")
    assert sorted((r["role"], r["platform"]) for r in listed) == [
        ("comfyui", "any"),
        ("debian", "linux/amd64"),
        ("debian", "linux/arm64"),
        ("pack", "any"),
        ("pack", "any"),
        ("wheel", "linux/amd64"),
    ]
    assert {r["url"] for r in listed if r["role"] == "debian"} == {"https://x.test/debian/pool/tini.deb"}


def test_versions_share_their_sources(store: Store) -> None:
    for number in range(5):
        store.record_build(build(f"p{number}"))
    assert rows(store, "SELECT count(*) AS n FROM sources") == [{"n": 5}]
    assert rows(store, "SELECT count(*) AS n FROM version_sources") == [{"n": 30}]


def test_runs_are_kept_with_their_outputs_or_their_error(store: Store) -> None:
    store.record_build(build())
    found = store.find_image("hello")
    assert found is not None
    good = Run("podman", "all", 1.5, ({"path": "a.png", "size": 3},))
    bad = Run("docker", None, 0.5, error="no memory")
    for one in (good, bad):
        store.record_run(found, one)
    assert [(r.name, r.version, r.run) for r in store.runs("hello")] == [("hello", 1, bad), ("hello", 1, good)]
    assert store.runs("other") == []


def test_a_failed_write_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.record_build(replace(build(), message=None, seconds=None))  # type: ignore[arg-type]
    assert store.versions() == []
    assert store.names() == []
    assert store.record_build(build()).version == 1


def test_a_second_opening_keeps_what_is_there(store: Store) -> None:
    store.record_build(build())
    with Store(store.path) as again:
        assert len(again.versions()) == 1


def test_every_migration_is_recorded_once_and_the_database_is_durable(store: Store) -> None:
    Store(store.path).close()
    names = [r["name"] for r in rows(store, "SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert len(names) == len(set(names)) >= 3
    assert rows(store, "PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    assert rows(store, "PRAGMA foreign_key_check") == []
    assert rows(store, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_a_record_of_a_newer_pycomfy_is_left_alone(store: Store) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('pycomfy', 'm999_later', 'now')"
        )
    with pytest.raises(BadInput, match="newer pycomfy"):
        Store(store.path)


def test_a_file_that_is_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(BadInput, match="damaged") as caught:
        Store(tmp_path / "x.db")
    assert caught.value.where == str(tmp_path / "x.db")


def _record_many(path: Path, worker: int, count: int) -> None:
    for number in range(count):
        with Store(path) as store:
            store.record_build(build(f"{worker}-{number}"))
            found = store.find_image("hello")
            assert found is not None
            store.record_run(found, Run("podman", None, 1.0))


def test_ten_processes_record_at_once_and_lose_nothing(tmp_path: Path) -> None:
    path, workers, count = tmp_path / "new" / "pycomfy.db", 10, 8
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_record_many, args=(path, worker, count)) for worker in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [p.exitcode for p in processes] == [0] * workers
    with Store(path) as store:
        assert [v.version for v in store.versions("hello")] == list(range(workers * count, 0, -1))
        assert len(store.runs()) == workers * count
