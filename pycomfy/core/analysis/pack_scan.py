"""A tree of source files: what it imports from elsewhere, and what it installs or downloads while it is imported.

Only what the files that ComfyUI imports lead to counts: tests, scripts and examples beside them are nobody's need.
"""

import ast
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pycomfy.core.analysis.ast_scan import Action, FileReading, How, Import, read_file
from pycomfy.core.analysis.node_types import is_node_source

INSTALL, PRESTART = "install.py", "prestartup_script.py"
MAX_FOUND = 2000

When = Literal["imported", "installed", "started"]
"""While the pack is imported; by install.py, which is not run; by prestartup_script.py, at each start of ComfyUI."""

Parse = Callable[[str], ast.Module | None]

_RANKS: tuple[How, ...] = ("plain", "conditional", "called", "guarded")
_CALLED = _RANKS.index("called")
_ASIDE = frozenset({"test", "tests", "tests-unit", "example", "examples", "docs", "scripts", "tools", "build"})


@dataclass(frozen=True)
class ExternalImport:
    """A module that is not in the tree: its dotted name, and the firmest of the places that import it."""

    module: str
    path: str
    line: int
    how: How


@dataclass(frozen=True)
class Effect:
    """A call that installs or downloads, and when it runs; `text` is its source, shortened."""

    action: Action
    when: When
    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Scan:
    """`own_names` are the names that an import may have from the tree itself, `scripts` those of install.py and
    prestartup_script.py that are there."""

    imports: tuple[ExternalImport, ...] = ()
    effects: tuple[Effect, ...] = ()
    own_names: frozenset[str] = frozenset()
    scripts: tuple[str, ...] = ()


def scan_pack(paths: Sequence[str], parse: Parse) -> Scan:
    """Scan a node pack. `paths` are its files', `parse` gives the syntax tree of one, None if it is no Python.

    Packs put folders of theirs on Python's path: whatever is called like a file or folder of the pack is its own.
    """
    tree = _Tree(paths, parse, everywhere=True)
    tree.reach("__init__.py", 0)
    tree.follow()
    scripts = tuple(name for name in (INSTALL, PRESTART) if name in tree.files)
    found = list(tree.effects("imported", tree.executed(list(tree.rank))))
    if INSTALL in tree.files:
        found += tree.effects("installed", tree.executed([INSTALL], ("", "__main__")))
    if PRESTART in tree.files:
        found += tree.effects("started", tree.executed([PRESTART]))
    if PRESTART in tree.files:
        # ComfyUI goes on without it, so what it imports is never needed for certain.
        tree.reach(PRESTART, _CALLED)
        tree.follow()
    return Scan(tree.needed(), _distinct(found), tree.names(), scripts)


def scan_comfyui(paths: Sequence[str], parse: Parse) -> Scan:
    """Scan ComfyUI's own tree. What it downloads is its own affair: only imports are told."""
    tree = _Tree(paths, parse, everywhere=False)
    for path in ("main.py", *filter(is_node_source, sorted(tree.files))):
        tree.reach(path, 0)
    tree.follow()
    return Scan(tree.needed(), (), tree.names())


def _distinct(found: Sequence[Effect]) -> tuple[Effect, ...]:
    """Each place once: the first kind of time that it was found for."""
    places: dict[tuple[str, int, str], Effect] = {}
    for one in found:
        places.setdefault((one.path, one.line, one.text), one)
    return tuple(sorted(places.values(), key=lambda r: (r.when, r.path, r.line)))[:MAX_FOUND]


