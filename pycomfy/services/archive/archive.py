"""`archive`: keep every source of every version, and say whether all of it is there and whole."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive, Removed
from pycomfy.adapters.archive.integrity import Damage, check_archive
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, ModelFile
from pycomfy.core.nix.bootstrap import Bootstrap
from pycomfy.core.nix.lock_outputs import Requisite, list_requisites, model_requisite
from pycomfy.core.nix.narinfo import narinfo_name
from pycomfy.core.nix.store_path import FixedOutput, is_store_path
from pycomfy.errors import NotFound, PycomfyError, raise_all
from pycomfy.services.archive.completeness import (
    MissingSource,
    count_present,
    list_missing,
    list_outputs,
    list_version_requisites,
)
from pycomfy.services.archive.fill import FillResult, add_files, fill_requisites, fill_result
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class ModelCount:
    """Of the models of all versions, `needed`, how many are in the archive; they need not be there."""

    needed: int
    present: int


class ArchiveStatus(Result):
    """How complete the archive is. `needed` and `present` count store paths, `size` is bytes of all that is there;
    `superfluous` is what no version needs."""

    folder: Path
    versions: int
    needed: int
    present: int
    size: int
    missing: tuple[MissingSource, ...]
    superfluous: Removed
    models: ModelCount


class ArchiveVerification(Result):
    """`paths` counts entries, `read` bytes; `repaired` counts those of `damage` that are whole again."""

    paths: int
    read: int
    damage: tuple[Damage, ...]
    repaired: int


class CollectResult(Result):
    """How many store paths were removed, and the bytes of all their files; with `dry_run` they would be."""

    paths: int
    size: int
    dry_run: bool


def fill_version(
    workspace: Workspace, lock: Lock, platforms: Collection[PlatformName], bootstrap: Bootstrap | None = None
) -> FillResult:
    """Archive what images of `lock` for these platforms are made of; `bootstrap` is the project's. Raises as
    `fill_requisites`."""
    return fill_requisites(workspace, list_requisites(lock, platforms, bootstrap=bootstrap), [bootstrap])


def fill(workspace: Workspace, *, models: bool = False) -> FillResult:
    """Archive whatever the versions need and this machine has; with `models` their models too. Raises as
    `fill_requisites`."""
    needed = list_version_requisites(workspace)
    requisites = list({r.path: r for one in needed for r in one.requisites}.values())
    filled = fill_requisites(workspace, requisites, [one.bootstrap for one in needed])
    if not models:
        return filled
    more = fill_models(workspace, [r for one in needed for r in one.models])
    return FillResult(added=filled.added + more.added, size=filled.size + more.size, absent=filled.absent + more.absent)


def fill_models(workspace: Workspace, models: Sequence[Requisite]) -> FillResult:
    """Archive models that are on this machine. Raises `NoSpace` before it begins, if there is too little."""
    archive, store = workspace.archive, workspace.models
    lacking = {r.path: r for r in models if not archive.has(r.output)}.values()
    found = {r: store.find(r.output.sha256.hex()) for r in lacking}
    # A model may be a link to a file of the user's on another disk.
    added = add_files(archive, [(r, path.resolve()) for r, path in found.items() if path is not None], "models")
    return fill_result(added, [r for r, path in found.items() if path is None])


def find_archived(workspace: Workspace, models: Iterable[ModelFile]) -> dict[str, Requisite]:
    """Return those of the models that the model store lacks and the archive has, by their hash. Raises `HashMismatch`
    for one whose description in the archive is damaged."""
    missing = {m.sha256: model_requisite(m) for m in workspace.models.list_missing(tuple(models))}
    return {sha256: r for sha256, r in missing.items() if workspace.archive.find(r.output) is not None}


def take_models(workspace: Workspace, models: Iterable[ModelFile]) -> int:
    """Put into the model store those that it lacks and the archive has; return how many. Raises `HashMismatch` for a
    damaged one."""
    archive, store, there = workspace.archive, workspace.models, find_archived(workspace, models)
    sizes = {sha256: archive.size_of(r.output) for sha256, r in there.items()}
    if not there:
        return 0
    with operation.step("Take models from the archive", total=sum(sizes.values()), unit="bytes") as task:
        for sha256, requisite in there.items():
            part = store.partial_path(f"{sha256}.archived")
            with translate_disk_full(part):
                part.parent.mkdir(parents=True, exist_ok=True)
                part.unlink(missing_ok=True)
            archive.take(requisite.output, part)
            store.finish(part, sha256)
            task.advance(sizes[sha256])
    return len(there)


def status(workspace: Workspace) -> ArchiveStatus:
    """Compare what the versions need with what is there, by names and sizes alone: no content is read. Nothing counts
    as superfluous while a version cannot be read."""
    archive, needed = workspace.archive, list_version_requisites(workspace)
    unreadable: list[PycomfyError] = []
    outputs = list_outputs(workspace, unreadable.append)
    missing, present = list_missing(archive.has, needed), count_present(archive, needed)
    models = {r.path: r for one in needed for r in one.models}
    in_store = set(valid_paths(workspace.nix, [m.requisite.path for m in missing]))
    return ArchiveStatus(
        folder=archive.folder,
        versions=len({label for one in needed for label in one.versions}),
        needed=present + len(missing),
        present=present,
        size=archive.size(),
        missing=tuple(m.describe(in_store=m.requisite.path in in_store) for m in missing),
        superfluous=Removed(0, 0) if unreadable else archive.remove_others(outputs, dry=True),
        models=ModelCount(len(models), sum(archive.has(r.output) for r in models.values())),
    )


def verify_archive(workspace: Workspace, *, repair: bool = False) -> ArchiveVerification:
    """Read every byte. With `repair`, damaged files are removed, and put in again from this machine's stores."""
    archive = workspace.archive
    total = archive.size()
    with operation.step("Read the archive", total=total, unit="bytes") as task:
        damage = check_archive(archive, task.advance)
        task.note(f"{len(damage)} damaged" if damage else "all of it is whole")
    repaired = 0
    if repair and damage:
        archive.remove_files(_with_entries(damage))
        damaged = {d.path for d in damage} - {""}
        fill(workspace)
        models = [r for one in list_version_requisites(workspace) for r in one.models if r.path in damaged]
        fill_models(workspace, models)
        repaired = _count_repaired(damage, archive, list_outputs(workspace, operation.report_error))
    return ArchiveVerification(paths=len(archive.narinfos()), read=total, damage=tuple(damage), repaired=repaired)


