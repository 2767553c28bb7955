"""Find the commit of a node pack that a workflow needs: by the version it names, by date, and by node types.

The lists of node types describe packs as they are today. So the types are read from the source at the commit, and if
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
"""Commits that changed how often a type is named, whose trees may be read."""

MAX_TREES = 30

ABBREVIATED = re.compile(r"[0-9a-f]{7,39}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,60}")


@dataclass(frozen=True)
class CommitQuery:
    """What to find: a commit of one of `versions` (numbers or commits, best first), made before `before`, that has
    `types`. `listed` are those that a list of the pack's types of today has."""

    versions: tuple[str, ...] = ()
    before: datetime | None = None
    types: tuple[str, ...] = ()
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FoundCommit:
    """A commit, and the reason for it. `missing` are types that its source does not have; `dynamic` those that it may
    make when it runs, which only running it proves. `remarks` are about what was not found."""

    commit: str
    reason: str
    missing: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def find_commit(repository: GitMirror, query: CommitQuery, cache: Path) -> FoundCommit:
    """Return the commit that fits `query` best. What is read on the way is kept in `cache`.

    A type is dropped where the source shows that it defines the type no more. A source that makes types while it runs
    does not show that, so types that are listed today, and names that stand in it, are taken for types that it makes
    (but not a type of which it has not even the words, if the newest source simply defines it); and nothing but a
    commit that made types as well, and defined the missing ones, is taken instead.

    Raises `UnpinnedPack`, `NotFound`, `NetworkError`.
    """
    remarks: list[str] = []
    commit, reason = _find_first(repository, query, remarks)
    sources = _Sources(repository, query.types, cache)
    missing = sources.missing(commit)
    makes = sources.makes_types(commit)
    dynamic = tuple(
        t for t in missing if sources.may_make(commit, t) or (t in query.listed and sources.may_put_together(commit, t))
    )
    if len(dynamic) < len(missing):
        other = _find_last_with_all(repository, commit, sources, [t for t in missing if t not in dynamic])
        if other is not None:
            names = ", ".join(t for t in missing if t not in dynamic)
            remarks.append(f"{repository.owner}: {reason} lacks {names}; the last commit with it is taken")
            reason = f"{reason} lacks {names}; this is the last commit with it"
            return FoundCommit(other, reason, (), sources.missing(other), tuple(remarks))
        # Nowhere in the history: the name is put together when the pack runs, or is of another pack.
        if makes:
            dynamic = missing
    return FoundCommit(commit, reason, tuple(t for t in missing if t not in dynamic), dynamic, tuple(remarks))


_RAW = re.compile(
    r"https://(?:raw\.githubusercontent\.com/(?P<raw>[^/]+/[^/]+)|github\.com/(?P<web>[^/]+/[^/]+)/raw)"
    r"/(?P<rev>refs/(?:heads|tags)/[^/]+|[^/]+)/(?P<path>.+)"
)


def pin_file_address(url: str, owner: str, cache: Path) -> tuple[str, datetime | None]:
    """Return the address of a file on a GitHub branch as an address at a commit, which does not change, and its date;
    any other address as it is, and None. Raises as `find_commit`."""
    match = _RAW.fullmatch(url)
    if match is None:
        return url, None
    name = match["raw"] or match["web"]
    repository = GitMirror(f"https://github.com/{name}", owner=owner, cache=cache)
    commit = repository.resolve(match["rev"])
    return f"https://raw.githubusercontent.com/{name}/{commit}/{match['path']}", repository.commit_date(commit)


# — by version and date —


def _find_first(repository: GitMirror, query: CommitQuery, remarks: list[str]) -> tuple[str, str]:
    """Return a commit by version and date, and the reason for it."""
    found = []
    for version in query.versions:
        commit = find_version(repository, version)
        if commit is None:
            remarks.append(
                f"{repository.owner}: no commit is known as version {version}, which the workflow names; it is not used"
            )
        elif commit == version:
            found.append((commit, "the workflow's commit"))
        else:
            found.append((commit, f"version {version}, which the workflow names,"))
    if len(found) > 1:
        remarks.append(f"{repository.owner}: the workflow names {len(found)} versions of it; the newest is taken")
        oldest = datetime.min.replace(tzinfo=UTC)
        found.sort(key=lambda item: repository.commit_date(item[0]) or oldest, reverse=True)
    if found:
        return found[0]
    head = repository.resolve()
    if query.before is not None:
        made = repository.commit_date(head)
        if made is not None and made >= query.before:
            earlier = _find_before(repository, head, query.before)
            if earlier is not None:
                return earlier, f"the newest commit before {query.before:%Y-%m-%d}"
            remarks.append(f"{repository.owner}: it has no commit before {query.before:%Y-%m-%d}; the newest is taken")
    return head, "the newest commit"


