"""What is read from the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycomfy.core.lockfile.platforms import PlatformName


@dataclass(frozen=True)
class VersionRecord:
    """A version; `parent` is None for the first, `changes` says what changed from it. `manifest_digest` and `size`
    (bytes) are its newest image's, None if none was built. `created_at` is UTC, as in 2025-12-05T09:30:00Z. `problem`
    says why its files cannot be read; then `comfyui_version` and `lock_sha256` are ""."""

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
    problem: str | None = None


@dataclass(frozen=True)
class ImageRecord:
    """A built image. `id` is the database's, digests are `sha256:…`, `size` is in bytes."""

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
class RunRecord:
    """A run of a version's image, as `Run`; `started_at` is UTC, as in 2025-12-05T09:30:00Z."""

    id: int
    name: str
    version: int
    started_at: str
    engine: str
    gpus: str | None
    seconds: float
    outputs: tuple[Mapping[str, object], ...]
    error: str | None
    inputs: Mapping[str, object]
    files: Mapping[str, str | None]
    values: tuple[Mapping[str, object], ...]
    device: str | None
