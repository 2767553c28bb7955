"""The data folder: whether it can be written, whether its database, versions, archive, images and models are whole."""

import shlex
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pycomfy.adapters.database.database import database_path
from pycomfy.adapters.database.inspection import DatabaseInspection
from pycomfy.adapters.io.disks import DiskSpace, look_at_disk
from pycomfy.adapters.io.temp_dirs import find_leftovers
from pycomfy.adapters.io.time_limit import time_limit
from pycomfy.adapters.nix.inspection import list_auto_roots
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.core.versions.reference import check_workflow_name
from pycomfy.errors import BadInput, HashMismatch, PycomfyError, suggest
from pycomfy.services.archive.completeness import MissingRequisite, list_missing, list_version_requisites
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import MAX_ITEMS, Finding, Subject
from pycomfy.services.doctor.subjects import (
    ARCHIVE,
    CACHE,
    DATABASE,
    FOLDER,
    IMAGES,
    INDEX,
    LEFTOVERS,
    MODELS,
    VERSIONS,
)

SECONDS = 20.0
"""For git, which reads what refers to what in all versions."""

MAX_VERSIONS = 500
"""Versions whose locks are read, which takes some milliseconds each."""

LEFT_FOR = 3600.0
"""Seconds that something lies unchanged before it counts as left over."""

_SHOWN = 5


# — folders —


def check_folders(examination: Examination) -> Iterator[Finding]:
    paths = examination.workspace.paths
    for subject, path in ((FOLDER, paths.data), (CACHE, paths.cache)):
        space = look_at_disk(path)
        mode = path.stat().st_mode if space.exists else 0
        chosen = bool(examination.workspace.environment.get("PYCOMFY_HOME"))
        yield judge_folder(subject, space, mode, chosen=chosen)


def judge_folder(subject: Subject, space: DiskSpace, mode: int, *, chosen: bool) -> Finding:
    """`mode` are its permissions, 0 where it does not exist; `chosen`: the user named it, in PYCOMFY_HOME."""
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


# — versions —


def check_versions(examination: Examination) -> Iterator[Finding]:
    """The versions repository, the database, and whether the two agree."""
    database = examination.database()
    yield judge_database(database_path(examination.workspace.paths), database)
    bare = examination.workspace.versions.bare
    if not bare.exists:
        yield judge_versions(bare.path, None, ())
        yield judge_index(database, None)
        return
    with time_limit(SECONDS):
        damage = bare.check()
    tips = {ref.removeprefix("refs/heads/"): commit for ref, commit in bare.refs("refs/heads").items()}
    yield judge_versions(bare.path, tips, damage)
    yield judge_index(database, tips)


def judge_database(path: Path, database: DatabaseInspection | None) -> Finding:
    """What a damaged one knew is in the versions repository too, except runs and the logs of builds."""
    facts = {"path": str(path), "exists": database is not None}
    if database is None:
        return DATABASE.ok("none yet", facts=facts)
    facts |= {"size": database.size, "whole": not database.damage, "migrations": len(database.applied)}
    if database.damage:
        what = f"{path.name} is damaged: {database.damage[0]}"
        fix = suggest("reindex", "makes it anew from the versions repository; the damaged file is put aside")
        return DATABASE.problem(what, details="\n".join(database.damage), fix=fix, facts=facts)
    if database.is_newer:
        return DATABASE.problem("it was made by a newer pycomfy", fix="update pycomfy", facts=facts)
    if database.applied != database.known:
        behind = len(database.known - database.applied)
        what = f"whole, {behind} {'step' if behind == 1 else 'steps'} behind this pycomfy; updated when it is next used"
        return DATABASE.ok(what, facts=facts)
    return DATABASE.ok(f"whole, {len(database.applied)} migrations", facts=facts)


def judge_versions(path: Path, tips: Mapping[str, str] | None, damage: Sequence[str]) -> Finding:
    """`tips` are the newest commits by branch, None without a repository."""
    facts = {"path": str(path), "exists": tips is not None, "workflows": len(tips or ())}
    if tips is None:
        return VERSIONS.ok("none yet", facts=facts)
    if damage:
        fix = (
            suggest("pull", "from a versions repository that has them"),
            "put back a copy of the folder",
        )
        details = "\n".join(damage[:_SHOWN]) + (f"\nand {len(damage) - _SHOWN} more" if len(damage) > _SHOWN else "")
        return VERSIONS.problem(f"damaged: {damage[0]}", details=details, fix=fix, facts=facts)
    count = len(tips)
    return VERSIONS.ok(f"whole, {count} {'workflow' if count == 1 else 'workflows'}", facts=facts)


