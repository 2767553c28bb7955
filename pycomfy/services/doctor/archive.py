"""Whether every version can be restored from the archive."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from pycomfy.adapters.nix.store import valid_paths
from pycomfy.errors import HashMismatch, PycomfyError, combine, suggest
from pycomfy.services.archive.completeness import MissingRequisite, count_present, list_missing, list_version_requisites
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import MAX_SHOWN, Finding
from pycomfy.services.doctor.subjects import ARCHIVE

MAX_VERSIONS = 200
"""Versions whose locks are read, which takes some milliseconds each."""


def check_archive(examination: Examination) -> Iterator[Finding]:
    """Look at names and sizes in the archive, not at bytes."""
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
    unreadable: list[PycomfyError] = []
    recorded = list_version_requisites(workspace, unreadable.append)
    if unreadable:
        yield ARCHIVE.unknown(combine(unreadable))
    missing = list_missing(archive.has, recorded)
    needed = count_present(archive, recorded) + len(missing)
    yield judge_archive(facts, needed, archive.size(), missing, _find_here(examination, missing))


def _find_here(examination: Examination, missing: Sequence[MissingRequisite]) -> Collection[str]:
    """Return those paths that are in this machine's Nix store; none if that is unknown."""
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
    """Judge what is missing. `needed` counts the sources of all versions; `here` are the store paths of those that this
    machine has."""
    counted = {**facts, "needed": needed, "missing": len(missing), "missing_here": len(here), "size": size}
    if not missing:
        what = "empty" if not needed else f"all {needed} sources of all versions, {size / 1e9:.1f} GB"
        details = "Names and sizes were looked at; a verification reads every byte."
        return ARCHIVE.ok(what, details=details, facts=counted)
    labels = list(dict.fromkeys(version for m in missing for version in m.versions))
    some = ", ".join(labels[:MAX_SHOWN]) + (" …" if len(labels) > MAX_SHOWN else "")
    what = f"lacks {len(missing)} of {needed} sources; without a network, {some} cannot be restored"
    more = f" and {len(missing) - MAX_SHOWN} more" if len(missing) > MAX_SHOWN else ""
    details = "Missing: " + ", ".join(m.requisite.title for m in missing[:MAX_SHOWN]) + more
    fixes = [suggest("archive fill", f"{len(here)} are in this machine's Nix store")] if here else []
    fixes += [suggest("archive pull", "from an archive that has them")] if len(here) < len(missing) else []
    return ARCHIVE.warning(what, details=details, fix=fixes, facts=counted)
