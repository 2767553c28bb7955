"""What goes into the record, and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycomfy.core.lockfile.platforms import PlatformName
    from pycomfy.core.lockfile.schema import Lock
    from pycomfy.core.versions.built_image import BuiltImage


@dataclass(frozen=True)
class VersionEntry:
    """A version of the library, to be recorded. `changes` are lines that say what changed from its parent,
    `inputs_schema` is the JSON Schema of its API's inputs."""

    name: str
    number: int
    commit: str
    parent: str | None
    tree: str
    message: str
    author: str
    created_at: str
    lock: "Lock"
    lock_sha256: str
    inputs_schema: str | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class IndexedImage:
    """An image that the library knows of, and where its layout lies here or would lie."""

    tree: str
    built: "BuiltImage"
    layout: str


@dataclass(frozen=True)
class Build:
    """A build on this machine: of a version that is recorded, where its layout is, and the build's log."""

    name: str
    version: int
    built: "BuiltImage"
    layout: Path
    log: Path | None = None


@dataclass(frozen=True)
class ImageRecord:
    """A built image. `id` is the record's, digests are `sha256:…`, `size` in bytes."""

    id: int
    name: str
    version: int
    platform: "PlatformName"
    layout: Path
    manifest_digest: str
    config_digest: str
    diff_ids: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class VersionRecord:
    """A version; `parent` is None for the first, `changes` say what changed from it. `manifest_digest` and `size` are
    its newest image's, None if none was built. `created_at` is UTC, as in 2025-12-05T09:30:00Z."""

    name: str
    version: int
    commit: str
    parent: str | None
    message: str
    changes: tuple[str, ...]
    created_by: str
    created_at: str
    comfyui_version: str
    lock_sha256: str
    manifest_digest: str | None
    size: int | None


@dataclass(frozen=True)
class Run:
    """A finished run; `inputs` are the values that were given, `error` says why it failed, None if it did not."""

    engine: str
    gpus: str | None
    seconds: float
    outputs: tuple[Mapping[str, object], ...] = ()
    error: str | None = None
    inputs: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    id: int
    name: str
    version: int
    started_at: str
    run: Run