class _Tree:
    def __init__(self, paths: Sequence[str], parse: Parse, *, everywhere: bool) -> None:
        self.files = {path for path in paths if path.endswith(".py")}
        self.parse = parse
        self.everywhere = everywhere
        self.rank: dict[str, int] = {}
        """How firmly each file that is reached is imported, as an index of `_RANKS`."""
        self._readings: dict[str, FileReading] = {}
        self._waiting: list[str] = []
        self._by_name: dict[str, list[str]] = {}
        for path in sorted(self.files):
            self._by_name.setdefault(_module_name(path), []).append(path)

    # — which files are reached —

    def reading(self, path: str) -> FileReading:
        found = self._readings.get(path)
        if found is None:
            tree = self.parse(path)
            found = self._readings[path] = read_file(tree) if tree is not None else FileReading()
        return found

    def reach(self, path: str, rank: int) -> None:
        if path in self.files and rank < self.rank.get(path, len(_RANKS)):
            self.rank[path] = rank
            self._waiting.append(path)

    def follow(self) -> None:
        """Reach all that is imported by what is reached."""
        while self._waiting:
            path = self._waiting.pop()
            rank, reading = self.rank[path], self.reading(path)
            for one in reading.imports:
                # A file of its own is there: that it is guarded says little about what it imports in turn.
                softer = _RANKS.index("conditional" if one.how == "guarded" else one.how)
                for target in self.targets(path, one):
                    self.reach(target, max(rank, softer))
            if reading.dynamic and self.everywhere and rank < _CALLED:
                for other in self.files:
                    if not _ASIDE & set(other.split("/")) and other not in (INSTALL, PRESTART, "setup.py"):
                        self.reach(other, _RANKS.index("conditional"))

    def targets(self, path: str, one: Import) -> Iterator[str]:
        """The files of the tree that an import loads."""
        parts = [part for part in one.module.split(".") if part]
        if one.level:
            folder = posixpath.dirname(path)
            for _ in range(one.level - 1):
                folder = posixpath.dirname(folder)
            bases = [posixpath.join(folder, *parts)]
        elif self.everywhere and parts:
            bases = self._ending_in(parts)
        else:
            bases = ["/".join(parts), "/".join(["comfy", *parts])] if parts else []
        for base in bases:
            for i in range(len(parts) - 1 if one.level == 0 else 0):
                yield posixpath.join("/".join(base.split("/")[: -(i + 1)]), "__init__.py")
            yield from (f"{base}.py", posixpath.join(base, "__init__.py"))
            for name in one.names:
                yield from (posixpath.join(base, f"{name}.py"), posixpath.join(base, name, "__init__.py"))

    def _ending_in(self, parts: Sequence[str]) -> list[str]:
        tail = "/".join(parts)
        found = [p for name in {parts[-1]} for p in self._by_name.get(name, ())]
        bases = [p.removesuffix("/__init__.py").removesuffix(".py") for p in found]
        return [base for base in bases if base == tail or base.endswith("/" + tail)]

    def names(self) -> frozenset[str]:
        """What an absolute import may mean by a file or folder of the tree."""
        names = set()
        for path in self.files:
            parts = path.split("/")
            if not self.everywhere:
                # ComfyUI puts its folder `comfy` on Python's path, beside its own.
                parts = parts[1:2] if parts[0] == "comfy" and len(parts) > 1 else parts[:1]
                names.add("comfy" if path.startswith("comfy/") else parts[0].removesuffix(".py"))
            names.update(part.removesuffix(".py") for part in parts)
        return frozenset(names - {"__init__"})

    # — what they need —

    def needed(self) -> tuple[ExternalImport, ...]:
        """What they import from elsewhere, each module once, by the firmest import."""
        own = self.names()
        firmest: dict[str, ExternalImport] = {}
        for path, rank in self.rank.items():
            for one in self.reading(path).imports:
                if one.level or not one.module or one.module.partition(".")[0] in own:
                    continue
                how = _RANKS[max(rank, _RANKS.index(one.how))]
                for module in _modules(one):
                    new = ExternalImport(module, path, one.line, how)
                    old = firmest.get(module)
                    if old is None or _key(new) < _key(old):
                        firmest[module] = new
        return tuple(firmest[module] for module in sorted(firmest))[:MAX_FOUND]

    # — what they do —

    def executed(self, paths: Sequence[str], functions: Sequence[str] = ("",)) -> set[tuple[str, str]]:
        """The functions that run when these files are, as (file, function): those called, and called by those."""
        done: set[tuple[str, str]] = set()
        # A file that only a function imports does not run by itself.
        waiting = [(p, f) for p in paths for f in functions if self.rank.get(p, 0) != _CALLED]
        while waiting:
            at = waiting.pop()
            if at in done:
                continue
            done.add(at)
            path, function = at
            for written in self.reading(path).calls.get(function, ()):
                waiting += self._called(path, function, written)
        return done

    def _called(self, path: str, function: str, written: str) -> Iterator[tuple[str, str]]:
        reading = self.reading(path)
        for name in (f"{function}.{written}", written):
            if name in reading.functions:
                yield path, name
                return
        first, _, rest = written.partition(".")
        meant = reading.aliases.get(first)
        if meant is None:
            return
        # `from .x import f`, then `f()`; or `from . import x`, then `x.f()`.
        whole = f"{meant}.{rest}" if rest else meant
        level = len(whole) - len(whole.lstrip("."))
        module, _, name = whole.lstrip(".").rpartition(".")
        for target in self.targets(path, Import(module, level, 0, "plain")):
            if target in self.files and name in self.reading(target).functions:
                yield target, name

    def effects(self, when: When, executed: set[tuple[str, str]]) -> Iterator[Effect]:
        for path in sorted({path for path, _ in executed}):
            for act in self.reading(path).activities:
                if (path, act.function) in executed:
                    yield Effect(act.action, when, path, act.line, act.text)


def _key(one: ExternalImport) -> tuple[int, str, int]:
    return _RANKS.index(one.how), one.path, one.line


def _modules(one: Import) -> list[str]:
    """The module, and of a namespace what is taken from it: `from google import genai`."""
    if "." in one.module or not one.names:
        return [one.module]
    return [f"{one.module}.{name}" for name in one.names if name != "*"] if one.module in NAMESPACES else [one.module]


NAMESPACES = frozenset({"google", "azure", "ruamel", "zope", "jaraco", "backports", "mpl_toolkits", "sphinxcontrib"})
"""Folders that several packages put modules into: it is the module in it that says which."""


def _module_name(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.basename(folder) if name == "__init__.py" else name.removesuffix(".py")


def soften(scan: Scan) -> Scan:
    """For a tree of which not all files could be read, such as one with submodules: nothing is certain."""
    needed = tuple(replace(n, how="conditional") if n.how == "plain" else n for n in scan.imports)
    return replace(scan, imports=needed)
