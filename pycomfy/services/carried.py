"""Sources that travel in the project, because no address gives their very bytes to somebody who has Nix alone."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pycomfy.adapters.io.credentials import has_login
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.io.tree_tar import pack_tree
from pycomfy.adapters.nix.store import add_tree, valid_paths
from pycomfy.core.lockfile.schema import Lock, Wheel
from pycomfy.core.nix.project import SOURCES
from pycomfy.core.python.build_recipe import source_name
from pycomfy.core.sources.lock_source import TreeSource
from pycomfy.services.supply import take_or_make_tree, wheel_output
from pycomfy.services.workspace import Workspace

MAX_BYTES = 64 << 20
"""Bytes of one source that travels. What is larger does not belong into every clone of the versions repository."""

_CHANGES_ARCHIVES = re.compile(rb"export-ignore|export-subst|\beol=|\bident\b|working-tree-encoding")
"""Attributes with which a forge's archive has other bytes than the commit (gitattributes(5))."""


def carry_sources(workspace: Workspace, lock: Lock, base: Path) -> dict[str, bytes]:
    """Return the sources of `lock` that travel in its project, by their path there. Trees that the store lacks are put
    into it. `base` is the folder that the lock's paths are relative to. Raises as `add_tree`."""
    trees: dict[str, Path] = {}
    for name, source in lock.sources.items():
        if isinstance(source, TreeSource):
            path = add_tree(workspace.nix, name, source.tree, partial(take_or_make_tree, workspace, source, base))
            tree = workspace.nix.local_path(path)
            # A forge gives nobody else an archive of what is behind a login.
            if source.travels or has_login(source.address, workspace.environment) or _differs_in_archives(tree):
                trees[name] = tree
    trees |= _find_build_sources(workspace, lock)
    packed = {f"{SOURCES}{name}.tar": pack_tree(tree, MAX_BYTES) for name, tree in trees.items()}
    files = {path: data for path, data in packed.items() if data is not None}
    for wheel in _local_wheels(lock):
        data = _read_wheel(workspace, wheel, base)
        if data is not None:
            files[f"{SOURCES}{wheel.filename}"] = data
    return files


def _find_build_sources(workspace: Workspace, lock: Lock) -> dict[str, Path]:
    """Return what wheels were built from, as far as it has no address and the store has it. None of it is fetched: the
    wheels are there."""
    recipes = [w.built for pins in lock.platforms.values() for w in pins.wheels if w.built is not None]
    outputs = {
        source_name(recipe.source): recipe.source.fixed_output(source_name(recipe.source))
        for recipe in recipes
        if isinstance(recipe.source, TreeSource) and recipe.source.travels
    }
    there = set(valid_paths(workspace.nix, [output.path for output in outputs.values()]))
    return {name: workspace.nix.local_path(o.path) for name, o in outputs.items() if o.path in there}


def _local_wheels(lock: Lock) -> Iterator[Wheel]:
    for pins in lock.platforms.values():
        for wheel in pins.every_wheel:
            yield from (w for w in (wheel, *(wheel.built.requires if wheel.built else ())) if w.is_local)


def _read_wheel(workspace: Workspace, wheel: Wheel, base: Path) -> bytes | None:
    """Return a local wheel, wherever it is; None where it is gone, or too large to travel."""
    output, archive = wheel_output(wheel), workspace.archive
    file = base / wheel.url
    if valid_paths(workspace.nix, [output.path]):
        file = workspace.nix.local_path(output.path)
    elif archive.has(output) and archive.size_of(output) <= 2 * MAX_BYTES:
        with scratch_folder() as folder:
            archive.take(output, folder / "wheel")
            return _read_small(folder / "wheel")
    return _read_small(file) if file.is_file() else None


def _read_small(file: Path) -> bytes | None:
    return file.read_bytes() if file.stat().st_size <= MAX_BYTES else None


def _differs_in_archives(tree: Path) -> bool:
    return any(_CHANGES_ARCHIVES.search(file.read_bytes()) for file in tree.rglob(".gitattributes") if file.is_file())
