"""Put into the archive what it lacks and this machine has."""

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.debian.bootstrap import make_program
from pycomfy.adapters.io.atomic_files import free_space, no_space
from pycomfy.adapters.io.download import find_kept
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.io.tree_tar import unpack_tree
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.core.nix.bootstrap import Bootstrap
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, program_requisite
from pycomfy.core.nix.project import carried_path
from pycomfy.errors import HashMismatch, NetworkError, NotFound, suggest
from pycomfy.services.archive.completeness import SourceEntry
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

MARGIN = 1 << 30
"""Bytes that stay free on the archive's disk."""


class FillResult(Result):
    """How many store paths were added, and their bytes; `absent` are in neither the archive nor the Nix store."""

    added: int
    size: int
    absent: tuple[SourceEntry, ...] = ()


def fill_requisites(
    workspace: Workspace, requisites: Sequence[Requisite], bootstraps: Iterable[Bootstrap | None]
) -> FillResult:
    """Archive those of `requisites` that are in this machine's Nix store.

    What a root filesystem is made of stands for it, being a third as large: its packages, which were downloaded, and
    the program that opens them, which is fetched; `bootstraps` say where. The tree itself is archived where one of
    these cannot be had. Raises `NoSpace` before it begins, if there is too little, and `HashMismatch` for a path that
    is damaged.
    """
    archive = workspace.archive
    lacking = {r.path: r for r in requisites if not archive.has(r.output)}
    lacking = {p: r for p, r in lacking.items() if not (r.derived and _is_there(r.built_from, lacking, ()))}
    if not lacking:
        return FillResult(added=0, size=0)
    found = {path: workspace.nix.local_path(path) for path in valid_paths(workspace.nix, list(lacking))}
    roots = [r for r in lacking.values() if r.derived]
    with scratch_folder() as folder:
        found |= _find_packages(workspace, roots, lacking, found)
        found |= _make_programs(roots, lacking, found, bootstraps, folder)
        whole = [root for root in roots if _is_there(root.built_from, lacking, found)]
        parts = {path for root in whole for path in root.built_from}
        added = {
            r: found[r.path]
            for r in lacking.values()
            if r.path in found and (r.path in parts if r.role == "package" else r not in whole)
        }
        sizes = add_files(archive, list(added.items()), "sources")
    return fill_result(sizes, filter_required([r for r in lacking.values() if r not in added], requisites))


def archive_carried(workspace: Workspace, project: Mapping[str, bytes], requisites: Iterable[Requisite]) -> None:
    """Archive those of `requisites` that travel in the files of the project, and are in neither the archive nor the Nix
    store. One that is not what the lock says is reported, and left out."""
    archive = workspace.archive
    lacking = [r for r in requisites if carried_path(r.output) in project and not archive.has(r.output)]
    here = valid_paths(workspace.nix, [r.path for r in lacking]) if shutil.which("nix-store") else []
    for requisite in lacking:
        if requisite.path in here:
            continue
        path = carried_path(requisite.output)
        with scratch_folder() as folder:
            try:
                if requisite.output.recursive:
                    unpack_tree(project[path], folder / "tree")
                else:
                    (folder / "tree").write_bytes(project[path])
                archive.add(requisite.output, folder / "tree", lambda amount: None)
            except (ValueError, HashMismatch) as e:
                operation.report(f"warning: {path} in the project is not what the lock says: {e}")


def _find_packages(
    workspace: Workspace, roots: Iterable[Requisite], lacking: Mapping[str, Requisite], found: Collection[str]
) -> dict[str, Path]:
    """Return the packages of `roots` that are among the downloads, by store path."""
    packages = [lacking[path] for root in roots for path in root.built_from if path in lacking and path not in found]
    kept = {r.path: find_kept(r.output.sha256.hex(), workspace.paths.cache) for r in packages if not r.output.recursive}
    return {path: file for path, file in kept.items() if file is not None}


def _make_programs(
    roots: Iterable[Requisite],
    lacking: Mapping[str, Requisite],
    found: Collection[str],
    bootstraps: Iterable[Bootstrap | None],
    folder: Path,
) -> dict[str, Path]:
    """Return the programs that open the packages of `roots`, as far as these are there: folders below `folder`, by
    store path."""
    made: dict[str, Path] = {}
    pins = {program_requisite(b, platform).path: (b, platform) for b in bootstraps if b for platform in b.programs}
    for path, (bootstrap, platform) in pins.items():
        others = [[part for part in root.built_from if part != path] for root in roots if path in root.built_from]
        if path not in lacking or path in found or not any(_is_there(parts, lacking, found) for parts in others):
            continue
        out = folder / str(len(made))
        try:
            make_program(bootstrap, platform, out, folder)
        except (NetworkError, HashMismatch):
            continue
        made[path] = out
    return made


def _is_there(paths: Iterable[str], lacking: Collection[str], found: Collection[str]) -> bool:
    return all(path in found or path not in lacking for path in paths)


def add_files(archive: Archive, found: Sequence[tuple[Requisite, Path]], what: str) -> list[int]:
    """Put in the files and trees at these paths; return the size of each that was missing. Raises as
    `fill_requisites`."""
    try:
        return _add_all(archive, found, what)
    except FileNotFoundError as e:  # another one's build archived it in a data folder of its own, and removed it
        fix = suggest("archive fill", "once it was fetched again")
        raise NotFound("it was removed from the Nix store meanwhile", where=str(e.filename), fix=fix) from e


def _add_all(archive: Archive, found: Sequence[tuple[Requisite, Path]], what: str) -> list[int]:
    sizes = [0 if archive.has(requisite.output) else _size(path) for requisite, path in found]
    if not found:
        return []
    _check_space(operation.original(archive.folder), sum(sizes))
    if operation.is_dry_run():
        return sizes
    with operation.step(f"Archive the {what}", total=sum(sizes), unit="bytes") as task:
        new = [archive.add(requisite.output, path, task.advance) for requisite, path in found]
        task.note(f"{sum(new)} of {len(new)} were new")
    return [size for size, added in zip(sizes, new, strict=True) if added]


def fill_result(added: Sequence[int], absent: Iterable[Requisite]) -> FillResult:
    """Return the result of adding files of these sizes, where `absent` were not there."""
    entries = tuple(SourceEntry(r.path, r.title, r.origin) for r in absent)
    return FillResult(added=len(added), size=sum(added), absent=entries)


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir() or p.is_symlink())
    return path.lstat().st_size


def _check_space(folder: Path, needed: int) -> None:
    if free_space(folder) < needed + MARGIN:
        error = no_space(folder)
        error.what = f"{error.what}; the sources take {needed / 1e9:.2f} GB more, and 1 GB is left free"
        raise error
