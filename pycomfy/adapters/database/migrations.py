"""The tables, as named steps that are applied once each. Add a step; never change one that was released."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

SET = "pycomfy"
"""What the steps are called by, all of them, in sqlite-utils' table of what was applied."""

_STEPS: list[Callable[["Database"], None]] = []


def names() -> set[str]:
    """The name of every step."""
    return {step.__name__ for step in _STEPS}


def apply(db: "Database") -> None:
    """Apply the steps that were not yet."""
    from sqlite_utils import Migrations  # only where there is something to apply: it takes a moment to import

    migrations = Migrations(SET)
    for step in _STEPS:
        migrations()(step)
    migrations.apply(db)


def _step(step: Callable[["Database"], None]) -> Callable[["Database"], None]:
    _STEPS.append(step)
    return step


@_step
def m001_workflows_and_versions(db: "Database") -> None:
    db.execute("CREATE TABLE workflows (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL)")
    # commit and parent are words of SQL, hence the suffix.
    db.execute("""
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
            project_sha256 TEXT NOT NULL,
            created_at TEXT NOT NULL,
            created_by TEXT,
            UNIQUE (workflow_id, number)
        )""")
    db.execute("CREATE INDEX workflow_versions_commit ON workflow_versions (commit_id)")


@_step
def m002_what_a_version_is_made_of(db: "Database") -> None:
    db.execute("""
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
        )""")
    # A source serves many versions: a thousand versions share nearly all of theirs.
    db.execute("""
        CREATE TABLE sources (
            id INTEGER PRIMARY KEY,
            role TEXT NOT NULL,
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            url TEXT NOT NULL,
            hash TEXT NOT NULL,
            size INTEGER,
            UNIQUE (hash, role, name, url)
        )""")
    db.execute("""
        CREATE TABLE version_sources (
            version_id INTEGER NOT NULL REFERENCES workflow_versions(id) ON DELETE CASCADE,
            source_id INTEGER NOT NULL REFERENCES sources(id),
            platform TEXT NOT NULL,
            PRIMARY KEY (version_id, source_id, platform)
        ) WITHOUT ROWID""")
    db.execute("CREATE INDEX version_sources_source ON version_sources (source_id)")


@_step
def m003_images_builds_and_runs(db: "Database") -> None:
    db.execute("""
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
        )""")
    db.execute("""
        CREATE TABLE builds (
            id INTEGER PRIMARY KEY,
            version_id INTEGER NOT NULL REFERENCES workflow_versions(id) ON DELETE CASCADE,
            image_id INTEGER NOT NULL REFERENCES container_images(id) ON DELETE CASCADE,
            finished_at TEXT NOT NULL,
            seconds REAL NOT NULL,
            layers_built INTEGER NOT NULL,
            layers_reused INTEGER NOT NULL,
            log TEXT
        )""")
    db.execute("CREATE INDEX builds_version ON builds (version_id)")
    db.execute("CREATE INDEX builds_image ON builds (image_id)")
    db.execute("""
        CREATE TABLE api_endpoints (
            id INTEGER PRIMARY KEY,
            version_id INTEGER NOT NULL REFERENCES workflow_versions(id) ON DELETE CASCADE,
            method TEXT NOT NULL,
            path TEXT NOT NULL,
            schema TEXT NOT NULL,
            UNIQUE (version_id, method, path)
        )""")
    db.execute("""
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            image_id INTEGER NOT NULL REFERENCES container_images(id) ON DELETE CASCADE,
            started_at TEXT NOT NULL,
            seconds REAL NOT NULL,
            engine TEXT NOT NULL,
            gpus TEXT,
            outputs TEXT NOT NULL,
            error TEXT
        )""")
    db.execute("CREATE INDEX runs_image ON runs (image_id)")


@_step
def m004_a_version_is_a_commit(db: "Database") -> None:
    # The project's hash is its tree in the library. Equal trees have equal images, whatever commits they are in.
    db.execute("ALTER TABLE workflow_versions RENAME COLUMN project_sha256 TO tree_id")
    db.execute("CREATE INDEX workflow_versions_tree ON workflow_versions (tree_id)")


@_step
def m005_a_run_has_its_inputs(db: "Database") -> None:
    db.execute("ALTER TABLE runs ADD COLUMN inputs TEXT NOT NULL DEFAULT '{}'")
