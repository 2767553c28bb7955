"""List the locks of all versions: those of every commit of the versions repository, on any branch or tag."""

from dataclasses import dataclass

from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.versions.snapshot import LOCK
from pycomfy.errors import BadLock


@dataclass(frozen=True)
class LockedVersions:
    """A lock, the `labels` of the versions that have it, as `NAME@3` (a commit's first digits where no branch numbers
    it), and the platforms that any of them was built for."""

    lock: Lock
    labels: tuple[str, ...]
    platforms: frozenset[PlatformName]


def list_locks(versions: VersionsRepository) -> list[LockedVersions]:
    """Return every lock of every version, each once. Raises `BadLock` for a lock that cannot be read: what its versions
    need must not look superfluous."""
    commits = versions.commits()
    # A commit without a lock is not a version of ours.
    blobs = versions.bare.blob_ids([f"{commit}:{LOCK}" for commit in commits])
    texts = versions.bare.read_blobs(list(blobs.values()))
    labels = {v.commit: v.label for name in versions.names() for v in versions.versions(name)}
    images = versions.all_images(set(commits.values()))
    groups: dict[str, list[str]] = {}
    for name, blob in blobs.items():
        groups.setdefault(blob, []).append(name.partition(":")[0])
    return [
        LockedVersions(
            _parse(texts[blob], labels.get(group[0], group[0])),
            tuple(labels.get(commit, commit[:12]) for commit in reversed(group)),
            frozenset(platform for commit in group for platform in images.get(commits[commit], ())),
        )
        for blob, group in groups.items()
    ]


def _parse(text: bytes, label: str) -> Lock:
    try:
        return parse_lock(text.decode(errors="replace"), where=f"{label}, {LOCK}")
    except BadLock as e:
        raise BadLock(f"the lock of {label} cannot be read: {e.what}", where=e.where, fix="update pycomfy") from e
