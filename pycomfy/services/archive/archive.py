"""`archive`: keep every source of every version, know whether all of it is there and whole."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive, Removed
from pycomfy.adapters.archive.integrity import Damage, check_archive
from pycomfy.adapters.io.atomic_files import free_space, no_space, translate_disk_full
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.core.lockfile.schema import Lock, ModelFile, PlatformName
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, list_requisites, model_requisite
from pycomfy.core.nix.narinfo import narinfo_name
from pycomfy.core.nix.store_path import FixedOutput, is_store_path
from pycomfy.errors import NotFound
from pycomfy.services.archive.completeness import MissingRequisite, list_missing, list_outputs, list_recorded_requisites
from pycomfy.services.workspace import Workspace

MARGIN = 1 << 30
"""Bytes that stay free on the archive's disk."""


@dataclass(frozen=True)
class ArchiveStatus:
    """How complete the archive is. `needed` and `present` count store paths, `size` is bytes of all that is there;
    `superfluous` is what no recorded version needs; `models` and `models_present` count the models of all versions,
    which need not be here."""

    archive: Archive
    versions: int
    needed: int
    present: int
    size: int
    missing: tuple[MissingRequisite, ...]
    superfluous: Removed
    models: int
    models_present: int


@dataclass(frozen=True)
class FillResult:
    """What was added; `absent` is neither in the archive nor in this machine's store."""

    added: int
    size: int
    absent: tuple[Requisite, ...] = ()


@dataclass(frozen=True)
class ArchiveVerification:
    """`read` counts bytes, `repaired` are those of `damage` that are whole again."""

    damage: tuple[Damage, ...]
    repaired: int
    paths: int
    read: int


def fill_version(workspace: Workspace, lock: Lock, platforms: Collection[PlatformName]) -> FillResult:
    """Archive what images of `lock` for these platforms are made of. Raises `NoSpace` before it begins, if there is
    too little, and `HashMismatch` for a path that the store has damaged."""
    return _fill(workspace, list_requisites(lock, platforms))


def fill(workspace: Workspace, *, models: bool = False) -> FillResult:
    """Archive whatever recorded versions need and this machine's store has; with `models` their models, too."""
    wanted = list_recorded_requisites(workspace)
    needs = {need.path: need for one in wanted for need in one.needs}
    filled = _fill(workspace, list(needs.values()))
    if not models:
        return filled
    more = fill_models(workspace, [n for one in wanted for n in one.models])
    return FillResult(filled.added + more.added, filled.size + more.size, filled.absent + more.absent)


def fill_models(workspace: Workspace, models: Sequence[Requisite]) -> FillResult:
    """Archive models that are on this machine. Raises `NoSpace` before it begins, if there is too little."""
    archive, store = workspace.archive, workspace.models
    wanted = {need.path: need for need in models if not archive.has(need.output)}.values()
    found = {need: store.find(need.output.sha256.hex()) for need in wanted}
    added = _add(archive, [(need, place) for need, place in found.items() if place is not None], "models")
    return FillResult(len(added), sum(added), tuple(need for need, place in found.items() if place is None))


def take_models(workspace: Workspace, models: Iterable[ModelFile]) -> int:
    """Put into this machine's models those that it lacks and the archive has; how many that were. Raises
    `HashMismatch` for a damaged one."""
    archive, store = workspace.archive, workspace.models
    wanted = {m.sha256: model_requisite(m) for m in store.missing(tuple(models))}
    there = {sha256: need for sha256, need in wanted.items() if archive.find(need.output) is not None}
    sizes = {sha256: archive.size_of(need.output) for sha256, need in there.items()}
    if not there:
        return 0
    with operation.step("Take models from the archive", total=sum(sizes.values()), unit="bytes") as task:
        for sha256, need in there.items():
            part = store.partial(f"{sha256}.archived")
            with translate_disk_full(part):
                part.parent.mkdir(parents=True, exist_ok=True)
                part.unlink(missing_ok=True)
            archive.take(need.output, part)
            store.keep(part, sha256)
            task.advance(sizes[sha256])
    return len(there)


