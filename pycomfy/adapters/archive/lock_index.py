"""Which locks are recorded: those of every commit of the library, whatever branch or tag it is on."""

from dataclasses import dataclass

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.errors import BadLock

LOCK = "pycomfy.lock"


@dataclass(frozen=True)
class RecordedLock:
    """A lock, the versions that have it, as `NAME@3` (those that no branch numbers by their commit), and the platforms
    that any of them was built for."""

    lock: Lock
    labels: tuple[str, ...]
    platforms: frozenset[PlatformName]


def list_locks(paths: Paths) -> list[RecordedLock]:
    """Every lock of every version, each once. Raises `BadLock` for one that cannot be read: nobody may take what it
    needs for superfluous."""
    library = VersionsRepository(versions_repository_path(paths))
    commits = _commits(library)
    if not commits:
        return []
    names = [f"{commit}:{LOCK}" for commit in commits]
    found = library.bare.must("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin="\n".join(names).encode())
    # A commit without a lock is no version of ours.
    blobs = {
        commit: line.split()[0]
        for commit, line in zip(commits, found.decode().splitlines(), strict=True)
        if line.endswith(" blob")
    }
    texts = library.bare.read_blobs(list(blobs.values()))
    labels = {v.commit: v.label for name in library.names() for v in library.versions(name)}
    images = library.all_images(set(commits.values()))
    groups: dict[str, list[str]] = {}
    for commit, blob in blobs.items():
        groups.setdefault(blob, []).append(commit)
    return [
        RecordedLock(
            _parse(texts[blob], labels.get(group[0], group[0])),
            tuple(labels.get(commit, commit[:12]) for commit in reversed(group)),
            frozenset(platform for commit in group for platform in images.get(commits[commit], ())),
        )
        for blob, group in groups.items()
    ]


def _commits(library: VersionsRepository) -> dict[str, str]:
    """The tree of every commit, newest first."""
    if not library.bare.exists:
        return {}
    words = library.bare.must("log", "--branches", "--tags", "--format=%H %T").decode().split()
    return dict(zip(words[::2], words[1::2], strict=True))


def _parse(text: bytes, label: str) -> Lock:
    try:
        return parse_lock(text.decode(errors="replace"), where=f"{label}, {LOCK}")
    except BadLock as e:
        raise BadLock(f"the lock of {label} cannot be read: {e.what}", where=e.where, fix="update pycomfy") from e