def judge_index(database: DatabaseInspection | None, tips: Mapping[str, str] | None) -> Finding:
    """Whether the database knows the newest version of every workflow, and no workflow that is gone. It is brought up
    to date by whatever command reads it next; but not from a versions repository that is gone."""
    known = database.commits if database is not None else {}
    workflows = {name: commit for name, commit in (tips or {}).items() if _is_workflow(name)}
    newest = {name: rows[max(rows)] for name, rows in known.items() if rows}
    behind = sorted(name for name, commit in workflows.items() if newest.get(name) != commit)
    gone = sorted(name for name in known if name not in workflows)
    facts = {
        "versions": sum(map(len, known.values())),
        "behind": behind[:MAX_ITEMS],
        "gone": gone[:MAX_ITEMS],
    }
    if database is not None and database.damage:
        return INDEX.finding("unknown", "the database cannot be read", facts=facts)
    if tips is None and any(commit for rows in known.values() for commit in rows.values()):
        what = f"the versions repository is gone, with {facts['versions']} versions that the database knows"
        fix = ("put it back", "clone it from where it was pushed", "to begin anew, remove the database")
        return INDEX.problem(what, fix=fix, facts=facts)
    if behind or gone:
        count = len(behind) + len(gone)
        names = ", ".join([*behind, *gone][:_SHOWN]) + (" …" if count > _SHOWN else "")
        return INDEX.note(f"differ for {names}", fix=suggest("reindex"), facts=facts)
    versions = facts["versions"]
    if not versions:
        return INDEX.ok("no versions yet", facts=facts)
    return INDEX.ok(f"agree, {versions} {'version' if versions == 1 else 'versions'}", facts=facts)


def _is_workflow(branch: str) -> bool:
    try:
        check_workflow_name(branch)
    except BadInput:
        return False
    return True


# — archive —


def check_archive(examination: Examination) -> Iterator[Finding]:
    """Names and sizes are looked at, not the bytes."""
    workspace = examination.workspace
    archive = workspace.archive
    database = examination.database()
    versions = sum(map(len, database.commits.values())) if database is not None else 0
    facts = {"path": str(archive.folder), "exists": archive.folder.is_dir(), "versions": versions}
    try:
        archive.check_info()
    except HashMismatch as e:
        yield ARCHIVE.problem(e.what, fix=suggest("archive verify", repair=True), facts=facts)
        return
    if versions > MAX_VERSIONS:
        what = f"{versions} versions, which take long to look at"
        yield ARCHIVE.note(what, fix=suggest("archive status"), facts=facts)
        return
    recorded = list_version_requisites(workspace)
    needed = {r.path for one in recorded for r in one.requisites}
    missing = list_missing(archive, recorded)
    yield judge_archive(facts, len(needed), archive.size(), missing, _find_here(examination, missing))


def _find_here(examination: Examination, missing: Sequence[MissingRequisite]) -> Collection[str]:
    """Those paths that this machine's Nix store has; none if it cannot be asked."""
    nix = examination.nix()
    if not nix.store_exists or nix.store_error is not None:
        return ()
    try:
        return set(valid_paths(examination.workspace.nix, [m.requisite.path for m in missing]))
    except PycomfyError:
        return ()


def judge_archive(
    facts: Mapping[str, object], needed: int, size: int, missing: Sequence[MissingRequisite], here: Collection[str]
) -> Finding:
    """`needed` counts the sources of all versions; `here` are the store paths of those that this machine has."""
    counted = {**facts, "needed": needed, "missing": len(missing), "missing_here": len(here), "size": size}
    if not missing:
        what = "empty" if not needed else f"all {needed} sources of all versions, {size / 1e9:.1f} GB"
        details = "Names and sizes were looked at; a verification reads every byte."
        return ARCHIVE.ok(what, details=details, facts=counted)
    labels = list(dict.fromkeys(version for m in missing for version in m.versions))
    some = ", ".join(labels[:_SHOWN]) + (" …" if len(labels) > _SHOWN else "")
    what = f"lacks {len(missing)} of {needed} sources; without a network, {some} cannot be restored"
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    details = "Missing: " + ", ".join(m.requisite.title for m in missing[:_SHOWN]) + more
    fixes = [suggest("archive fill", f"{len(here)} are in this machine's Nix store")] if here else []
    fixes += [suggest("archive pull", "from an archive that has them")] if len(here) < len(missing) else []
    return ARCHIVE.warning(what, details=details, fix=fixes, facts=counted)


