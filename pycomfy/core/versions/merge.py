"""Merge two versions that grew from one, file by file as git does, and describe conflicts by node."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pycomfy.core.lockfile.schema import WorkflowPin, parse_lock, render_lock
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW, read_snapshot
from pycomfy.errors import PycomfyError

Files = Mapping[str, bytes]

MergeText = Callable[[bytes, bytes, bytes], bytes | None]
"""Returns the merged text of base, ours and theirs; None for a conflict."""

README = "README.md"
"""The file of a project that says how it is built; it has the workflow's name."""

_CONFIG_NAME = re.compile(rb'\Aname = "[^"\n]*"$', re.MULTILINE)
"""As pycomfy writes it: the first line of a project's configuration."""

_UNPINNED = WorkflowPin(sha256="0" * 64)


@dataclass(frozen=True)
class Merged:
    """`conflicts` are the paths of files that could not be merged; `files` does not have them."""

    files: dict[str, bytes]
    conflicts: tuple[str, ...]


@dataclass(frozen=True)
class Conflict:
    """What both sides changed: `subject` is a node, with its id as `node`, a pin, or a file. `here` and `there` are the
    changes of either side in words; empty for a file."""

    subject: str
    node: str | None = None
    here: tuple[str, ...] = ()
    there: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.here and not self.there:
            return f"{self.subject} was changed on both sides"
        return f"{self.subject}: here {'; '.join(self.here)}; there {'; '.join(self.there)}"


def merge(base: Files, ours: Files, theirs: Files, merge_text: MergeText) -> Merged:
    """Merge the projects `ours` and `theirs`, which grew from `base`. A file that only one side changed is that side's.

    The lock pins the workflow's bytes, so that two sides that edited different nodes would always conflict there: the
    pin is left out of the merge, and made anew for the merged workflow.
    """
    sides = [_without_pin(side) for side in (base, ours, theirs)]
    files: dict[str, bytes] = {}
    conflicts = []
    for path in sorted({*sides[0], *sides[1], *sides[2]}):
        before, mine, yours = (side.get(path) for side in sides)
        if mine == yours or yours == before:
            merged = mine
        elif mine == before:
            merged = yours
        else:
            # A file that one side removed and the other changed is a conflict too.
            both = mine is not None and yours is not None
            merged = _merge_file(path, before or b"", mine or b"", yours or b"", merge_text) if both else None
            if merged is None:
                conflicts.append(path)
        if merged is not None:
            files[path] = merged
    if not conflicts and not _pin(files):
        conflicts.append(LOCK)
    return Merged(files, tuple(conflicts))


def list_conflicts(base: Files, ours: Files, theirs: Files, paths: tuple[str, ...]) -> list[Conflict]:
    """Return what both sides changed, each node or pin; the files, of which `paths` are those in conflict, where there
    is no such thing."""
    try:
        snapshots = [read_snapshot(label, f) for label, f in (("base", base), ("here", ours), ("there", theirs))]
    except PycomfyError:
        return [Conflict(path) for path in paths]
    here, there = (_by_subject(describe_diff(diff(snapshots[0], s))) for s in snapshots[1:])
    found = []
    for subject, (head, mine) in here.items():
        _, yours = there.get(subject, (head, mine))
        if mine != yours:
            kind, _, rest = subject.partition(" ")
            node = rest if kind == "node" and " " not in rest else None
            found.append(Conflict(head, node, tuple(mine), tuple(yours)))
    return found or [Conflict(path) for path in paths]


def take_name(files: Files, ours: Files) -> dict[str, bytes]:
    """Return the project `files` under the name of the workflow `ours`: the first build of a branch gives its lock, its
    configuration and its README that branch's name, which is no change to merge."""
    try:
        lock, mine = (parse_lock(side[LOCK].decode(errors="replace")) for side in (files, ours))
    except (KeyError, PycomfyError):
        return dict(files)
    if lock.name == mine.name:
        return dict(files)
    renamed = {**files, LOCK: render_lock(lock.model_copy(update={"name": mine.name})).encode()}
    if CONFIG_FILE in files:
        renamed[CONFIG_FILE] = _CONFIG_NAME.sub(
            lambda _: f"name = {json.dumps(mine.name)}".encode(), files[CONFIG_FILE], count=1
        )
    return {**renamed, README: ours[README]} if README in ours and README in files else renamed


def _by_subject(lines: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """Return the lines of a diff by their subject, such as `node 3`, each with its full name."""
    subjects: dict[str, tuple[str, list[str]]] = {}
    for line in lines:
        head, _, rest = line.partition(": ")
        words = head.split(" ")
        subject = " ".join(words[:2]) if words[0] == "node" and words[1] != "pack" else head
        subjects.setdefault(subject, (head, []))[1].append(rest or line)
    return subjects


def _without_pin(files: Files) -> dict[str, bytes]:
    try:
        lock = parse_lock(files[LOCK].decode(errors="replace"))
    except (KeyError, PycomfyError):
        return dict(files)
    return {**files, LOCK: render_lock(lock.model_copy(update={"workflow": _UNPINNED})).encode()}


def _pin(files: dict[str, bytes]) -> bool:
    """Pin the workflow in the lock; return False if there is no lock any more."""
    try:
        lock = parse_lock(files[LOCK].decode(errors="replace"))
        pin = WorkflowPin(sha256=hashlib.sha256(files[WORKFLOW]).hexdigest())
    except (KeyError, PycomfyError):
        return False
    files[LOCK] = render_lock(lock.model_copy(update={"workflow": pin})).encode()
    return True


def _merge_file(path: str, base: bytes, ours: bytes, theirs: bytes, merge_text: MergeText) -> bytes | None:
    merged = merge_text(base, ours, theirs)
    if not path.endswith((".json", ".lock")):
        return merged
    if merged is not None and _is_json(merged):
        return merged
    # A file that is one line, as some editors save it, is merged with a line for each value.
    spread = [_spread(text) for text in (base, ours, theirs)]
    if None in spread:
        return None
    merged = merge_text(*(s for s in spread if s is not None))
    return merged if merged is not None and _is_json(merged) else None


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _spread(text: bytes) -> bytes | None:
    try:
        return (json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return None
