"""Versions, builds and locks for a database."""

import contextlib
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from pycomfy.adapters.database.entries import Build, VersionEntry
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import ComfyUI, DebianPackage, Lock, Pack, Platform, Root, Wheel, WorkflowPin
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.wheel_tree import WheelTreeSource
from pycomfy.core.versions.built_image import BuiltImage

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


def tree(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def entry(number: int = 1, name: str = "hello", project: str | None = None, **other: Any) -> VersionEntry:
    """A version; `project` names its tree, `other` sets more fields."""
    commit = tree(f"commit {name} {number} {project}")
    fields: dict[str, Any] = {"parent": None, "message": f"no. {number}", "author": "A <a@x>", "lock": lock(name)}
    fields["lock_sha256"] = tree(f"lock of {project or number}")
    fields["created_at"] = f"2026-01-{number:02}T00:00:00Z" if number < 32 else "2026-02-01T00:00:00Z"
    return VersionEntry(name, number, commit, tree=tree(project or f"{name} {number}"), **{**fields, **other})


def built(digit: str = "1", platform: PlatformName = "linux/amd64", **other: Any) -> BuiltImage:
    digest = f"sha256:{digit * 64}"
    fields: dict[str, Any] = {"built_at": "2026-02-01T10:00:00Z", "seconds": 4.5, "layers_built": 3}
    return BuiltImage(
        platform=platform,
        manifest_digest=digest,
        config_digest=digest,
        diff_ids=(digest,),
        size=8_000_000_000,
        **{**fields, "layers_reused": 20, **other},
    )


def build(version: int = 1, name: str = "hello", layout: str = "/nix/store/x", **image: Any) -> Build:
    return Build(name, version, built(**image), Path(layout), Path("/logs/1"))


def make_outdated(path: Path) -> None:
    """Write a database as the first development version made it, with other columns than today's."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE workflows (id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute("CREATE TABLE workflow_versions (id INTEGER PRIMARY KEY, number INTEGER)")
        connection.execute("CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT)")
        connection.execute("INSERT INTO _sqlite_migrations VALUES ('pycomfy', 'm001_workflows_and_versions', '2026')")
