"""What goes into the record, and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.flow.lock.model import Lock, PlatformName
from pycomfy.outside.engine.image import LayoutImage


@dataclass(frozen=True)
class Build:
    """A finished build. `project_sha256` is over the emitted project's files; together with the lock it decides whether
    this is a new version. `proven` is True or False once the image was asked whether it has every node type,
    `requirements` what each node pack asks of Python, by the pack's name."""

    lock: Lock
    project_sha256: str
    platform: PlatformName
    image: LayoutImage
    log: Path | None = None
    seconds: float = 0.0
    layers_built: int = 0
    layers_reused: int = 0
    message: str | None = None
    proven: bool | None = None
    requirements: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class BuildRecord:
    """Where a build went. `new` is False if it made what the newest version is already."""

    name: str
    version: int
    new: bool
    build: int
    image: int


@dataclass(frozen=True)
class ImageRecord:
    """A built image. `id` is the record's, digests are `sha256:…`, `size` in bytes."""

    id: int
    name: str
    version: int
    platform: PlatformName
    layout: Path
    manifest_digest: str
    config_digest: str
    diff_ids: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class VersionRecord:
    """A version; `commit`, `parent` and `message` are the library's, None where it has none. `manifest_digest` is of
    its newest image. `created_at` is UTC, as in 2025-12-05T09:30:00Z."""

    name: str
    version: int
    commit: str | None
    parent: str | None
    message: str | None
    created_at: str
    comfyui_version: str
    lock_sha256: str
    manifest_digest: str | None
    size: int | None


@dataclass(frozen=True)
class Run:
    """A finished run; `error` says why it failed, None if it did not."""

    engine: str
    gpus: str | None
    seconds: float
    outputs: tuple[Mapping[str, object], ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class RunRecord:
    id: int
    name: str
    version: int
    started_at: str
    run: Run
