"""Which commit of a node pack a workflow means: by the version it names, by date, and by the node types it needs.

What a class list says today may have been otherwise at the commit: so the types are read from the source there, and if
one is missing, the history is searched for the last commit that had it.
"""

import contextlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.catalog.node_type_cache import read_types
from pycomfy.adapters.git.checkout import read_tree
from pycomfy.adapters.git.mirror import COMMIT, GitMirror
from pycomfy.errors import PycomfyError, UnpinnedPack

MAX_CHANGES = 40
"""Commits that changed how often a type is named, of which the trees are read."""

MAX_TREES = 30

ABBREVIATED = re.compile(r"[0-9a-f]{7,39}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,60}")


@dataclass(frozen=True)
class CommitQuery:
    """What a commit should be: of one of `versions` (numbers or commits, best first), made before `before`, having
    `types`."""

    versions: tuple[str, ...] = ()
    before: datetime | None = None
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundCommit:
    """A commit, and why it. `absent` are types that its source does not have; `unseen` those that it may make while it
    runs, which only running it would prove. `doubts` are what could not be done as it was wished."""

    commit: str
    why: str
    absent: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def find_commit(repository: GitMirror, wish: CommitQuery, cache: Path) -> FoundCommit:
    """The commit that fits `wish`; `cache` remembers what was read.

    Raises `UnpinnedPack`, `NotFound`, `NetworkError`.
    """
    doubts: list[str] = []
    commit, why = _start(repository, wish, doubts)
    reading = _Reading(repository, wish.types, cache)
    absent = reading.absent(commit)
    unseen = tuple(t for t in absent if reading.may_make(commit, t))
    if len(unseen) < len(absent):
        other = _last_with_all(repository, commit, reading, [t for t in absent if t not in unseen])
        if other is not None:
            names = ", ".join(t for t in absent if t not in unseen)
            why = f"{why} lacks {names}; this is the last commit with it"
            return FoundCommit(other, why, (), reading.absent(other), tuple(doubts))
        # Nowhere in the history as text: such a name is put together while the pack runs, or it is not this pack's.
        if reading.makes_types(commit):
            unseen = absent
    return FoundCommit(commit, why, tuple(t for t in absent if t not in unseen), unseen, tuple(doubts))


_RAW = re.compile(
    r"https://(?:raw\.githubusercontent\.com/(?P<raw>[^/]+/[^/]+)|github\.com/(?P<web>[^/]+/[^/]+)/raw)"
    r"/(?P<rev>refs/(?:heads|tags)/[^/]+|[^/]+)/(?P<path>.+)"
)


def pin_file_address(url: str, owner: str, cache: Path) -> tuple[str, datetime | None]:
    """The address of a file of a GitHub branch as one of that file at a commit, which stays what it is, and its date;
    any other address as it is. Raises as `find_commit`."""
    match = _RAW.fullmatch(url)
    if match is None:
        return url, None
    place = match["raw"] or match["web"]
    repository = GitMirror(f"https://github.com/{place}", owner=owner, cache=cache)
    commit = repository.resolve(match["rev"])
    return f"https://raw.githubusercontent.com/{place}/{commit}/{match['path']}", repository.commit_date(commit)


# — by version and date —


def _start(repository: GitMirror, wish: CommitQuery, doubts: list[str]) -> tuple[str, str]:
    found = []
    for version in wish.versions:
        commit = commit_of_version(repository, version)
        if commit is None:
            doubts.append(f"{repository.owner}: no commit is known as version {version}, which the workflow names")
        else:
            found.append(
                (
                    commit,
                    f"version {version}, which the workflow names," if commit != version else "the workflow's commit",
                )
            )
    if len(found) > 1:
        doubts.append(f"{repository.owner}: the workflow names {len(found)} versions of it; the newest is taken")
        oldest = datetime.min.replace(tzinfo=UTC)
        found.sort(key=lambda item: repository.commit_date(item[0]) or oldest, reverse=True)
    if found:
        return found[0]
    head = repository.resolve()
    if wish.before is not None:
        made = repository.commit_date(head)
        if made is not None and made >= wish.before:
            earlier = _before(repository, head, wish.before)
            if earlier is not None:
                return earlier, f"the newest commit before {wish.before:%Y-%m-%d}"
            doubts.append(f"{repository.owner}: it has no commit before {wish.before:%Y-%m-%d}; the newest is taken")
    return head, "the newest commit"