# — images, models, leftovers —


def check_images(examination: Examination) -> Iterator[Finding]:
    folder = examination.workspace.paths.data / "images"
    links = sorted(p for p in folder.glob("*") if p.is_symlink()) if folder.is_dir() else []
    roots = list_auto_roots(examination.workspace.nix) if links else None
    yield judge_images(links, {link for link in links if not link.exists()}, roots)


def judge_images(links: Sequence[Path], gone: Collection[Path], roots: Collection[Path] | None) -> Finding:
    """`gone` are links to images that the Nix store has no more. `roots` are the links that Nix respects, None where it
    does not let us see; a data folder that was moved has none."""
    kept = [link for link in links if link not in gone]
    loose = [link for link in kept if roots is not None and link not in roots]
    facts = {"images": len(links), "gone": len(gone), "unprotected": None if roots is None else len(loose)}
    images = f"{len(links)} {'image' if len(links) == 1 else 'images'}"
    if loose:
        what = f"{len(loose)} of {images} will be lost when Nix collects garbage"
        details = "Nix does not know the links that protect them: the data folder was moved or copied."
        fix = suggest("restore", "makes its link known again; nothing is built that is there")
        return IMAGES.warning(what, details=details, fix=fix, facts=facts)
    if gone:
        what = f"{len(gone)} of {images} not in the Nix store any more; versions and sources are not affected"
        return IMAGES.note(what, fix=suggest("restore", "builds one again"), facts=facts)
    return IMAGES.ok(f"{images} in the Nix store" if links else "none yet", facts=facts)


def check_models(examination: Examination) -> Iterator[Finding]:
    store = examination.workspace.models
    try:
        added = store.list_added()
    except BadInput as e:
        yield MODELS.warning(e.what, fix=e.fixes, details=e.where)
        return
    stored = store.list_models()
    sizes = sum(one.size for one in stored)
    unfinished, refused = store.list_unfinished(), store.list_refused()
    facts = {
        "path": str(store.folder),
        "models": len(stored),
        "size": sizes,
        "added": len(added),
        "unfinished": len(unfinished),
        "refused": len(refused),
    }
    yield judge_models(facts, store.broken_links(), refused)


def judge_models(facts: Mapping[str, object], broken: Sequence[Path], refused: Sequence[Path]) -> Finding:
    counted = {**facts, "broken_links": len(broken)}
    count = facts["models"]
    what = f"{count} {'model' if count == 1 else 'models'}"
    if broken:
        targets = [f"{link.name[:16]}… → {link.readlink()}" for link in broken[:_SHOWN]]
        told = f"{len(broken)} of your own {'files is' if len(broken) == 1 else 'files are'} gone"
        fix = (suggest("models pull", "fetches those that have an address"), "put the files back where they were")
        return MODELS.warning(f"{what}, {told}", details="\n".join(targets), fix=fix, facts=counted)
    if refused:
        details = "\n".join(str(path) for path in refused[:_SHOWN])
        told = f"{len(refused)} that came with another hash {'is' if len(refused) == 1 else 'are'} kept aside"
        return MODELS.note(f"{what}, {told}", details=details, fix="look at them, and remove them", facts=counted)
    return MODELS.ok(what if count else "none yet", facts=counted)


_LEFT: tuple[tuple[str, str], ...] = (
    ("data", ".store-*"),
    ("data", ".catalog-*"),
    ("data", ".*.git.*"),
    ("cache", "root-*"),
    ("cache", ".tree-*"),
    ("cache", "projects/*-*"),
    ("cache", "jobs/job-*"),
    ("data", "archive/.part-*"),
    ("data", "archive/nar/.part-*"),
)
"""Where something is prepared, below the data folder or the cache."""


def check_leftovers(examination: Examination) -> Iterator[Finding]:
    paths = examination.workspace.paths
    found: list[Path] = []
    for place, pattern in _LEFT:
        folder, _, name = pattern.rpartition("/")
        found += find_leftovers((paths.data if place == "data" else paths.cache) / folder, name, older_than=LEFT_FOR)
    yield judge_leftovers(found)


def judge_leftovers(found: Sequence[Path]) -> Finding:
    facts = {"paths": [str(path) for path in found]}
    if not found:
        return LEFTOVERS.ok("none", facts=facts)
    what = f"{len(found)} that a sudden end left; most are removed by the next command of their kind"
    details = "\n".join(str(path) for path in found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
    return LEFTOVERS.note(what, details=details, fix="remove them, if no pycomfy is running", facts=facts)
