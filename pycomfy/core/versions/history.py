"""Say which version each commit is, of workflows that share commits."""

from collections.abc import Mapping


def number_versions(
    parents: Mapping[str, tuple[str, ...]], tips: Mapping[str, str], *, first: str
) -> dict[str, tuple[str, int]]:
    """Return workflow and number of each commit along a branch. `parents` are those of all commits, `tips` the newest
    commit of each workflow. A commit that several workflows have is that of `first`, else of the first by name."""
    found: dict[str, tuple[str, int]] = {}
    for name in (first, *(one for one in sorted(tips) if one != first)):
        line = []
        commit: str | None = tips.get(name)
        while commit is not None and commit in parents:
            line.append(commit)
            commit = next(iter(parents[commit]), None)
        for at, one in enumerate(line):
            found.setdefault(one, (name, len(line) - at))
    return found