def commit_of_version(repository: GitMirror, version: str) -> str | None:
    """A commit, perhaps abbreviated, as it is; a number by its tag, else by the commit that gave the pack this number;
    None if it is neither."""
    if COMMIT.fullmatch(version):
        repository.fetch(version)
        return version
    if not _VERSION.fullmatch(version):
        return None
    for tag in (f"refs/tags/v{version}", f"refs/tags/{version}"):
        try:
            return repository.resolve(tag)
        except UnpinnedPack:
            continue
    found = _numbered(repository, version)
    if found is None and ABBREVIATED.fullmatch(version):
        with contextlib.suppress(UnpinnedPack):
            return repository.resolve(version)
    return found


def _numbered(repository: GitMirror, version: str) -> str | None:
    """The commit whose pyproject.toml first has the version: the registry publishes when that file changes."""
    head = repository.resolve()
    repository.fetch_history()
    for commit in _changes(repository, head, version, "pyproject.toml"):
        text = repository.git("cat-file", "blob", f"{commit}:pyproject.toml").output
        try:
            found = tomllib.loads(text[:1_000_000].decode(errors="replace")).get("project", {}).get("version")
        except (ValueError, RecursionError, AttributeError):
            continue
        if found == version:
            return commit
    return None


def _before(repository: GitMirror, head: str, moment: datetime) -> str | None:
    repository.fetch_history()
    # git takes seconds since 1970 for a date without any doubt about zones.
    done = repository.git("rev-list", "--max-count=1", f"--before={int(moment.timestamp()) - 1}", head, "--")
    commit = done.output.decode(errors="replace").strip()
    return commit if done.status == 0 and COMMIT.fullmatch(commit) else None


def _changes(repository: GitMirror, head: str, text: str, *paths: str) -> list[str]:
    """Commits up to `head` that changed how often `text` stands in the files, newest first."""
    done = repository.git(
        "log",
        "--format=%H",
        f"--max-count={MAX_CHANGES}",
        "--no-ext-diff",
        "--no-textconv",
        f"-S{text}",
        head,
        "--",
        *paths,
    )
    return [line for line in done.output.decode(errors="replace").split() if COMMIT.fullmatch(line)]


# — by node types —


class _Reading:
    """Which of the wanted types the source has at a commit; each commit is read once."""

    def __init__(self, repository: GitMirror, types: tuple[str, ...], cache: Path) -> None:
        self.repository = repository
        self.cache = cache
        self.types = types
        self._known: dict[str, tuple[frozenset[str], bool, str]] = {}

    def absent(self, commit: str) -> tuple[str, ...]:
        return tuple(t for t in self.types if t not in self._read(commit)[0])

    def makes_types(self, commit: str) -> bool:
        """Whether it has files that make types only while they run."""
        return self._read(commit)[1]

    def may_make(self, commit: str, type_: str) -> bool:
        """Whether such a pack names the type somewhere."""
        return self.makes_types(commit) and type_ in self._read(commit)[2]

    @property
    def trees(self) -> int:
        return len(self._known)

    def _read(self, commit: str) -> tuple[frozenset[str], bool, str]:
        if commit not in self._known:
            data = read_tree(self.repository, commit, _is_source)
            files = {path: text.decode("utf-8-sig", errors="replace") for path, text in data.items()}
            read = read_types(files, self.cache)
            self._known[commit] = (frozenset(read.types), bool(read.dynamic), "\n".join(files.values()))
        return self._known[commit]


def _is_source(path: str) -> bool:
    return path.endswith(".py") or path == "node_list.json"


def _last_with_all(repository: GitMirror, start: str, reading: _Reading, types: list[str]) -> str | None:
    """The newest commit up to `start`, else up to the default branch, that has all types; it is looked for where
    `types`, those that are missing, came or went."""
    repository.fetch_history()
    for commit in _possible(repository, start, types):
        if reading.trees >= MAX_TREES:
            return None
        try:
            if all(reading.may_make(commit, type_) for type_ in reading.absent(commit)):
                return commit
        except PycomfyError:
            # A tree that is refused cannot be pinned either.
            continue
    return None


def _possible(repository: GitMirror, start: str, types: list[str]) -> Iterator[str]:
    head = repository.resolve()
    seen = {start}
    for top in dict.fromkeys((start, head)):
        changes = {type_: _changes(repository, top, type_, "*.py", "node_list.json") for type_ in types}
        order = repository.git("rev-list", "--topo-order", "--max-count=100000", top, "--").output.decode().split()
        place = {commit: number for number, commit in enumerate(order)}
        touched = {c for found in changes.values() for c in found}
        candidates = [top, *sorted(touched, key=lambda c: place.get(c, len(order)))]
        for commit in candidates:
            for possible in (commit, *_parents(repository, commit)) if commit in touched else (commit,):
                if possible not in seen:
                    seen.add(possible)
                    yield possible


def _parents(repository: GitMirror, commit: str) -> list[str]:
    found = repository.git("rev-list", "--parents", "--max-count=1", commit, "--").output.decode().split()
    return found[1:]
