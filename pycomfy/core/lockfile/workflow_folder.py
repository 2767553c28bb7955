"""Decide which lock and which settings a workflow has, in a folder that may have several workflows.

`pycomfy.lock` is that of the folder's one workflow, or of the one that had it first. Every other workflow has a lock of
its own beside it: `NAME.lock` of `NAME.json`, and `FILE.lock` of any other `FILE`. `pycomfy.toml` is all workflows';
the table `[workflows.NAME]` in it goes before the rest of it, for that workflow alone.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from pycomfy.core.lockfile.names import safe_name
from pycomfy.core.lockfile.schema import LOCK_FILE
from pycomfy.core.lockfile.workflow_names import JSON, SECTIONS, WORKFLOW_FILE, is_candidate, own_locks, section_name
from pycomfy.core.loose_json import as_mapping, as_text


@dataclass(frozen=True)
class WorkflowFolder:
    """What is in the folder `name`. `files` are the names of the files in it, sorted. `config` is pycomfy.toml as TOML
    has it. `locks` are those of `files` that end in `.lock` and are of pycomfy. `pin` is the name and the hash of the
    workflow that `pycomfy.lock` was made of, None if there is none that can be read. `hash_workflow` returns the
    SHA-256 of the workflow in a file, None for a file without; it is called for as few files as possible."""

    name: str
    files: Sequence[str]
    config: Mapping[str, Any] = field(repr=False)
    locks: Collection[str]
    pin: tuple[str, str] | None
    hash_workflow: Callable[[str], str | None] = field(repr=False)

    def lock_of(self, file: str) -> str | None:
        """Return the name of the file's lock, which need not exist; None if `pycomfy.lock` is there, and may be of this
        workflow as well as of another."""
        if there := self._own_lock(file):
            return there
        if self.main == file:
            return LOCK_FILE
        if self.main is None and LOCK_FILE in self.files and file in self._without_lock():
            return None
        free = (name for name in own_locks(file) if name not in self.files)
        return next(free, own_locks(file)[-1])

    def name_of(self, file: str) -> str:
        """Return the name of the workflow in a file, as it was written: its own in pycomfy.toml, the one at the top of
        that for the workflow that has `pycomfy.lock`, else that of the file, or of the folder."""
        top = self.config.get("name")
        return top if file == self.main and isinstance(top, str) and not self._own_name(file) else self._name(file)

    @cached_property
    def main(self) -> str | None:
        """The workflow that has, or would get, `pycomfy.lock`; None if the folder has several. In a folder without one
        it is the file that is looked for there."""
        if (owner := self._find_owner()) is not None:
            return owner
        if WORKFLOW_FILE in self.files and not self._own_lock(WORKFLOW_FILE):
            return WORKFLOW_FILE
        if next(self.workflows(), None) is None:
            return WORKFLOW_FILE
        one = [*islice(self._without_lock() if LOCK_FILE in self.files else self.workflows(), 2)]
        return one[0] if len(one) == 1 and not self._own_lock(one[0]) else None

    def workflows(self) -> Iterator[str]:
        """Yield the files with a workflow: those with the suffix `.json`, or the others if there is none of these."""
        first = next(self._list(json=True), None)
        yield from self._list(json=first is not None)

    def _list(self, *, json: bool) -> Iterator[str]:
        for file in self.files:
            if is_candidate(file) and file.endswith(JSON) == json and self.hash_workflow(file) is not None:
                yield file

    def _without_lock(self) -> Iterator[str]:
        return (file for file in self.workflows() if not self._own_lock(file))

    def _own_lock(self, file: str) -> str | None:
        return next((name for name in own_locks(file) if name in self.locks), None)

    def _find_owner(self) -> str | None:
        """The workflow that `pycomfy.lock` was made of: the one with its name, else the one with its hash."""
        if self.pin is None:
            return None
        name, sha256 = self.pin
        named = [f for f in self.files if is_candidate(f) and not self._own_lock(f) and name in self._names(f)]
        named.sort(key=lambda file: (file != WORKFLOW_FILE, not file.endswith(JSON)))
        found = (file for file in named if file.endswith(JSON) or self.hash_workflow(file) is not None)
        return next(found, None) or next((f for f in self._without_lock() if self.hash_workflow(f) == sha256), None)

    def _names(self, file: str) -> set[str]:
        """The names that the lock of a file may have, without one that a caller gave."""
        top = self.config.get("name") if file == WORKFLOW_FILE else None
        return {safe_name(name) for name in (self._name(file), top) if isinstance(name, str)}

    def _name(self, file: str) -> str:
        return self._own_name(file) or (self.name if file == WORKFLOW_FILE else file.rpartition(".")[0] or file)

    def _own_name(self, file: str) -> str:
        section = as_mapping(as_mapping(self.config.get(SECTIONS)).get(section_name(file)))
        return as_text(section.get("name"))

    def namesake_of(self, file: str, name: str) -> str | None:
        """Return another workflow of the folder that would be called `name` as well; None if there is none."""
        others = (other for other in self.files if other != file and is_candidate(other) and other.endswith(JSON))
        same = (other for other in others if safe_name(self.name_of(other)) == name)
        return next((other for other in same if self.hash_workflow(other) is not None), None)
