"""Whether the data folder and the cache can be written, and what sudden ends left in them."""

import shlex
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pycomfy.adapters.containers.job_folder import KEPT_DAYS
from pycomfy.adapters.io.disks import DiskSpace, look_at_disk
from pycomfy.adapters.io.temp_dirs import SCRATCH, find_leftovers
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import MAX_SHOWN, Finding, Subject
from pycomfy.services.doctor.subjects import CACHE, DRY_RUNS, FOLDER, LEFTOVERS, UNSAVED

LEFT_FOR = 3600.0
"""Seconds that something lies unchanged before it counts as left over."""

_LEFT: tuple[tuple[str, str], ...] = (
    ("data", ".store-*"),
    ("data", ".catalog-*"),
    ("data", ".*.git.*"),
    ("cache", "root-*"),
    ("cache", ".tree-*"),
    ("cache", "projects/*-*"),
    ("data", "jobs/job-*"),
    ("data", "archive/.part-*"),
    ("data", "archive/nar/.part-*"),
)
"""Where something is prepared, below the data folder or the cache."""


def check_folders(examination: Examination) -> Iterator[Finding]:
    """Look at the data folder and the cache."""
    paths = examination.workspace.paths
    for subject, path in ((FOLDER, paths.data), (CACHE, paths.cache)):
        space = look_at_disk(path)
        mode = path.stat().st_mode if space.exists else 0
        chosen = bool(examination.workspace.environment.get("PYCOMFY_HOME"))
        yield judge_folder(subject, space, mode, chosen=chosen)


def judge_folder(subject: Subject, space: DiskSpace, mode: int, *, chosen: bool) -> Finding:
    """Judge a folder. `mode` are its permissions, 0 where it does not exist; `chosen`: the user named it in
    PYCOMFY_HOME."""
    where = str(space.folder)
    facts = {"path": where, "exists": space.exists, "file_system": space.file_system or None, "chosen": chosen}
    elsewhere = "set PYCOMFY_HOME to a folder of yours"
    if space.exists and not stat.S_ISDIR(mode):
        return subject.problem(f"{where} is not a folder", fix=elsewhere, facts=facts)
    if not space.writable:
        what = f"{where} cannot be written" if space.exists else f"{where} cannot be made: no permission"
        return subject.problem(what, fix=(f"make {space.present} writable for you", elsewhere), facts=facts)
    if space.is_network and subject == FOLDER:
        details = "SQLite's and git's locks do not always hold there: with two machines at once, data may be damaged."
        fix = "set PYCOMFY_HOME to a folder on a disk of this machine"
        return subject.warning(f"{where} is on a network ({space.file_system})", details=details, fix=fix, facts=facts)
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return subject.warning(f"every user may change {where}", fix=f"chmod o-w {shlex.quote(where)}", facts=facts)
    return subject.ok(where if space.exists else f"{where}, which is made when it is needed", facts=facts)


def check_leftovers(examination: Examination) -> Iterator[Finding]:
    """Look for what nobody works in any more."""
    paths = examination.workspace.paths
    found: list[Path] = []
    temporary = examination.surroundings().temporary
    found += find_leftovers(temporary, f"{SCRATCH}*", older_than=LEFT_FOR) if temporary is not None else []
    for kind, pattern in _LEFT:
        folder, _, name = pattern.rpartition("/")
        found += find_leftovers((paths.data if kind == "data" else paths.cache) / folder, name, older_than=LEFT_FOR)
    yield judge_leftovers(found)
    yield judge_dry_runs(paths.dry_runs, find_leftovers(paths.dry_runs, "dry-*", older_than=LEFT_FOR))
    yield judge_unsaved(sorted(paths.unsaved.iterdir()) if paths.unsaved.is_dir() else [])


def judge_unsaved(found: Sequence[Path]) -> Finding:
    """Judge the folders with outputs that could not be saved where they were asked for."""
    what = f"{len(found)} {'folder' if len(found) == 1 else 'folders'} of outputs, kept for {KEPT_DAYS} days"
    return _list_found(UNSAVED, found, what, fix="copy what you need from there")


def judge_leftovers(found: Sequence[Path]) -> Finding:
    """Judge what was found."""
    what = f"{len(found)} that a sudden end left; most are removed by the next command of their kind"
    return _list_found(LEFTOVERS, found, what, fix="remove them, if no pycomfy is running")


def judge_dry_runs(folder: Path, found: Sequence[Path]) -> Finding:
    """Judge the copies in `folder` that dry runs left which were killed."""
    what = f"{len(found)} {'copy' if len(found) == 1 else 'copies'} of data that dry runs left which were killed"
    return _list_found(DRY_RUNS, found, what, fix=f"while no dry run is running: rm -rf {shlex.quote(str(folder))}")


def _list_found(subject: Subject, found: Sequence[Path], what: str, fix: str) -> Finding:
    facts = {"paths": [str(path) for path in found]}
    if not found:
        return subject.ok("none", facts=facts)
    details = "\n".join(str(path) for path in found[:MAX_SHOWN]) + (" …" if len(found) > MAX_SHOWN else "")
    return subject.note(what, details=details, fix=fix, facts=facts)
