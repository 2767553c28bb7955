"""Make the catalog from ComfyUI-Manager's lists, which are fetched and never shipped.

They are from the main branch of its repository, which is newer, or if that cannot be reached from the wheel on the
Python index.
"""

import json
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pycomfy import operation
from pycomfy.adapters.catalog.database import LAYOUT, Origin, catalog_path
from pycomfy.adapters.catalog.fetch import (
    DOCS,
    REPOSITORY,
    WHEEL,
    read_core_types,
    read_repository_lists,
    read_templates,
    read_wheel_lists,
)
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.catalog.manager_lists import parse_catalog
from pycomfy.core.catalog.model import Listing
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig
from pycomfy.core.models.manager_list import ListedModel, parse_models
from pycomfy.errors import PycomfyError

if TYPE_CHECKING:
    from sqlite_utils import Database


@dataclass(frozen=True)
class CatalogUpdate:
    """What an update made, from which lists. `remarks` say what could not be fetched."""

    origins: tuple[Origin, ...]
    packs: int
    types: int
    remarks: tuple[str, ...] = ()


def update_catalog(
    paths: Paths,
    *,
    wheel: str = WHEEL,
    docs: str = DOCS,
    repository: str = REPOSITORY,
    indexes: IndexConfig = DEFAULT_INDEXES,
) -> CatalogUpdate:
    """Fetch the newest lists of the Manager that can be reached, and make the catalog of them in one step.

    `wheel` and `docs` may be exact pins. Templates are fetched if the docs could be. Raises `NetworkError` if neither
    index nor repository answers, `NotFound`, `BadInput`.
    """
    remarks: list[str] = []
    with operation.step("Update the catalog of node packs") as task:
        try:
            lists = read_repository_lists(repository, paths)
            origins, listings = _parse_lists(lists, docs, paths, indexes, remarks)
        except PycomfyError as e:
            remarks.append(f"the last release is taken, because the newest lists cannot be fetched: {e.what}")
            lists = read_wheel_lists(wheel, paths, indexes)
            origins, listings = _parse_lists(lists, docs, paths, indexes, remarks)
        since: Mapping[str, str] = {}
        if len(origins) > 1:
            try:
                templates, since = read_templates(listings, paths, indexes)
                origins = (*origins, templates)
            except PycomfyError as e:
                remarks.append(f"it is unknown since which version ComfyUI has its newest types: {e.what}")
        contents = _Contents(listings, origins, parse_models(lists[1]), since)
        _write(catalog_path(paths), contents)
        types = len({t for listing in listings for t in listing.types})
        task.note(f"{len(listings)} packs, {types} node types")
    return CatalogUpdate(origins, len(listings), types, tuple(dict.fromkeys(remarks)))


def _parse_lists(
    lists: tuple[Origin, Mapping[str, bytes]], docs: str, paths: Paths, indexes: IndexConfig, remarks: list[str]
) -> tuple[tuple[Origin, ...], tuple[Listing, ...]]:
    origin, files = lists
    try:
        pages, core = read_core_types(docs, paths, indexes)
    except PycomfyError as e:
        remarks.append(f"ComfyUI's newest node types are unknown, because {docs} cannot be read: {e.what}")
        return (origin,), parse_catalog(files)
    return (origin, pages), parse_catalog(files, core)


# — making the file —


@dataclass(frozen=True)
class _Contents:
    """What a catalog is made of. `since` has the oldest ComfyUI that is known to have a node type."""

    listings: Sequence[Listing]
    origins: Sequence[Origin]
    models: Sequence[ListedModel]
    since: Mapping[str, str]


def _write(path: Path, contents: _Contents) -> None:
    """Make the file beside `path`, then replace it: whoever reads at the same time keeps the old one."""
    from sqlite_utils import Database  # only here: importing it takes a tenth of a second

    with translate_disk_full(path):
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
