"""Disk space: what is free where pycomfy writes, against what a first build of the example takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.disks import DiskSpace, look_at_disk
from pycomfy.errors import BadConfig, Fix, suggest
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding, State, Subject
from pycomfy.services.doctor.subjects import DISK_CACHE, DISK_DATA, DISK_ENGINE, DISK_STORE, DISK_TEMPORARY


@dataclass(frozen=True)
class Need:
    """What a first build writes below one folder. `size` is in bytes, as measured with the example."""

    subject: Subject
    size: int
    purpose: str


GB = 10**9
NEEDS = (
    Need(DISK_STORE, 12_300_000_000, "packages and the image"),
    Need(DISK_ENGINE, 8_000_000_000, "the image, loaded"),
    Need(DISK_DATA, 4_300_000_000, "the archive"),
    Need(DISK_CACHE, 200_000_000, "downloads"),
    Need(DISK_TEMPORARY, 200_000_000, "what is unpacked"),
)
FULL = 100_000_000
"""With fewer bytes free, nothing works."""
FEW_FILES = 100_000
"""As many files as an image has."""


def check_disks(examination: Examination) -> Iterator[Finding]:
    """Look at the disks of all folders that a build writes to."""
    folders = {n.subject.id: folder for n in NEEDS if (folder := _find_folder(examination, n.subject)) is not None}
    spaces = {id_: look_at_disk(folder) for id_, folder in folders.items()}
    database = examination.database()
    return judge_disks(spaces, built=database is not None and bool(database.commits))


def _find_folder(examination: Examination, subject: Subject) -> Path | None:
    paths = examination.workspace.paths
    if subject == DISK_ENGINE:
        try:
            engine = examination.engine()
        except BadConfig:
            return None
        return engine.storage if engine is not None else None
    return {
        DISK_STORE.id: examination.workspace.nix.local_path("/nix/store"),
        DISK_DATA.id: paths.data,
        DISK_CACHE.id: paths.cache,
        DISK_TEMPORARY.id: examination.surroundings().temporary,
    }[subject.id]


def judge_disks(spaces: Mapping[str, DiskSpace], *, built: bool) -> Iterator[Finding]:
    """Judge each disk, with all folders that share it; `spaces` are by the subjects' ids.

    Once something was `built`, less is needed than the first time: too little for a first build is only noted."""
    disks: dict[str, list[Need]] = {}
    for need in NEEDS:
        if need.subject.id in spaces:
            disks.setdefault(spaces[need.subject.id].disk, []).append(need)
    for needs in disks.values():
        yield _judge_disk(needs, [spaces[need.subject.id] for need in needs], built=built)


def _judge_disk(needs: Sequence[Need], spaces: Sequence[DiskSpace], *, built: bool) -> Finding:
    space = min(spaces, key=lambda s: s.free)
    needed = sum(need.size for need in needs)
    names = "all folders" if len(needs) == len(NEEDS) else ", ".join(need.subject.name for need in needs)
    subject = Subject("disk", needs[0].subject.id, names)
    what = f"{_size(space.free)} free of {_size(space.total)}" + (f" ({space.file_system})" * bool(space.file_system))
    facts = {
        "free": space.free,
        "total": space.total,
        "needed": needed,
        "file_system": space.file_system or None,
        "free_files": space.free_files,
        "folders": {need.subject.id: str(s.folder) for need, s in zip(needs, spaces, strict=True)},
        "hard_links": len({s.device for s in spaces}) == 1,
    }
    each = "; ".join(f"{_size(n.size)} for {n.purpose} ({s.folder})" for n, s in zip(needs, spaces, strict=True))
    details = f"A first build takes about {_size(needed)} here: {each}."
    fixes = _how_to_free(needs, spaces)
    if space.free < FULL or space.free_files == 0:
        full = "full" if space.free_files != 0 else "no more files can be made"
        return subject.problem(f"{full}: {what}", details=details, fix=fixes, facts=facts)
    if space.free_files is not None and space.free_files < FEW_FILES:
        few = f"room for only {space.free_files} more files"
        return subject.warning(f"{few}: {what}", details=details, fix=fixes, facts=facts)
    if space.free < needed:
        state: State = "note" if built else "warning"
        what = f"{what}, a first build takes {_size(needed)}"
        return subject.finding(state, what, details=details, fix=fixes, facts=facts)
    return subject.ok(what, details=details, facts=facts)


def _how_to_free(needs: Sequence[Need], spaces: Sequence[DiskSpace]) -> tuple[str | Fix, ...]:
    ids = {need.subject.id for need in needs}
    cache = next((s.folder for n, s in zip(needs, spaces, strict=True) if n.subject == DISK_CACHE), None)
    found: list[str | Fix] = [suggest("gc")] if ids & {DISK_STORE.id, DISK_DATA.id} else []
    found += ["`nix-store --gc`"] if DISK_STORE.id in ids else []
    found += [suggest("gc", loaded=True)] if DISK_ENGINE.id in ids else []
    if cache is not None and cache.exists():
        found.append(f"remove the cache, {cache}: nothing in it is lost")
    if ids & {DISK_DATA.id, DISK_CACHE.id}:
        found.append("set PYCOMFY_HOME to a folder on a larger disk")
    if DISK_TEMPORARY.id in ids and len(ids) == 1:
        found.append("set TMPDIR to a folder on a larger disk")
    return tuple(found)


def _size(amount: int) -> str:
    if amount < GB:
        return f"{amount / 1e6:.0f} MB"
    return f"{amount / GB:.1f} GB"
