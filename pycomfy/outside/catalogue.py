"""The catalogue on this machine: which node pack has which node types, in a SQLite file that `update` makes anew.

It is filled from ComfyUI-Manager's lists, which are fetched and never shipped: from the wheel on the Python index, and
from the newer main branch of its repository where that can be reached.
"""

import contextlib
import json
import math
import re
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlite_utils import Database

from pycomfy.errors import BadInput, NotFound, PycomfyError
from pycomfy.flow.catalogue.match import Claims, rank
from pycomfy.flow.catalogue.model import Listing
from pycomfy.flow.catalogue.models import MODELS, ListedModel, choose_model, parse_models
from pycomfy.flow.catalogue.parse import LIST, MAP, MOST_BYTES, STATS, parse_catalogue
from pycomfy.flow.catalogue.pattern import parse_pattern
from pycomfy.flow.catalogue.place import find_place
from pycomfy.flow.lock.address import without_password
from pycomfy.flow.lock.wheels import Target
from pycomfy.outside import download
from pycomfy.outside.files import full_disk_is_an_error
from pycomfy.outside.git import Repository
from pycomfy.outside.gittree import list_entries
from pycomfy.outside.home import Home
from pycomfy.outside.uv import pin_wheel
from pycomfy.progress import Progress

WHEEL = "comfyui-manager"
FOLDER = "comfyui_manager"
_DOCS_FOLDER = "comfyui_embedded_docs/docs"
DOCS = "comfyui-embedded-docs"
"""The help pages that ComfyUI ships: they name its own node types, newer ones than the Manager's map knows."""
REPOSITORY = "https://github.com/Comfy-Org/ComfyUI-Manager"
FILES = (MAP, LIST, STATS)

LAYOUT = 1
"""Raised when the tables change; a file of another layout is made anew by the next update."""

_MOST_VARIABLES = 500

_FIX = "pycomfy catalog update"


