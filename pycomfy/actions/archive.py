"""`archive`: keep every source of every version, know whether all of it is there and whole, share it."""

import shutil
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pycomfy.actions.realise import host_platform
from pycomfy.errors import NotFound, PycomfyError, raise_all
from pycomfy.flow.archive.narinfo import narinfo_name
from pycomfy.flow.archive.needs import Need, indispensable, list_models, list_needs, need_of_model
from pycomfy.flow.archive.storepath import FixedOutput, is_store_path
from pycomfy.flow.lock.model import Lock, ModelFile, PlatformName
from pycomfy.outside.archive import Archive, Damage, Removed, check_archive, find_archive
from pycomfy.outside.archive.pull import pull_path
from pycomfy.outside.archive.recorded import list_locks
from pycomfy.outside.files import full_disk_is_an_error, no_space
from pycomfy.outside.home import Home
from pycomfy.outside.models.store import ModelStore
from pycomfy.outside.nix.caches import copy_between, folder_url, parse_store_url, uncompressed
from pycomfy.outside.nix.settings import NixSettings
from pycomfy.outside.nix.store import valid_paths
from pycomfy.progress import Progress

MARGIN = 1 << 30
"""Bytes that stay free on the archive's disk."""

_PULL_JOBS = 4
_PUSH_BYTES = 512 << 20  # bytes handed to one `nix copy`, so that progress shows and a stop loses little


@dataclass(frozen=True)
class Missing:
    """A source that the archive lacks, and the versions that need it. `here`: this machine's store has it."""

    need: Need
    labels: tuple[str, ...]
    here: bool = False


@dataclass(frozen=True)
class Status:
    """How complete the archive is. `needed` and `present` count store paths, `size` is bytes of all that is there;
    `superfluous` is what no recorded version needs; `models` and `models_present` count the models of all versions,
    which need not be here."""

    archive: Archive
    versions: int
    needed: int
    present: int
    size: int
    missing: tuple[Missing, ...]
    superfluous: Removed
    models: int
    models_present: int


@dataclass(frozen=True)
class Filled:
    """What was added; `absent` is neither in the archive nor in this machine's store."""

    added: int
    size: int
    absent: tuple[Need, ...] = ()


@dataclass(frozen=True)
class Verified:
    """`read` counts bytes, `repaired` are those of `damage` that are whole again."""

    damage: tuple[Damage, ...]
    repaired: int
    paths: int
    read: int


@dataclass(frozen=True)
class Transfer:
    """A push or a pull: the store paths it was about, those that are there now, and what nobody had."""

    paths: int
    moved: int
    absent: tuple[Missing, ...] = ()


def fill_version(
    lock: Lock, platforms: Collection[PlatformName], home: Home, settings: NixSettings, progress: Progress
) -> Filled:
    """Archive what images of `lock` for these platforms are made of. Raises `NoSpace` before it begins, if there is
    too little, and `HashMismatch` for a path that the store has damaged."""
    return _fill(find_archive(home), list_needs(lock, platforms), settings, progress)


def fill(home: Home, settings: NixSettings, progress: Progress, *, models: bool = False) -> Filled:
    """Archive whatever recorded versions need and this machine's store has; with `models` their models, too."""
    archive, wanted = find_archive(home), _wanted(home)
    needs = {need.path: need for one in wanted for need in one.needs}
    filled = _fill(archive, list(needs.values()), settings, progress)
    if not models:
        return filled
    more = fill_models([n for one in wanted for n in one.models], home, progress)
    return Filled(filled.added + more.added, filled.size + more.size, filled.absent + more.absent)


def fill_models(models: Sequence[Need], home: Home, progress: Progress) -> Filled:
    """Archive models that are on this machine. Raises `NoSpace` before it begins, if there is too little."""
    archive, store = find_archive(home), ModelStore(home, progress)
    wanted = {need.path: need for need in models if not archive.has(need.output)}.values()
    found = {need: store.find(need.output.sha256.hex()) for need in wanted}
    added = _add(archive, [(need, place) for need, place in found.items() if place is not None], "models", progress)
    return Filled(len(added), sum(added), tuple(need for need, place in found.items() if place is None))


