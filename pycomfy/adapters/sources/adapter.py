"""What is done with a kind of source outside of the core: it is pinned, made again, and put where ComfyUI reads it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from pycomfy.adapters.io.paths import Paths
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig
from pycomfy.core.sources.lock_source import FileSource, LockSource, TreeSource
from pycomfy.core.sources.source_spec import SourceSpec


@dataclass(frozen=True)
class PinnedSource:
    """A pinned source. `files` are the texts that resolving reads (Python, requirements), by path below its folder;
    with `has_more_files` its tree has texts besides, which nobody read. Without `scripts` there is no JavaScript in it.

    `date` is when the code was made, if that is known: a commit's date, a wheel's upload.
    """

    source: LockSource
    files: Mapping[str, str]
    date: datetime | None = None
    has_more_files: bool = False
    scripts: bool = True


@dataclass(frozen=True)
class SourceContext:
    """Where a source is used: `base` is the folder that relative paths are relative to, `owner` who needs it, for
    errors (a node pack's name, or "ComfyUI"); wheels are looked for in `indexes`."""

    base: Path
    owner: str
    paths: Paths
    indexes: IndexConfig = DEFAULT_INDEXES


Spec = TypeVar("Spec", bound=SourceSpec)
Source = TypeVar("Source", bound=LockSource)
Tree = TypeVar("Tree", bound=TreeSource)
File = TypeVar("File", bound=FileSource)


class SourceAdapter(ABC, Generic[Spec, Source]):
    """One kind of source: `spec_type` is what pycomfy.toml says of it, `source_type` what the lock does."""

    spec_type: type[Spec]
    source_type: type[Source]

    @abstractmethod
    def pin(self, spec: Spec, context: SourceContext) -> PinnedSource:
        """Return what `spec` names, by hash. Raises `PycomfyError` for what cannot be had."""

    def is_changed(self, source: Source, context: SourceContext) -> bool:
        """Return whether there are other files at its address than when it was pinned, so that the lock has to be made
        again. False for what cannot change, and for what is gone: the store may have it still."""
        return False

    def newer_commit(self, spec: Spec, source: Source, context: SourceContext) -> str | None:
        """Return the commit that `spec` would be pinned to by now; None if that is the same, cannot be known without
        the network, or there are no commits."""
        return None


class TreeAdapter(SourceAdapter[Spec, Tree]):
    """A kind that is a folder in the store."""

    @abstractmethod
    def materialise(self, source: Tree, out: Path, context: SourceContext) -> None:
        """Fill the empty folder `out` with the very files that the source's hash was made of."""


class FileAdapter(SourceAdapter[Spec, File]):
    """A kind that is a file in the store."""

    @abstractmethod
    def unpack(self, source: File, file: Path, to: Path) -> None:
        """Fill the empty folder `to` as an image has it (`nix/layer.nix`), from the `file` that the store has."""