@dataclass(frozen=True)
class Origin:
    """Where the lists came from: a wheel (`hash` is its SHA-256), or a repository (`hash` is the commit)."""

    kind: str
    name: str
    url: str
    hash: str
    fetched_at: str


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

    `wheel` and `docs` may be exact pins. Raises `Unreachable` if neither index nor repository answers, `NotFound`,
    `BadInput`.
    """
    remarks: list[str] = []
    with progress.step("Update the catalogue of node packs") as task:
        try:
            lists = _from_repository(repository, home)
            origins, listings = _read_lists(lists, docs, home, remarks)
        except PycomfyError as e:
            remarks.append(f"{repository} cannot be used, so its last release is: {e.what}")
            lists = _from_wheel(wheel, home)
            origins, listings = _read_lists(lists, docs, home, remarks)
        _write(catalogue_path(home), listings, origins, parse_models(lists[1]))
        types = len({t for listing in listings for t in listing.types})
        task.note(f"{len(listings)} packs, {types} node types")
    return Updated(origins, len(listings), types, tuple(dict.fromkeys(remarks)))


def _read_lists(
    lists: tuple[Origin, Mapping[str, bytes]], docs: str, home: Home, remarks: list[str]
) -> tuple[tuple[Origin, ...], tuple[Listing, ...]]:
    origin, files = lists
    try:
        pages, core = _core_types(docs, home)
    except PycomfyError as e:
        remarks.append(f"ComfyUI's newest node types are not known, for {docs} cannot be read: {e.what}")
        return (origin,), parse_catalogue(files)
    return (origin, pages), parse_catalogue(files, core)


def _from_wheel(pin: str, home: Home) -> tuple[Origin, Mapping[str, bytes]]:
    files: dict[str, bytes] = {}
    with _open_wheel(pin, home) as (origin, archive):
        for name in FILES:
            if archive.getinfo(f"{FOLDER}/{name}").file_size > MOST_BYTES:
                raise BadInput(f"{name} is larger than {MOST_BYTES >> 20} MiB", where=origin.name, fix=_FIX)
            files[name] = archive.read(f"{FOLDER}/{name}")
        models = f"{FOLDER}/{MODELS}"
        if models in archive.namelist() and archive.getinfo(models).file_size <= MOST_BYTES:
            files[MODELS] = archive.read(models)
    return origin, files


def _core_types(pin: str, home: Home) -> tuple[Origin, frozenset[str]]:
    """The types that have a help page: `docs/TYPE/en.md`, formerly `docs/TYPE.md`."""
    with _open_wheel(pin, home) as (origin, archive):
        pages = [re.fullmatch(rf"{_DOCS_FOLDER}/([^/]+)/[^/]+\.md", name) for name in archive.namelist()]
    return origin, frozenset(page[1] for page in pages if page is not None)


@contextlib.contextmanager
def _open_wheel(pin: str, home: Home) -> Iterator[tuple[Origin, zipfile.ZipFile]]:
    wheel, _ = pin_wheel(pin, Target("linux/amd64", "3.11"), home.cache)
    path = download.fetch(wheel.url, wheel.sha256, name=wheel.filename, size=wheel.size or None, cache=home.cache)
    try:
        with zipfile.ZipFile(path) as archive:
            yield Origin("wheel", wheel.filename, without_password(wheel.url), wheel.sha256, _now()), archive
    except KeyError as e:
        raise NotFound(f"the wheel lacks a file: {e.args[0]}", where=wheel.filename, fix="name another version") from e
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as e:
        raise BadInput(f"not a wheel: {e}", where=wheel.filename, fix="name another version") from e


def _from_repository(url: str, home: Home) -> tuple[Origin, Mapping[str, bytes]]:
    repository = Repository(url, owner="ComfyUI-Manager", cache=home.cache / "git")
    commit = repository.resolve()
    entries = {e.path: e for e in list_entries(repository, commit) if e.is_file and e.size <= MOST_BYTES}
    files: dict[str, bytes] = {}
    with repository.objects() as objects:
        for name in (*FILES, MODELS):
            found = entries.get(name) or entries.get(f"{FOLDER}/{name}")
            if found is not None:
                files[name] = objects.read(found.object)
    if MAP not in files:
        raise NotFound(f"it has no file {MAP}", where=url, fix="name another repository")
    return Origin("git", "ComfyUI-Manager", repository.address.public, commit, _now()), files


# — making the file —


def _write(path: Path, listings: Sequence[Listing], origins: Sequence[Origin], models: Sequence[ListedModel]) -> None:
    """Make the file beside, then put it in place: who reads at the same time keeps the old one."""
    with full_disk_is_an_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".catalog-") as folder:
            made = Path(folder, "catalog.db")
            connection = sqlite3.connect(made)
            try:
                with connection:
                    _fill(Database(connection), listings, origins)
                    _fill_models(connection, models)
                connection.execute("VACUUM")
            finally:
                connection.close()
            made.chmod(0o644)
            made.replace(path)


def _fill(db: Database, listings: Sequence[Listing], origins: Sequence[Origin]) -> None:
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


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


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
        with self._translated():
            for part in _parts(wanted):
                marks = ",".join("?" * len(part))
                query = f"SELECT * FROM types WHERE type IN ({marks}) ORDER BY type, pack"  # noqa: S608  (only marks)
                for row in self._all(query, *part):
                    rows[row["type"]].append(row)
            matched = {t: [pack for pattern, pack in self._patterns if pattern.matches(t)] for t in wanted}
            self._load({r["pack"] for found in rows.values() for r in found} | {p for m in matched.values() for p in m})
        return {
            t: Claims(
                owners=tuple(self._packs[r["pack"]] for r in rows[t] if r["lists"]),
                preempting=tuple(self._packs[r["pack"]] for r in rows[t] if r["preempts"]),
                patterns=tuple(self._packs[pack] for pack in matched[t]),
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
        very name first, then the best known of those that fit well."""
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
            self._load({row["id"] for row in (*exact, *found)})
        packs = {row["id"]: self._packs[row["id"]] for row in found}
        fit = {row["id"]: row["rank"] - math.log1p(packs[row["id"]].stars or 0) / 5 for row in found}
        best = [
            *rank([self._packs[row["id"]] for row in exact]),
            *(packs[i] for i in sorted(packs, key=fit.__getitem__)),
        ]
        return list({pack.identity: pack for pack in best}.values())[:limit]

    def find_model(self, folder: str, name: str) -> str | None:
        """Where the model `name` of that folder can be fetched, if the list has one alone that is meant."""
        with self._translated():
            # A catalogue from before models were listed has no such table.
            if not self._all("SELECT 1 FROM sqlite_master WHERE name = 'models'"):
                return None
            rows = self._all("SELECT folder, name, url FROM models WHERE file = ?", name.rsplit("/", 1)[-1].lower())
        return choose_model([ListedModel(**dict(row)) for row in rows], folder, name)

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
