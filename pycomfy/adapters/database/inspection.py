"""Look at the database's file without changing it: whether it is whole, its version, and what it knows."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.database import migrations
from pycomfy.adapters.database.connection import DamagedDatabase
from pycomfy.adapters.database.copy import collect, copy_path, count_transactions, has_same_rows, number_of, read_copy
from pycomfy.adapters.database.database import Database
from pycomfy.adapters.io.sqlite_file import SqliteFile
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.operation import cancel_scope

MAX_LINES = 10
_TRIES = 3


@dataclass(frozen=True)
class DatabaseInspection:
    """`damage` is what SQLite finds wrong, at most `MAX_LINES` of it, empty for a file that is whole. `applied` are the
    migrations that it has had, `known` those of this program. `commits` are by workflow and number, "" for a version
    that was recorded without. `copy_damage` says why the copy cannot be read, "" if it can, or if there is none."""

    size: int
    damage: tuple[str, ...] = ()
    applied: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    commits: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    copy_damage: str = ""

    @property
    def is_newer(self) -> bool:
        """Whether a newer pycomfy made it."""
        return not self.is_outdated and not self.applied <= self.known

    @property
    def is_outdated(self) -> bool:
        """Whether a development version made it, before the first release."""
        return migrations.is_outdated(self.applied)


def inspect_database(path: Path) -> DatabaseInspection | None:
    """Read the whole file, and compare it with its copy; return None if there is neither. Raises `OSError`."""
    for remaining in reversed(range(_TRIES)):
        before = _fingerprint(path)
        if before is None:
            return None
        found = _inspect(path, max(before[0][1], 0))
        # Somebody may have written meanwhile: what was read was then neither the old nor the new.
        if not found.damage or before == _fingerprint(path) or not remaining:
            return found
    raise AssertionError("the last try returns")


def _inspect(path: Path, size: int) -> DatabaseInspection:
    known = frozenset(migrations.names())
    copy, copy_damage = None, ""
    try:
        copy = read_copy(path)
    except ValueError as e:
        copy_damage = str(e)
    if not size:
        lost = ("it is missing or empty; its copy is there",) if copy or copy_damage else ()
        return DatabaseInspection(size, lost, known=known, copy_damage=copy_damage)
    try:
        with _open(path) as connection:
            lines = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({MAX_LINES})")]
            if lines != ["ok"]:
                return DatabaseInspection(size, tuple(lines), known=known, copy_damage=copy_damage)
            applied = frozenset(migrations.applied(connection))
            outdated = migrations.is_outdated(applied)
            commits = {} if outdated else _commits(connection)
            damage: tuple[str, ...] = ()
            if applied == known and copy is not None:
                damage = _compare(collect(connection), copy)
            elif applied == known and not copy_damage and count_transactions(connection) > 1:
                copy_damage = "it is missing"
            if applied == known and not damage:
                damage = _check_rows(path, connection)
            return DatabaseInspection(size, damage, applied, known, commits, copy_damage)
    except (sqlite3.DatabaseError, MemoryError, ValueError, TypeError) as e:  # a number or a text that is none
        return DatabaseInspection(size, (str(e) or type(e).__name__,), known=known, copy_damage=copy_damage)


class _Unchanged(Database):
    """A database that was opened already, and is only read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        SqliteFile.__init__(self, path, connection)


def _check_rows(path: Path, connection: sqlite3.Connection) -> tuple[str, ...]:
    try:
        _Unchanged(path, connection).check()
    except DamagedDatabase as e:
        return (e.what.removeprefix("the database is damaged: "),)
    return ()


def _compare(data: bytes, copy: bytes) -> tuple[str, ...]:
    """Return what the copy says of the database. It is older where its writer was killed, or is about to write it."""
    if number_of(copy) > number_of(data):
        return ("it lost its newest changes, which its copy has",)
    same = number_of(copy) != number_of(data) or has_same_rows(copy, data)
    return () if same else ("it differs from its copy",)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database as it lies there.

    SQLite would write beside it even to read, unless it is opened as a file that does not change; but then it does not
    read what is only in the `-wal` file. If there is one, a copy of both is opened."""
    log = path.with_name(f"{path.name}-wal")
    with contextlib.ExitStack() as stack:
        if log.exists() and log.stat().st_size:
            folder = stack.enter_context(scratch_folder())
            for file in (path, log):
                shutil.copyfile(file, Path(folder, file.name))
            connection = sqlite3.connect(Path(folder, path.name), check_same_thread=False)
        else:
            url = f"{path.absolute().as_uri()}?immutable=1"
            connection = sqlite3.connect(url, uri=True, check_same_thread=False)
        stack.callback(connection.close)
        with cancel_scope().on_cancel(connection.interrupt):
            yield connection


def _fingerprint(path: Path) -> tuple[tuple[int, int], ...] | None:
    """Return time and size of the file, and of those beside it."""
    found = []
    for file in (path, path.with_name(f"{path.name}-wal"), copy_path(path)):
        try:
            about = file.stat()
        except FileNotFoundError:
            found.append((0, -1))
        else:
            found.append((about.st_mtime_ns, about.st_size))
    return None if found[0] == found[2] == (0, -1) else tuple(found)


def _commits(connection: sqlite3.Connection) -> dict[str, dict[int, str]]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'workflow_versions'").fetchall():
        return {}
    found: dict[str, dict[int, str]] = {}
    for name, number, commit in connection.execute(
        "SELECT w.name, v.number, v.commit_id FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"
    ):
        found.setdefault(str(name), {})[int(number)] = str(commit or "")
    return found