def take_models(models: Iterable[ModelFile], home: Home, progress: Progress) -> int:
    """Put into this machine's models those that it lacks and the archive has; how many that were. Raises
    `HashMismatch` for a damaged one."""
    archive, store = find_archive(home), ModelStore(home, progress)
    wanted = {m.sha256: need_of_model(m) for m in store.missing(tuple(models))}
    there = {sha256: need for sha256, need in wanted.items() if archive.find(need.output) is not None}
    sizes = {sha256: archive.size_of(need.output) for sha256, need in there.items()}
    if not there:
        return 0
    with progress.step("Take models from the archive", total=sum(sizes.values()), unit="bytes") as task:
        for sha256, need in there.items():
            part = store.partial(f"{sha256}.archived")
            with full_disk_is_an_error(part):
                part.parent.mkdir(parents=True, exist_ok=True)
                part.unlink(missing_ok=True)
            archive.take(need.output, part)
            store.keep(part, sha256)
            task.advance(sizes[sha256])
    return len(there)


def status(home: Home, settings: NixSettings) -> Status:
    """What recorded versions need, and what of it is there; nothing is read but names and sizes."""
    archive, wanted = find_archive(home), _wanted(home)
    missing = _missing(archive, wanted)
    needs = {need.path: need for one in wanted for need in one.needs}
    here = set(valid_paths(settings, [m.need.path for m in missing]))
    return Status(
        archive,
        len({label for one in wanted for label in one.labels}),
        len(needs),
        len(needs) - len(missing),
        archive.size(),
        tuple(Missing(m.need, m.labels, m.need.path in here) for m in missing),
        archive.remove_others(_all_outputs(home), dry=True),
        len(models := {need.path: need for one in wanted for need in one.models}),
        sum(archive.has(need.output) for need in models.values()),
    )


def verify_archive(home: Home, settings: NixSettings, progress: Progress, *, repair: bool = False) -> Verified:
    """Read every byte. With `repair`, what is damaged is removed, and put in again if this machine's store has it."""
    archive = find_archive(home)
    total = archive.size()
    with progress.step("Read the archive", total=total, unit="bytes") as task:
        damage = check_archive(archive, task.advance)
        task.note(f"{len(damage)} damaged" if damage else "all of it is whole")
    repaired = 0
    if repair and damage:
        archive.remove_files(_with_entries(damage))
        still = {d.path for d in damage} - {""}
        fill(home, settings, progress)
        fill_models([n for one in _wanted(home) for n in one.models if n.path in still], home, progress)
        repaired = _count_repaired(damage, archive, _all_outputs(home))
    return Verified(tuple(damage), repaired, len(archive.narinfos()), total)


def _with_entries(damage: Iterable[Damage]) -> set[str]:
    """The damaged files, and the entries of those that are NARs: without its NAR an entry is damage, too."""
    files = {d.file for d in damage}
    return files | {narinfo_name(d.path) for d in damage if is_store_path(d.path)}


def _count_repaired(damage: Iterable[Damage], archive: Archive, outputs: Iterable[FixedOutput]) -> int:
    """How much of the damage is whole again, or was of what nobody needs."""
    by_name = {name: output for output in outputs for name in (output.path, narinfo_name(output.path))}
    hurt = [by_name.get(d.file) or by_name.get(d.path) for d in damage]
    return sum(1 for output in hurt if output is None or archive.has(output))


def push(url: str, home: Home, settings: NixSettings, progress: Progress) -> Transfer:
    """Copy what recorded versions need to another store; what it has is not sent again."""
    to = uncompressed(parse_store_url(url))
    archive = find_archive(home)
    there = [output for output in _all_outputs(home) if archive.has(output)]
    sizes = [archive.size_of(output) for output in there]
    with progress.step("Push", total=sum(sizes), unit="bytes") as task, folder_url(archive.folder) as source:
        for batch in batches(sizes):
            copy_between(settings, source, to, [there[i].path for i in batch])
            task.advance(sum(sizes[i] for i in batch))
    return Transfer(len(there), len(there), _missing(archive, _wanted(home)))


def pull(url: str, home: Home, settings: NixSettings, progress: Progress, *, models: bool = False) -> Transfer:
    """Fetch what recorded versions need and the archive lacks, with `models` their models too; each is checked by its
    hash before it is put in."""
    missing = _missing(find_archive(home), _wanted(home), models=models)
    absent = set(pull_needs(url, [m.need for m in missing], home, settings, progress))
    lacking = tuple(m for m in missing if m.need in absent)
    return Transfer(len(missing), len(missing) - len(lacking), lacking)


