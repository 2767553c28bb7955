"""Read versions, which are commits of a workflow's branch, as git lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pycomfy.adapters.versions.git import BareRepository
from pycomfy.core.versions.reference import format_label

_FIELDS = ("%H", "%P", "%T", "%an <%ae>", "%ct", "%B")
_OPTIONS = ("-z", "--no-mailmap", "--no-color", "--encoding=UTF-8", "--format=" + "%x00".join(_FIELDS))

_MAX_KEPT = 1000  # commits


@dataclass(frozen=True)
class Version:
    """A version of a workflow. `number` counts the commits along the branch, from 1; it is None for a commit that came
    in by a merge. `message` has no newline at its end, `author` is "Name <email>", `created_at` UTC, as in
    2025-12-05T09:30:00Z."""

    name: str
    number: int | None
    commit: str
    parents: tuple[str, ...]
    tree: str
    message: str
    author: str
    created_at: str

    @property
    def label(self) -> str:
        """`NAME@3`, or `NAME@` and the commit's first digits."""
        return format_label(self.name, self.number, self.commit)


def read_branch(bare: BareRepository, name: str) -> list[Version]:
    """Return the versions along the branch of the workflow `name`, newest first."""
    rows = _log(bare, "--first-parent", "--end-of-options", f"refs/heads/{name}")
    return [_version(name, len(rows) - i, row) for i, row in enumerate(rows)]


def read_version(bare: BareRepository, name: str, commit: str, number: int | None) -> Version:
    """Return a commit as a version of the workflow `name`."""
    kept = bare.kept_commits
    if commit not in kept:
        row = _log(bare, "-1", "--end-of-options", commit)[0]
        if len(kept) >= _MAX_KEPT:
            kept.clear()
        kept[commit] = row
    return _version(name, number, kept[commit])


def read_commits(bare: BareRepository, tips: Sequence[str]) -> list[Version]:
    """Return every commit of `tips`, newest first, none before one that follows it; none has a name or a number."""
    rows = _log(bare, "--topo-order", "--end-of-options", *tips) if tips else []
    return [_version("", None, row) for row in rows]


def list_related(bare: BareRepository, roots: Sequence[str]) -> set[str]:
    """Return the branches that have any of the first commits `roots`."""
    shared = [f"--contains={root}" for root in roots]
    names = bare.read("for-each-ref", "--format=%(refname:lstrip=2)", *shared, "refs/heads").decode(errors="replace")
    return set(names.split("\n")[:-1])


def _log(bare: BareRepository, *arguments: str) -> list[list[str]]:
    """Return the fields of each commit."""
    parts = bare.read("log", *_OPTIONS, *arguments, "--").decode(errors="replace").split("\0")
    return [parts[i : i + len(_FIELDS)] for i in range(0, len(parts) - len(_FIELDS) + 1, len(_FIELDS))]


def _version(name: str, number: int | None, row: Sequence[str]) -> Version:
    commit, parents, tree, author, when, message = row
    try:
        at = datetime.fromtimestamp(int(when), tz=UTC)
    except (ValueError, OverflowError, OSError):  # a date that no calendar has
        at = datetime.fromtimestamp(0, tz=UTC)
    return Version(
        name, number, commit, tuple(parents.split()), tree, message.strip("\n"), author, f"{at:%Y-%m-%dT%H:%M:%SZ}"
    )
