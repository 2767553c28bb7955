"""The catalogue on this machine: which node pack has which node types, in a SQLite file that `update` makes anew.

It is filled from ComfyUI-Manager's lists, which are fetched and never shipped: from the wheel on the Python index, and
from the newer main branch of its repository where that can be reached.
"""

import contextlib
import json
import math
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pycomfy.errors import BadInput, NotFound, PycomfyError
from pycomfy.flow.catalogue.match import Claims, rank
from pycomfy.flow.catalogue.model import Listing
from pycomfy.flow.catalogue.models import ListedModel, choose_model, parse_models
from pycomfy.flow.catalogue.parse import parse_catalogue
from pycomfy.flow.catalogue.pattern import parse_pattern
from pycomfy.flow.catalogue.place import find_place, has_words
from pycomfy.outside.files import full_disk_is_an_error
from pycomfy.outside.home import Home
from pycomfy.outside.lists import (
    DOCS,
    REPOSITORY,
    WHEEL,
    Origin,
    lists_of_repository,
    lists_of_wheel,
    read_core_types,
    read_templates,
)
from pycomfy.progress import Progress

if TYPE_CHECKING:
    from sqlite_utils import Database

LAYOUT = 1
"""Raised when the tables change; a file of another layout is made anew by the next update."""

_MOST_VARIABLES = 500

_FIX = "pycomfy catalog update"


@dataclass(frozen=True)
class Updated:
    """What an update made, from which lists. `remarks` say what could not be asked."""

    origins: tuple[Origin, ...]
    packs: int
    types: int
    remarks: tuple[str, ...] = ()


def catalogue_path(home: Home) -> Path:
    return home.data / "catalog.db"


def update_catalogue(
    home: Home, progress: Progress, *, wheel: str = WHEEL, docs: str = DOCS, repository: str = REPOSITORY
) -> Updated:
    """Fetch the Manager's lists, the newest that can be reached, and make the catalogue of them in one step.

    `wheel` and `docs` may be exact pins. Templates are asked for where the docs could be read. Raises `Unreachable` if
    neither index nor repository answers, `NotFound`, `BadInput`.
    """
    remarks: list[str] = []
    with progress.step("Update the catalogue of node packs") as task:
        try:
            lists = lists_of_repository(repository, home)
            origins, listings = _read_lists(lists, docs, home, remarks)
        except PycomfyError as e:
            remarks.append(f"the last release is taken, as the newest lists cannot be had: {e.what}")
            lists = lists_of_wheel(wheel, home)
            origins, listings = _read_lists(lists, docs, home, remarks)
        since: Mapping[str, str] = {}
        if len(origins) > 1:
            try:
                templates, since = read_templates(listings, home)
                origins = (*origins, templates)
            except PycomfyError as e:
                remarks.append(f"from which ComfyUI on there are its newest types is not known, for {e.what}")
        contents = _Contents(listings, origins, parse_models(lists[1]), since)
        _write(catalogue_path(home), contents)
        types = len({t for listing in listings for t in listing.types})
        task.note(f"{len(listings)} packs, {types} node types")
    return Updated(origins, len(listings), types, tuple(dict.fromkeys(remarks)))


def _read_lists(
    lists: tuple[Origin, Mapping[str, bytes]], docs: str, home: Home, remarks: list[str]
) -> tuple[tuple[Origin, ...], tuple[Listing, ...]]:
    origin, files = lists
    try:
        pages, core = read_core_types(docs, home)
    except PycomfyError as e:
        remarks.append(f"ComfyUI's newest node types are not known, for {docs} cannot be read: {e.what}")
        return (origin,), parse_catalogue(files)
    return (origin, pages), parse_catalogue(files, core)


# — making the file —


@dataclass(frozen=True)
class _Contents:
    """What a catalogue is made of. `since`: node type -> the oldest ComfyUI that is known to have it."""

    listings: Sequence[Listing]
    origins: Sequence[Origin]
    models: Sequence[ListedModel]
    since: Mapping[str, str]


def _write(path: Path, contents: _Contents) -> None:
    """Make the file beside, then put it in place: who reads at the same time keeps the old one."""
    from sqlite_utils import Database  # only here: importing it takes a tenth of a second

    with full_disk_is_an_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".catalog-") as folder:
            made = Path(folder, "catalog.db")
            connection = sqlite3.connect(made)
            try:
                with connection:
                    _fill(Database(connection), contents.listings, contents.origins)
                    _fill_models(connection, contents.models)
                    connection.execute("CREATE TABLE since (type TEXT PRIMARY KEY, version TEXT) WITHOUT ROWID")
                    connection.executemany("INSERT INTO since VALUES (?, ?)", contents.since.items())
                connection.execute("VACUUM")
            finally:
                connection.close()
            made.chmod(0o644)
            made.replace(path)