def pull_needs(
    url: str, needs: Sequence[Need], home: Home, settings: NixSettings, progress: Progress
) -> tuple[Need, ...]:
    """Fetch `needs` into the archive from another store; those that it lacks are returned."""
    source, archive = parse_store_url(url), find_archive(home)
    if not needs:
        return ()
    problems: list[PycomfyError] = []
    absent: list[Need] = []

    def one(need: Need) -> None:
        try:
            pull_path(settings, source, archive, need.output)
        except NotFound:
            absent.append(need)
        except PycomfyError as e:
            problems.append(e)
        task.advance()

    with progress.step(f"Pull from {url}", total=len(needs)) as task, ThreadPoolExecutor(_PULL_JOBS) as pool:
        list(pool.map(one, needs))
    raise_all(problems[:20])
    return tuple(need for need in needs if need in absent)


def collect_garbage(home: Home, *, dry: bool = False) -> Removed:
    """Remove what no recorded version needs. Raises `NotFound` if no version is recorded at all: then it is more likely
    that the library is elsewhere than that everything is superfluous."""
    archive = find_archive(home)
    if not archive.folder.is_dir():
        return Removed(0, 0)
    with archive.lock():
        keep = _all_outputs(home)
        if not keep and archive.narinfos():
            raise NotFound(
                "no version is recorded, so everything in the archive would be removed",
                where=str(home.data),
                fix="see that PYCOMFY_HOME is right; to remove all of it, delete the archive's folder",
            )
        return archive.remove_others(keep, dry=dry)


def _fill(archive: Archive, needs: Sequence[Need], settings: NixSettings, progress: Progress) -> Filled:
    wanted = [need for need in needs if not archive.has(need.output)]
    if not wanted:
        return Filled(0, 0)
    here = set(valid_paths(settings, [need.path for need in wanted]))
    todo = [(need, settings.place(need.path)) for need in wanted if need.path in here]
    added = _add(archive, todo, "sources", progress)
    absent = [need for need in wanted if need.path not in here]
    return Filled(len(added), sum(added), indispensable(absent, needs))


def _add(archive: Archive, found: Sequence[tuple[Need, Path]], what: str, progress: Progress) -> list[int]:
    """Put in what lies at these places; the size of each that was missing."""
    sizes = [_size(place) for _, place in found]
    if not found:
        return []
    _check_space(archive.folder, sum(sizes))
    with progress.step(f"Archive the {what}", total=sum(sizes), unit="bytes") as task:
        new = [archive.add(need.output, place, task.advance) for need, place in found]
        task.note(f"{sum(new)} of {len(new)} were new")
    return [size for size, added in zip(sizes, new, strict=True) if added]


@dataclass(frozen=True)
class _Wanted:
    """What some versions that share a lock need."""

    labels: tuple[str, ...]
    needs: tuple[Need, ...]
    models: tuple[Need, ...]


def _wanted(home: Home) -> list[_Wanted]:
    """What the recorded versions need for the platforms that they were built for; those that never were, for all that
    are locked."""
    locks = list_locks(home)
    host = {host_platform()}
    return [
        _Wanted(r.labels, list_needs(r.lock, r.platforms | host if r.platforms else None), list_models(r.lock))
        for r in locks
    ]


def _missing(archive: Archive, wanted: Sequence[_Wanted], *, models: bool = False) -> tuple[Missing, ...]:
    labels: dict[str, list[str]] = {}
    needs: dict[str, Need] = {}
    for one in wanted:
        lost = [need for need in one.needs if not archive.has(need.output)]
        for need in (*indispensable(lost, one.needs), *(one.models if models else ())):
            labels.setdefault(need.path, []).extend(one.labels)
            needs[need.path] = need
    return tuple(Missing(need, tuple(labels[path])) for path, need in needs.items() if not archive.has(need.output))


def _all_outputs(home: Home) -> list[FixedOutput]:
    """What any recorded version needs, for any platform, and their models."""
    needs = (n for recorded in list_locks(home) for n in (*list_needs(recorded.lock), *list_models(recorded.lock)))
    return list({need.path: need.output for need in needs}.values())


def batches(sizes: Sequence[int]) -> list[list[int]]:
    """Indices, in groups of some bytes."""
    batches: list[list[int]] = [[]]
    size = 0
    for i, amount in enumerate(sizes):
        if batches[-1] and size + amount > _PUSH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(i)
        size += amount
    return batches


def _size(place: Path) -> int:
    if place.is_dir() and not place.is_symlink():
        return sum(p.lstat().st_size for p in place.rglob("*") if not p.is_dir() or p.is_symlink())
    return place.lstat().st_size


def _check_space(folder: Path, needed: int) -> None:
    there = next(p for p in (folder, *folder.parents) if p.exists())
    if shutil.disk_usage(there).free < needed + MARGIN:
        error = no_space(folder)
        error.what = f"{error.what}; the sources take {needed / 1e9:.2f} GB more, and 1 GB is left alone"
        raise error
