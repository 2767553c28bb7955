import os
import sqlite3
from pathlib import Path

import pytest

from pycomfy.adapters.database.database import Database
from pycomfy.adapters.database.inspection import DatabaseInspection, inspect_database
from tests.support.database_entries import entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with three versions, closed, in a folder of its own."""
    folder = tmp_path / "data"
    with Database(folder / "pycomfy.db") as database:
        database.index([], [entry(1), entry(2), entry(3, "other")])
    return folder / "pycomfy.db"


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def inspect(path: Path) -> DatabaseInspection:
    before = files(path.parent)
    found = inspect_database(path)
    assert files(path.parent) == before and found is not None
    return found


def test_a_whole_one_is_read_and_not_touched(path: Path) -> None:
    found = inspect(path)
    assert found.damage == () and found.applied == found.known and not found.is_newer
    assert {name: sorted(rows) for name, rows in found.commits.items()} == {"hello": [1, 2], "other": [3]}
    assert found.size == path.stat().st_size


def test_none_is_none_and_is_not_made(tmp_path: Path) -> None:
    assert inspect_database(tmp_path / "pycomfy.db") is None and list(tmp_path.iterdir()) == []


def test_what_a_sudden_end_left_in_the_log_is_read_too(path: Path) -> None:
    with Database(path) as database:
        database.index([], [entry(4, "late")])
        kept = files(path.parent)
    for name in list(files(path.parent)):
        (path.parent / name).unlink()
    for name, (data, _) in kept.items():
        (path.parent / name).write_bytes(data)
    assert len(kept["pycomfy.db-wal"][0]) > 0
    assert "late" in inspect(path).commits


def test_one_that_is_in_use_is_read_beside(path: Path) -> None:
    with Database(path) as database:
        database.index([], [entry(4, "late")])
        with database.writing():
            assert "late" in inspect(path).commits


def test_damage_is_found(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:12288] = os.urandom(8192)
    path.write_bytes(data)
    assert 1 <= len(inspect(path).damage) <= 10


@pytest.mark.parametrize("data", [b"", b"not a database" * 500, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_what_is_no_database_is_damaged_or_empty(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data" / "pycomfy.db"
    path.parent.mkdir()
    path.write_bytes(data)
    found = inspect(path)
    assert bool(found.damage) == bool(data) and found.commits == {}


def test_one_of_a_newer_pycomfy_is_known_by_its_migrations(path: Path) -> None:
    connection = sqlite3.connect(path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(_sqlite_migrations)")]
    assert {"name", "migration_set"} <= set(columns)
    connection.execute("UPDATE _sqlite_migrations SET name = 'm999_tomorrow' WHERE name LIKE 'm001%'")
    connection.commit()
    connection.close()
    found = inspect(path)
    assert found.is_newer and "m999_tomorrow" in found.applied
