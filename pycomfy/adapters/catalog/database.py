"""The catalog on this machine: which node pack has which node types, in a SQLite file that `update` replaces."""

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.sqlite_file import SqliteFile
from pycomfy.core.catalog.match import Claims, rank
from pycomfy.core.catalog.model import Listing
from pycomfy.core.catalog.name_patterns import parse_pattern
from pycomfy.core.catalog.repository_url import has_words, parse_repository_url
from pycomfy.core.models.manager_list import ListedModel, choose_model
from pycomfy.errors import BadInput, NotFound, suggest

LAYOUT = 1
"""Raised when the tables change; the next update replaces a file of another layout."""

_MAX_VARIABLES = 500

_FIX = suggest("catalog update")


@dataclass(frozen=True)
class Origin:
    """Where the lists are from: a wheel (`hash` is its SHA-256), or a repository (`hash` is the commit)."""

    kind: str
    name: str
    url: str
    hash: str
    fetched_at: str


def catalog_path(paths: Paths) -> Path:
    """Return the catalog's file, which need not exist."""
    return paths.data / "catalog.db"


class Catalog(SqliteFile):
    """The catalog, opened for reading. Use it as a context manager, in one thread.

    Raises `NotFound` if there is none yet, `BadInput` for a damaged one, or one of another layout.
    """

    def __init__(self, paths: Paths) -> None:
        path = catalog_path(paths)
        if not path.is_file():
            raise NotFound("there is no catalog of node packs yet", where=str(path), fix=_FIX)
        super().__init__(path, sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))
        self._packs: dict[int, Listing] = {}
        try:
            with self._translated():
                layout = self._all("PRAGMA user_version")[0][0]
                if layout != LAYOUT:
                    raise BadInput("the catalog was made by another version of pycomfy", where=str(self.path), fix=_FIX)
                self._patterns = tuple(
                    (pattern, row["id"])
                    for row in self._all("SELECT id, pattern FROM packs WHERE pattern IS NOT NULL ORDER BY id")
                    if (pattern := parse_pattern(row["pattern"])) is not None
                )
        except BaseException:
            self.close()
            raise

    def origins(self) -> tuple[Origin, ...]:
        """Return where its lists are from, the Manager's first."""
        with self._translated():
            rows = self._all("SELECT kind, name, url, hash, fetched_at FROM origins ORDER BY rowid")
        return tuple(Origin(**dict(row)) for row in rows)

    def claims(self, types: Iterable[str]) -> dict[str, Claims]:
        """Return which packs claim each type; every type is in the result."""
        names = list(dict.fromkeys(types))
        rows: dict[str, list[sqlite3.Row]] = {t: [] for t in names}
        since: dict[str, str] = {}
        with self._translated():
            dated = self._has("since")
            for part in _parts(names):
                marks = ",".join("?" * len(part))
                query = f"SELECT * FROM types WHERE type IN ({marks}) ORDER BY type, pack"  # noqa: S608  (only marks)
                for row in self._all(query, *part):
                    rows[row["type"]].append(row)
                if dated:
                    query = f"SELECT type, version FROM since WHERE type IN ({marks})"  # noqa: S608  (only marks)
                    since.update((row["type"], row["version"]) for row in self._all(query, *part))
            matched = {t: [pack for pattern, pack in self._patterns if pattern.matches(t)] for t in names}
            self._load({r["pack"] for found in rows.values() for r in found} | {p for m in matched.values() for p in m})
        return {
            t: Claims(
                owners=tuple(self._packs[r["pack"]] for r in rows[t] if r["lists"]),
                preempting=tuple(self._packs[r["pack"]] for r in rows[t] if r["preempts"]),
                patterns=tuple(self._packs[pack] for pack in matched[t]),
                since=since.get(t),
            )
            for t in names
        }

    def find(self, reference: str) -> Listing | None:
        """Return the pack that an address, `owner/name` or a registry id names; None if there is none, or several."""
        repository = parse_repository_url(reference)
        with self._translated():
            if repository is not None:
                found = self._all("SELECT pack AS id FROM identities WHERE identity = ?", repository.identity)
            else:
                found = self._all("SELECT id FROM packs WHERE registry_id = ?", reference.lower())
            if len(found) != 1:
                return None
            self._load({found[0]["id"]})
        return self._packs[found[0]["id"]]

    def search(self, text: str, limit: int = 20) -> list[Listing]:
        """Return the packs whose title, author, description, address or types have all the words: first those that list
        a type of exactly that name, then the best known of those that match well.

        `helper` finds VideoHelperSuite too, which is one word for the full-text index.
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
        ranks = {row["id"]: float(row["rank"]) for row in found}
        ranks |= dict.fromkeys(named, min(ranks.values(), default=0.0))
        packs = {number: self._packs[number] for number in ranks}
        order = {number: ranks[number] - math.log1p(pack.stars or 0) / 5 for number, pack in packs.items()}
        best = [
            *rank([self._packs[row["id"]] for row in exact]),
            *(packs[i] for i in sorted(packs, key=order.__getitem__)),
        ]
        return list({pack.identity: pack for pack in best}.values())[:limit]

    def near(self, text: str, limit: int = 3) -> list[str]:
        """Return names of packs (`owner/name`, without what the text has no word for) that are near a text."""
        with self._translated():
            urls = [row["url"] for row in self._all("SELECT url FROM packs ORDER BY id")]
        names = {
            url.rstrip("/").rsplit("/", 1)[-1].lower(): "/".join(url.rstrip("/").rsplit("/", 2)[-2:]) for url in urls
        }
        words = {name.removeprefix("comfyui").strip("-_") or name: name for name in names}
        wanted = "-".join(text.lower().split()).removeprefix("comfyui").strip("-_")
        return [names[words[word]] for word in get_close_matches(wanted[:100], words, limit)]

    def complete(self, text: str, limit: int) -> list[str]:
        """Return `owner/name` of packs on GitHub, and ids of the registry, that begin with a text."""
        pattern = "".join(f"\\{c}" if c in "%_\\" else c for c in text) + "%"
        with self._translated():
            rows = self._all(
                "SELECT replace(url, 'https://github.com/', '') AS name FROM packs"
                " WHERE url LIKE 'https://github.com/' || ?1 ESCAPE '\\'"
                " UNION SELECT registry_id FROM packs WHERE registry_id LIKE ?1 ESCAPE '\\' ORDER BY name LIMIT ?2",
                pattern,
                limit,
            )
        return [row["name"] for row in rows]

    def find_model(self, folder: str, name: str) -> str | None:
        """Return the URL of the model `name` in that folder; None unless the list has exactly one that matches."""
        with self._translated():
            if not self._has("models"):
                return None
            rows = self._all("SELECT folder, name, url FROM models WHERE file = ?", name.rsplit("/", 1)[-1].lower())
        return choose_model([ListedModel(**dict(row)) for row in rows], folder, name)

    def _has(self, table: str) -> bool:
        """Return whether there is the table: older catalogs lack some."""
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
        except (sqlite3.DatabaseError, MemoryError, ValueError, LookupError, TypeError) as e:
            what = f"the catalog cannot be read: {str(e) or type(e).__name__}"
            raise BadInput(what, where=str(self.path), fix=_FIX) from e


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _MAX_VARIABLES):
        yield items[start : start + _MAX_VARIABLES]


def _listing(row: sqlite3.Row) -> Listing:
    values: dict[str, Any] = {key: row[key] for key in row.keys() if key != "id"}  # noqa: SIM118  (a Row's own)
    for key in ("types", "preempts", "files", "aliases"):
        values[key] = tuple(json.loads(values[key]))
    return Listing(**{**values, "loose": bool(values["loose"])})
