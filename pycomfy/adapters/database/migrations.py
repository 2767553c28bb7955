"""The tables, as named steps that are applied once each. Add a step; never change one that was released."""

import sqlite3
from collections.abc import Callable, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

SET = "pycomfy"
"""The name of all steps together, in sqlite-utils' table of what was applied."""

_BEFORE_RELEASE = frozenset(
    {
        "m001_workflows_and_versions",
        "m002_what_a_version_is_made_of",
        "m003_images_builds_and_runs",
        "m004_a_version_is_a_commit",
        "m005_a_run_has_its_inputs",
    }
)
"""Steps of development versions. `m001_tables` replaced them all before the first release, and does not continue them:
a database that had one of them is made anew."""

_STEPS: list[Callable[["Database"], None]] = []


def names() -> set[str]:
    """Return the name of every step."""
    return {step.__name__ for step in _STEPS}


def applied(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the steps that a database had. As `Migrations.applied`, without importing sqlite-utils."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchall():
        return set()
    # `applied_at` too: where it is not, the table is not that of sqlite-utils.
    rows = connection.execute("SELECT name, applied_at FROM _sqlite_migrations WHERE migration_set = ?", [SET])
    return {str(row[0]) for row in rows}


def is_outdated(applied: Set[str]) -> bool:
    """Return whether a database with these steps was made by a development version, before the first release."""
    return not applied.isdisjoint(_BEFORE_RELEASE)


def apply(db: "Database") -> None:
    """Apply the steps that were not applied yet."""
    from sqlite_utils import Migrations

    migrations = Migrations(SET)
    for step in _STEPS:
        migrations()(step)
    migrations.apply(db)


def _step(step: Callable[["Database"], None]) -> Callable[["Database"], None]:
    _STEPS.append(step)
    return step


_TABLES = """
CREATE TABLE workflows (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
);

-- commit and parent are words of SQL, hence the suffix. Equal trees have equal images, whatever commits they are in.
CREATE TABLE workflow_versions (
    id INTEGER PRIMARY KEY,
    workflow_id INTEGER NOT NULL REFERENCES workflows(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    commit_id TEXT,
    parent_id TEXT,
    changes TEXT,
    message TEXT,
    comfyui_version TEXT NOT NULL,
    lock_sha256 TEXT NOT NULL,
    workflow_sha256 TEXT NOT NULL,
    tree_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT,
    UNIQUE (workflow_id, number)
);
CREATE INDEX workflow_versions_commit ON workflow_versions (commit_id);
CREATE INDEX workflow_versions_tree ON workflow_versions (tree_id);

CREATE TABLE custom_nodes (
    id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES workflow_versions(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    repository_url TEXT NOT NULL,
    commit_hash TEXT,
    source_hash TEXT NOT NULL,
    node_mappings TEXT NOT NULL,
    python_dependencies TEXT NOT NULL,
    verified_compatible INTEGER,
    UNIQUE (version_id, name)
);

-- A source serves many versions: a thousand versions share nearly all of theirs.
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    hash TEXT NOT NULL,
    size INTEGER,
    UNIQUE (hash, role, name, url)
);
CREATE TABLE version_sources (
    version_id INTEGER NOT NULL REFERENCES workflow_versions(id) ON DELETE CASCADE,
    source_id INTEGER NOT NULL REFERENCES sources(id),
    platform TEXT NOT NULL,
    PRIMARY KEY (version_id, source_id, platform)
) WITHOUT ROWID;
CREATE INDEX version_sources_source ON version_sources (source_id);

CREATE TABLE container_images (
    id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES workflow_versions(id) ON DELETE CASCADE,
    platform TEXT NOT NULL,
    architectures TEXT NOT NULL,
    layout TEXT NOT NULL,
    registry_url TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    size_bytes INTEGER NOT NULL,
    manifest_digest TEXT NOT NULL,
    config_digest TEXT NOT NULL,
    diff_ids TEXT NOT NULL,
    build_logs TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (version_id, platform, manifest_digest)
);
CREATE TABLE builds (
    id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES workflow_versions(id) ON DELETE CASCADE,
    image_id INTEGER NOT NULL REFERENCES container_images(id) ON DELETE CASCADE,
    finished_at TEXT NOT NULL,
    seconds REAL NOT NULL,
    layers_built INTEGER NOT NULL,
    layers_reused INTEGER NOT NULL,
    log TEXT
);
CREATE INDEX builds_version ON builds (version_id);
CREATE INDEX builds_image ON builds (image_id);
CREATE TABLE api_endpoints (
    id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES workflow_versions(id) ON DELETE CASCADE,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    schema TEXT NOT NULL,
    UNIQUE (version_id, method, path)
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    image_id INTEGER NOT NULL REFERENCES container_images(id) ON DELETE CASCADE,
    started_at TEXT NOT NULL,
    seconds REAL NOT NULL,
    engine TEXT NOT NULL,
    gpus TEXT,
    outputs TEXT NOT NULL,
    error TEXT,
    inputs TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX runs_image ON runs (image_id);
"""


@_step
def m001_tables(db: "Database") -> None:
    # sqlite-utils can create tables, but not what is deleted along with a row, nor tables without a rowid.
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            db.execute(statement)


@_step
def m002_a_version_that_cannot_be_read(db: "Database") -> None:
    db.execute("ALTER TABLE workflow_versions ADD COLUMN problem TEXT")


@_step
def m003_a_run_has_its_values_device_and_input_files(db: "Database") -> None:
    for column in ("node_values TEXT NOT NULL DEFAULT '[]'", "device TEXT", "input_files TEXT NOT NULL DEFAULT '{}'"):
        db.execute(f"ALTER TABLE runs ADD COLUMN {column}")


@_step
def m004_an_image_has_all_that_the_versions_repository_says_of_it(db: "Database") -> None:
    db.execute("ALTER TABLE container_images ADD COLUMN description TEXT")


@_step
def m005_operations(db: "Database") -> None:
    db.execute(
        "CREATE TABLE operations (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
        " workflow TEXT NOT NULL, arguments TEXT NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL,"
        " started_at TEXT, finished_at TEXT, exit_status INTEGER)"
    )
    db.execute("CREATE INDEX operations_workflow ON operations (workflow)")


@_step
def m006_an_operation_has_who_started_it(db: "Database") -> None:
    db.execute("ALTER TABLE operations ADD COLUMN created_by TEXT NOT NULL DEFAULT ''")