def status(workspace: Workspace) -> ArchiveStatus:
    """What recorded versions need, and what of it is there; nothing is read but names and sizes."""
    archive, wanted = workspace.archive, list_recorded_requisites(workspace)
    missing = list_missing(archive, wanted)
    needs = {need.path: need for one in wanted for need in one.needs}
    here = set(valid_paths(workspace.nix, [m.need.path for m in missing]))
    return ArchiveStatus(
        archive,
        len({label for one in wanted for label in one.labels}),
        len(needs),
        len(needs) - len(missing),
        archive.size(),
        tuple(MissingRequisite(m.need, m.labels, m.need.path in here) for m in missing),
        archive.remove_others(list_outputs(workspace), dry=True),
        len(models := {need.path: need for one in wanted for need in one.models}),
        sum(archive.has(need.output) for need in models.values()),
    )


def verify_archive(workspace: Workspace, *, repair: bool = False) -> ArchiveVerification:
    """Read every byte. With `repair`, what is damaged is removed, and put in again if this machine's store has it."""
    archive = workspace.archive
    total = archive.size()
    with operation.step("Read the archive", total=total, unit="bytes") as task:
        damage = check_archive(archive, task.advance)
        task.note(f"{len(damage)} damaged" if damage else "all of it is whole")
    repaired = 0
    if repair and damage:
        archive.remove_files(_with_entries(damage))
        still = {d.path for d in damage} - {""}
        fill(workspace)
        fill_models(
            workspace, [n for one in list_recorded_requisites(workspace) for n in one.models if n.path in still]
        )
        repaired = _count_repaired(damage, archive, list_outputs(workspace))
    return ArchiveVerification(tuple(damage), repaired, len(archive.narinfos()), total)


def _with_entries(damage: Iterable[Damage]) -> set[str]:
    """The damaged files, and the entries of those that are NARs: without its NAR an entry is damage, too."""
    files = {d.file for d in damage}
    return files | {narinfo_name(d.path) for d in damage if is_store_path(d.path)}


def _count_repaired(damage: Iterable[Damage], archive: Archive, outputs: Iterable[FixedOutput]) -> int:
    """How much of the damage is whole again, or was of what nobody needs."""
    by_name = {name: output for output in outputs for name in (output.path, narinfo_name(output.path))}
    hurt = [by_name.get(d.file) or by_name.get(d.path) for d in damage]
    return sum(1 for output in hurt if output is None or archive.has(output))


def collect_garbage(workspace: Workspace, *, dry: bool = False) -> Removed:
    """Remove what no recorded version needs. Raises `NotFound` if no version is recorded at all: then it is more likely
    that the library is elsewhere than that everything is superfluous."""
    archive = workspace.archive
    if not archive.folder.is_dir():
        return Removed(0, 0)
    with archive.lock():
        keep = list_outputs(workspace)
        if not keep and archive.narinfos():
            raise NotFound(
                "no version is recorded, so everything in the archive would be removed",
                where=str(workspace.paths.data),
                fix="see that PYCOMFY_HOME is right; to remove all of it, delete the archive's folder",
            )
        return archive.remove_others(keep, dry=dry)


def _fill(workspace: Workspace, needs: Sequence[Requisite]) -> FillResult:
    archive = workspace.archive
    wanted = [need for need in needs if not archive.has(need.output)]
    if not wanted:
        return FillResult(0, 0)
    here = set(valid_paths(workspace.nix, [need.path for need in wanted]))
    todo = [(need, workspace.nix.place(need.path)) for need in wanted if need.path in here]
    added = _add(archive, todo, "sources")
    absent = [need for need in wanted if need.path not in here]
    return FillResult(len(added), sum(added), filter_required(absent, needs))


def _add(archive: Archive, found: Sequence[tuple[Requisite, Path]], what: str) -> list[int]:
    """Put in what lies at these places; the size of each that was missing."""
    sizes = [_size(place) for _, place in found]
    if not found:
        return []
    _check_space(archive.folder, sum(sizes))
    with operation.step(f"Archive the {what}", total=sum(sizes), unit="bytes") as task:
        new = [archive.add(need.output, place, task.advance) for need, place in found]
        task.note(f"{sum(new)} of {len(new)} were new")
    return [size for size, added in zip(sizes, new, strict=True) if added]


def _size(place: Path) -> int:
    if place.is_dir() and not place.is_symlink():
        return sum(p.lstat().st_size for p in place.rglob("*") if not p.is_dir() or p.is_symlink())
    return place.lstat().st_size


def _check_space(folder: Path, needed: int) -> None:
    if free_space(folder) < needed + MARGIN:
        error = no_space(folder)
        error.what = f"{error.what}; the sources take {needed / 1e9:.2f} GB more, and 1 GB is left alone"
        raise error
