"""What is written into the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycomfy.core.lockfile.schema import Lock
    from pycomfy.core.versions.built_image import BuiltImage

VersionKey = tuple[str, int]
"""A workflow's name, and a version's number."""


@dataclass(frozen=True)
class VersionEntry:
    """A version of the versions repository. `changes` says what changed from its parent, a line each; `inputs_schema`
    is the JSON Schema of its API's inputs. `problem` says why its files cannot be read; then it has no `lock`.
    `comparable`: what it changed is known; False if its parent cannot be read."""

    name: str
    number: int
    commit: str
    parent: str | None
    tree: str
    message: str
    author: str
    created_at: str
    lock: "Lock | None"
    lock_sha256: str
    inputs_schema: str | None = None
    changes: tuple[str, ...] = ()
    problem: str | None = None
    comparable: bool = True


@dataclass(frozen=True)
class IndexedImage:
    """An image of the versions repository, and where its layout lies on this machine, or would lie."""

    tree: str
    built: "BuiltImage"
    layout: str


@dataclass(frozen=True)
class Build:
    """A build on this machine: the version, where the image's layout is, and the build's log."""

    name: str
    version: int
    built: "BuiltImage"
    layout: Path
    log: Path | None = None


@dataclass(frozen=True)
class Run:
    """A run that ended, after `seconds`. `inputs` are the values that were given; of those that are files, `files` has
    the paths, None for standard input. `values` are what nodes returned besides files; `device` is what ComfyUI ran
    on, None where that is not known. `error` says why it failed, None if it did not."""

    started_at: datetime
    engine: str
    gpus: str | None
    seconds: float
    outputs: tuple[Mapping[str, object], ...] = ()
    error: str | None = None
    inputs: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    values: tuple[Mapping[str, object], ...] = ()
    device: str | None = None
