"""Pin sources of code, so that they name the same bytes for ever, and make their files again."""

from pathlib import Path

from pycomfy.adapters.io.atomic_files import new_folder
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.sources.adapter import PinnedSource, SourceContext
from pycomfy.adapters.sources.kinds import adapter_for_source, adapter_for_spec, tree_adapter
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig
from pycomfy.core.sources.lock_source import LockSource, TreeSource
from pycomfy.core.sources.source_spec import SourceSpec


def pin_source(
    spec: SourceSpec, base: Path, owner: str, paths: Paths, indexes: IndexConfig = DEFAULT_INDEXES
) -> PinnedSource:
    """Pin what `spec` asks for. `base` is the folder that relative paths are relative to, `owner` who needs it;
    wheels are looked for in `indexes`.

    Raises `NotFound`, `UnpinnedPack`, `Unresolved`, `NetworkError`, `HashMismatch`, `BadConfig`.
    """
    return adapter_for_spec(spec).pin(spec, SourceContext(base, owner, paths, indexes))


def write_tree_of(source: TreeSource, base: Path, out: Path, paths: Paths) -> None:
    """Make the folder `out` the tree of `source`, with the very files that its hash was made of. `out` has the name of
    who needs it, for errors.

    Raises as `pin_source` does; nothing is left of `out` then.
    """
    with new_folder(out) as folder:
        tree_adapter(source).materialise(source, folder, SourceContext(base, out.name, paths))


def is_changed(source: LockSource, base: Path, owner: str, paths: Paths) -> bool:
    """Return whether a source has other files than when it was pinned. Only local folders can change; one that is gone
    has not: its tree may be in the store still."""
    return adapter_for_source(source).is_changed(source, SourceContext(base, owner, paths))


def newer_commit(spec: SourceSpec, source: LockSource, base: Path, owner: str, paths: Paths) -> str | None:
    """Return the commit that a repository on this machine would be pinned to by now; None if it is the same, cannot be
    read, or is somewhere else."""
    adapter = adapter_for_spec(spec)
    if adapter.source_type is not type(source):
        return None
    return adapter.newer_commit(spec, source, SourceContext(base, owner, paths))
