"""List the locks of all versions: those of every commit of the versions repository, on any branch or tag."""

from dataclasses import dataclass

from pycomfy.adapters.versions.git import DamagedRepository
from pycomfy.adapters.versions.repository import Report, VersionsRepository
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.bootstrap import BOOTSTRAP, Bootstrap, find_bootstrap
from pycomfy.core.versions.snapshot import LOCK
from pycomfy.errors import BadLock


@dataclass(frozen=True)
class LockedVersions:
    """A lock and its project's `bootstrap`, the `labels` of the versions that have them, as `NAME@3` (a commit's first
    digits where no branch numbers it), and the platforms that any of them was built for."""

    lock: Lock
    bootstrap: Bootstrap | None
    labels: tuple[str, ...]
    platforms: frozenset[PlatformName]


def list_locks(versions: VersionsRepository, report: Report | None = None) -> list[LockedVersions]:
    """Return every lock of every version, each once. Calls `report` for each that cannot be read; without it, raises
    `BadLock` or `DamagedRepository`: what those versions need must not look superfluous."""
    commits = versions.commits(report)
    blobs = versions.bare.blob_ids([f"{commit}:{path}" for commit in commits for path in (LOCK, BOOTSTRAP)])
    texts = versions.bare.read_blobs(list(blobs.values()))
    labels = _list_labels(versions, report)
    images = versions.all_images(set(commits.values()))
    groups: dict[tuple[str, str], list[str]] = {}
    for commit in commits:
        blob = blobs.get(f"{commit}:{LOCK}", "")
        if blob not in texts:
            _check_absent(versions, commit, labels.get(commit, commit[:12]), report)
            continue
        groups.setdefault((blob, blobs.get(f"{commit}:{BOOTSTRAP}", "")), []).append(commit)
    found = []
    for (blob, bootstrap), group in groups.items():
        names = tuple(labels.get(commit, commit[:12]) for commit in reversed(group))
        try:
            lock = _parse(texts[blob], labels.get(group[0], group[0]))
        except BadLock as e:
            if report is None:
                raise
            report(e)
        else:
            built = frozenset(platform for commit in group for platform in images.get(commits[commit], ()))
            found.append(LockedVersions(lock, find_bootstrap({BOOTSTRAP: texts.get(bootstrap, b"")}), names, built))
    return found


def _list_labels(versions: VersionsRepository, report: Report | None) -> dict[str, str]:
    """Return the label of each commit that a branch numbers."""
    labels: dict[str, str] = {}
    for name in versions.names():
        try:
            labels.update((v.commit, v.label) for v in versions.versions(name))
        except DamagedRepository as e:
            if report is None:
                raise
            report(e)
    return labels


def _check_absent(versions: VersionsRepository, commit: str, label: str, report: Report | None) -> None:
    """Make sure that a commit has no lock: then it is not a version of ours."""
    try:
        if LOCK in versions.bare.list_names(commit):
            raise versions.bare.damaged(f"the lock of {label} cannot be read")
    except DamagedRepository as e:
        if report is None:
            raise
        report(e)


def _parse(text: bytes, label: str) -> Lock:
    try:
        return parse_lock(text.decode(errors="replace"), where=f"{label}, {LOCK}")
    except BadLock as e:
        raise BadLock(f"the lock of {label} cannot be read: {e.what}", where=e.where, fix="update pycomfy") from e