def _with_entries(damage: Iterable[Damage]) -> set[str]:
    """Return the damaged files, and the entries of those that are NARs: without its NAR an entry is damaged too."""
    files = {d.file for d in damage}
    return files | {narinfo_name(d.path) for d in damage if is_store_path(d.path)}


def _count_repaired(damage: Iterable[Damage], archive: Archive, outputs: Iterable[FixedOutput]) -> int:
    """Count the damage that is whole again, or was in what no version needs."""
    by_name = {name: output for output in outputs for name in (output.path, narinfo_name(output.path))}
    hurt = [by_name.get(d.file) or by_name.get(d.path) for d in damage]
    return sum(1 for output in hurt if output is None or archive.has(output))


def collect_garbage(workspace: Workspace, *, dry: bool = False) -> CollectResult:
    """Remove what no version needs. Raises `NotFound` if there is no version at all: then it is more likely that the
    versions repository is elsewhere than that everything is superfluous. Raises what `index` finds that cannot be read:
    nobody knows what it needs."""
    archive = workspace.archive
    if not archive.folder.is_dir():
        return CollectResult(paths=0, size=0, dry_run=dry)
    with archive.lock():
        raise_all([*index(workspace).problems.values()])
        keep = list_outputs(workspace)
        if not keep and archive.narinfos():
            raise NotFound(
                "there are no versions, so everything in the archive would be removed",
                where=str(workspace.paths.data),
                fix=("see that PYCOMFY_HOME is right", "to remove all of it, delete the archive's folder"),
            )
        removed = archive.remove_others(keep, dry=dry)
    return CollectResult(paths=removed.paths, size=removed.size, dry_run=dry)