def _fill(db: "Database", listings: Sequence[Listing], origins: Sequence[Origin]) -> None:
    db.execute(f"PRAGMA user_version = {LAYOUT}")
    db.table("origins").insert_all(vars(origin) for origin in origins)
    db.table("packs").insert_all((_row(number, pack) for number, pack in enumerate(listings, start=1)), pk="id")
    db.table("packs").create_index(["registry_id"])
    db.execute("CREATE TABLE identities (identity TEXT PRIMARY KEY, pack INTEGER NOT NULL) WITHOUT ROWID")
    db.execute(
        "CREATE TABLE types (type TEXT, pack INTEGER, preempts INTEGER, lists INTEGER, PRIMARY KEY (type, pack))"
        " WITHOUT ROWID"
    )
    for number, pack in enumerate(listings, start=1):
        db.execute("INSERT OR REPLACE INTO identities VALUES (?, ?)", [pack.identity, number])
        db.conn.executemany("INSERT OR IGNORE INTO identities VALUES (?, ?)", [(a, number) for a in pack.aliases])
        lists, preempts = set(pack.types), set(pack.preempts)
        rows = [(t, number, t in preempts, t in lists) for t in sorted(lists | preempts)]
        db.conn.executemany("INSERT INTO types VALUES (?, ?, ?, ?)", rows)
    db.table("packs").enable_fts(["title", "author", "description", "url", "types"], tokenize="porter unicode61")


def _fill_models(connection: sqlite3.Connection, models: Sequence[ListedModel]) -> None:
    connection.execute("CREATE TABLE models (file TEXT, folder TEXT, name TEXT, url TEXT)")
    rows = [(m.file, m.folder, m.name, m.url) for m in models]
    connection.executemany("INSERT INTO models VALUES (?, ?, ?, ?)", rows)
    connection.execute("CREATE INDEX models_by_file ON models (file)")


def _row(number: int, pack: Listing) -> dict[str, object]:
    return {
        "id": number,
        "identity": pack.identity,
        "url": pack.url,
        "title": pack.title,
        "author": pack.author,
        "description": pack.description,
        "registry_id": pack.registry_id.lower() if pack.registry_id else None,
        "stars": pack.stars,
        "updated": pack.updated,
        "types": json.dumps(pack.types, ensure_ascii=False),
        "preempts": json.dumps(pack.preempts, ensure_ascii=False),
        "pattern": pack.pattern,
        "loose": pack.loose,
        "files": json.dumps(pack.files),
        "aliases": json.dumps(pack.aliases),
    }


# — reading it —