def find_version(repository: GitMirror, version: str) -> str | None:
    """Return the commit of a version: a number's by its tag, else the one that gave the pack this number; a commit,
    perhaps abbreviated, is its own. None if there is none."""
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
    found = _find_number(repository, version)
    if found is None and ABBREVIATED.fullmatch(version):
        with contextlib.suppress(UnpinnedPack):
            return repository.resolve(version)
    return found


def _find_number(repository: GitMirror, version: str) -> str | None:
    """Return the commit whose pyproject.toml first has the version: the registry publishes when that file changes."""
    head = repository.resolve()
    repository.fetch_history()
    for commit in _list_changes(repository, head, version, "pyproject.toml"):
        text = repository.git("cat-file", "blob", f"{commit}:pyproject.toml").output
        try:
            found = tomllib.loads(text[:1_000_000].decode(errors="replace")).get("project", {}).get("version")
        except (ValueError, RecursionError, AttributeError):
            continue
        if found == version:
            return commit
    return None


def _find_before(repository: GitMirror, head: str, moment: datetime) -> str | None:
    repository.fetch_history()
    # Seconds since 1970 are a date for git, whatever the time zone.
    done = repository.git("rev-list", "--max-count=1", f"--before={int(moment.timestamp()) - 1}", head, "--")
    commit = done.output.decode(errors="replace").strip()
    return commit if done.status == 0 and COMMIT.fullmatch(commit) else None


def _list_changes(repository: GitMirror, head: str, text: str, *paths: str) -> list[str]:
    """Return the commits up to `head` that changed how often `text` is in the files, newest first."""
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


class _Sources:
    """The source at commits, each read once, and which of `types` it has."""

    def __init__(self, repository: GitMirror, types: tuple[str, ...], cache: Path) -> None:
        self.repository = repository
        self.cache = cache
        self.types = types
        self._known: dict[str, tuple[frozenset[str], bool, str]] = {}

    def missing(self, commit: str) -> tuple[str, ...]:
        return tuple(t for t in self.types if t not in self._read(commit)[0])

    def makes_types(self, commit: str) -> bool:
        """Return whether it has files that make types when they run."""
        return self._read(commit)[1]

    def may_make(self, commit: str, type_: str) -> bool:
        """Return whether it has such files and names the type somewhere."""
        return self.makes_types(commit) and type_ in self._read(commit)[2]

    def may_put_together(self, commit: str, type_: str) -> bool:
        """Return whether it has such files, and the words of the type or no later source that defines it."""
        if not self.makes_types(commit):
            return False
        text = self._read(commit)[2]
        if all(word in text for word in re.findall(r"\w+", type_)):
            return True
        return type_ in self.missing(self.repository.resolve())

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


def _find_last_with_all(repository: GitMirror, start: str, sources: _Sources, missing: list[str]) -> str | None:
    """Return the newest commit up to `start`, else up to the default branch, that has all types; None if there is none
    among those where a type of `missing` came or went. Its source must define those of `missing`: the mere text may be
    a remark, or a file that never was a node."""
    repository.fetch_history()
    makes = sources.makes_types(start)
    for commit in _list_candidates(repository, start, missing):
        if sources.trees >= MAX_TREES:
            return None
        try:
            lacking = sources.missing(commit)
            if makes and not sources.makes_types(commit):
                continue
            if not set(missing) & set(lacking) and all(sources.may_make(commit, type_) for type_ in lacking):
                return commit
        except PycomfyError:
            # A tree that is refused cannot be pinned either.
            continue
    return None


def _list_candidates(repository: GitMirror, start: str, types: list[str]) -> Iterator[str]:
    """Yield the commits where a type came or went, and their parents, newest first."""
    head = repository.resolve()
    seen = {start}
    for top in dict.fromkeys((start, head)):
        changes = {type_: _list_changes(repository, top, type_, "*.py", "node_list.json") for type_ in types}
        order = repository.git("rev-list", "--topo-order", "--max-count=100000", top, "--").output.decode().split()
        position = {commit: number for number, commit in enumerate(order)}
        changed = {c for found in changes.values() for c in found}
        for commit in [top, *sorted(changed, key=lambda c: position.get(c, len(order)))]:
            for candidate in (commit, *_list_parents(repository, commit)) if commit in changed else (commit,):
                if candidate not in seen:
                    seen.add(candidate)
                    yield candidate


def _list_parents(repository: GitMirror, commit: str) -> list[str]:
    found = repository.git("rev-list", "--parents", "--max-count=1", commit, "--").output.decode().split()
    return found[1:]