class Catalogue:
    """The catalogue, opened for reading. Use it as a context manager, in one thread.

    Raises `NotFound` if there is none yet, `BadInput` for a file that is none.
    """

    def __init__(self, home: Home) -> None:
        self.path = catalogue_path(home)
        if not self.path.is_file():
            raise NotFound("there is no catalogue of node packs yet", where=str(self.path), fix=_FIX)
        self._connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)
        self._connection.row_factory = sqlite3.Row
        self._packs: dict[int, Listing] = {}
        try:
            with self._translated():
                layout = self._all("PRAGMA user_version")[0][0]
                if layout != LAYOUT:
                    raise BadInput("the catalogue is of another pycomfy", where=str(self.path), fix=_FIX)
                self._patterns = tuple(
                    (pattern, row["id"])
                    for row in self._all("SELECT id, pattern FROM packs WHERE pattern IS NOT NULL ORDER BY id")
                    if (pattern := parse_pattern(row["pattern"])) is not None
                )
        except BaseException:
            self._connection.close()
            raise

    def origins(self) -> tuple[Origin, ...]:
        """Where its lists came from, the Manager's first."""
        with self._translated():
            rows = self._all("SELECT kind, name, url, hash, fetched_at FROM origins ORDER BY rowid")
        return tuple(Origin(**dict(row)) for row in rows)

    def claims(self, types: Iterable[str]) -> dict[str, Claims]:
        """Who says that each type is theirs; every type is in the answer."""
        wanted = list(dict.fromkeys(types))
        rows: dict[str, list[sqlite3.Row]] = {t: [] for t in wanted}
        since: dict[str, str] = {}
        with self._translated():
            dated = self._has("since")
            for part in _parts(wanted):
                marks = ",".join("?" * len(part))
                query = f"SELECT * FROM types WHERE type IN ({marks}) ORDER BY type, pack"  # noqa: S608  (only marks)
                for row in self._all(query, *part):
                    rows[row["type"]].append(row)
                if dated:
                    query = f"SELECT type, version FROM since WHERE type IN ({marks})"  # noqa: S608  (only marks)
                    since.update((row["type"], row["version"]) for row in self._all(query, *part))
            matched = {t: [pack for pattern, pack in self._patterns if pattern.matches(t)] for t in wanted}
            self._load({r["pack"] for found in rows.values() for r in found} | {p for m in matched.values() for p in m})
        return {
            t: Claims(
                owners=tuple(self._packs[r["pack"]] for r in rows[t] if r["lists"]),
                preempting=tuple(self._packs[r["pack"]] for r in rows[t] if r["preempts"]),
                patterns=tuple(self._packs[pack] for pack in matched[t]),
                since=since.get(t),
            )
            for t in wanted
        }

    def find(self, reference: str) -> Listing | None:
        """The pack that an address, `owner/name` or a registry id names."""
        place = find_place(reference)
        with self._translated():
            if place is not None:
                found = self._all("SELECT pack AS id FROM identities WHERE identity = ?", place.identity)
            else:
                found = self._all("SELECT id FROM packs WHERE registry_id = ?", reference.lower())
            if len(found) != 1:
                return None
            self._load({found[0]["id"]})
        return self._packs[found[0]["id"]]

    def search(self, text: str, limit: int = 20) -> list[Listing]:
        """Packs whose title, author, description, address or types have all the words; those that list a type of that
        very name first, then the best known of those that fit well.

        `helper` finds VideoHelperSuite too, which is one word to the full-text index.
        """
        words = [f'"{word}"*' for word in text.replace('"', " ").split()[:20]]
        if not words:
            return []
        with self._translated():
            exact = self._all("SELECT pack AS id FROM types WHERE type = ? AND lists ORDER BY pack", text.strip())
            found = self._all(
                # A word of the title weighs more than one among a thousand types.
                "SELECT rowid AS id, bm25(packs_fts, 10.0, 5.0, 2.0, 5.0, 1.0) AS rank FROM packs_fts"
                " WHERE packs_fts MATCH ? ORDER BY rank, rowid LIMIT 200",
                " ".join(words),
            )
            names = self._all("SELECT id, title || ' ' || url AS name FROM packs ORDER BY id")
            named = [row["id"] for row in names if has_words(row["name"], text.split())]
            self._load({*(row["id"] for row in (*exact, *found)), *named})
        fits = {row["id"]: float(row["rank"]) for row in found}
        fits |= dict.fromkeys(named, min(fits.values(), default=0.0))
        packs = {number: self._packs[number] for number in fits}
        fit = {number: fits[number] - math.log1p(pack.stars or 0) / 5 for number, pack in packs.items()}
        best = [
            *rank([self._packs[row["id"]] for row in exact]),
            *(packs[i] for i in sorted(packs, key=fit.__getitem__)),
        ]
        return list({pack.identity: pack for pack in best}.values())[:limit]

    def find_model(self, folder: str, name: str) -> str | None:
        """Where the model `name` of that folder can be fetched, if the list has one alone that is meant."""
        with self._translated():
            if not self._has("models"):
                return None
            rows = self._all("SELECT folder, name, url FROM models WHERE file = ?", name.rsplit("/", 1)[-1].lower())
        return choose_model([ListedModel(**dict(row)) for row in rows], folder, name)

    def _has(self, table: str) -> bool:
        """Whether there is the table: a catalogue that was made before it came lacks it."""
        return bool(self._all("SELECT 1 FROM sqlite_master WHERE name = ?", table))

    def _load(self, ids: set[int]) -> None:
        for part in _parts(sorted(ids - self._packs.keys())):
            marks = ",".join("?" * len(part))
            for row in self._all(f"SELECT * FROM packs WHERE id IN ({marks})", *part):  # noqa: S608  (only marks)
                self._packs[row["id"]] = _listing(row)

    def _all(self, query: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, ValueError, LookupError, TypeError) as e:
            raise BadInput(f"the catalogue cannot be read: {e}", where=str(self.path), fix=_FIX) from e

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _MOST_VARIABLES):
        yield items[start : start + _MOST_VARIABLES]


def _listing(row: sqlite3.Row) -> Listing:
    values: dict[str, Any] = {key: row[key] for key in row.keys() if key != "id"}  # noqa: SIM118  (a Row's own)
    for key in ("types", "preempts", "files", "aliases"):
        values[key] = tuple(json.loads(values[key]))
    return Listing(**{**values, "loose": bool(values["loose"])})
