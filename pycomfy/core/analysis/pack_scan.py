"""Scan a tree of source files: what it imports from outside, and what it installs or downloads while it is imported.

Only files that ComfyUI imports, directly or indirectly, count: not the tests, scripts and examples beside them.
"""

import ast
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pycomfy.core.analysis.ast_scan import (
    ALWAYS,
    CONDITIONAL,
    HANDLED,
    Action,
    FileReading,
    How,
    Import,
    UseKind,
    read_file,
)
from pycomfy.core.analysis.node_types import is_node_source

INSTALL, PRESTART = "install.py", "prestartup_script.py"
MAX_FOUND = 2000

TORCH_COMPILE, TRITON = "torch.compile", "triton"
"""What compiles C code while nodes run: Triton compiles the launcher of each kernel, torch.compile uses Triton."""

When = Literal["imported", "installed", "started"]
"""When something runs: while the pack is imported; in install.py, which is not run; in prestartup_script.py, at each
start of ComfyUI."""

Parse = Callable[[str], ast.Module | None]

_RANKS: tuple[How, ...] = ("plain", "conditional", "called", "guarded")
_CALLED = _RANKS.index("called")
_ASIDE = frozenset({"test", "tests", "tests-unit", "example", "examples", "docs", "scripts", "tools", "build"})


@dataclass(frozen=True)
class ExternalImport:
    """A module that is not in the tree: its dotted name, and the most certain of its imports."""

    module: str
    path: str
    line: int
    how: How


@dataclass(frozen=True)
class Effect:
    """A call that installs or downloads, and when it runs; `text` is its source, shortened. If it is not `certain`, it
    runs under a condition. Where the code goes on after a failure, there is no effect. It does not run where all
    modules in `unless` are there."""

    action: Action
    when: When
    path: str
    line: int
    text: str
    certain: bool = True
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compilation:
    """A place in the tree that compiles C code when its nodes run: `what` is "torch.compile" or "triton". `importers`
    are the files that import the file at `path`, directly or indirectly, and this file itself."""

    what: str
    path: str
    line: int
    importers: tuple[str, ...]


@dataclass(frozen=True)
class SystemUse:
    """What the code uses while it is imported or its nodes run, each thing once, where it is used first. `kind` and
    `name` as in `ast_scan.Use`."""

    kind: UseKind
    name: str
    path: str
    line: int


@dataclass(frozen=True)
class Scan:
    """`own_names` are the names that an import can find in the tree itself; `scripts` are those of install.py and
    prestartup_script.py that exist; `compilations` the first place in each file that compiles. It is
    `partial` if the tree has files that nobody read."""

    imports: tuple[ExternalImport, ...] = ()
    effects: tuple[Effect, ...] = ()
    own_names: frozenset[str] = frozenset()
    scripts: tuple[str, ...] = ()
    compilations: tuple[Compilation, ...] = ()
    uses: tuple[SystemUse, ...] = ()
    partial: bool = False


def scan_pack(paths: Sequence[str], parse: Parse) -> Scan:
    """Scan a node pack. `paths` are those of its files; `parse` returns the syntax tree of one, None if it is not
    Python.

    Packs add their own folders to Python's path: any module with the name of a file or folder of the pack is its own.
    """
    tree = _Tree(paths, parse, everywhere=True)
    tree.add("__init__.py", 0)
    tree.follow()
    scripts = tuple(name for name in (INSTALL, PRESTART) if name in tree.files)
    found = list(tree.effects("imported", tree.executed(list(tree.rank))))
    if INSTALL in tree.files:
        found += tree.effects("installed", tree.executed([INSTALL], ("", "__main__")))
    if PRESTART in tree.files:
        found += tree.effects("started", tree.executed([PRESTART]))
    if PRESTART in tree.files:
        # ComfyUI ignores errors in it, so its imports are never certain.
        tree.add(PRESTART, _CALLED)
        tree.follow()
    effects = _distinct(found)
    told = {(effect.path, effect.line) for effect in effects}
    uses = tuple(use for use in tree.uses() if (use.path, use.line) not in told)
    return Scan(tree.external_imports(), effects, tree.names(), scripts, tree.compilations(), uses)


def scan_comfyui(paths: Sequence[str], parse: Parse) -> Scan:
    """Scan ComfyUI's own tree for imports. Its downloads are left out: they are features."""
    tree = _Tree(paths, parse, everywhere=False)
    for path in ("main.py", *filter(is_node_source, sorted(tree.files))):
        tree.add(path, 0)
    tree.follow()
    return Scan(tree.external_imports(), (), tree.names())


def _distinct(found: Sequence[Effect]) -> tuple[Effect, ...]:
    """Each call once, with the first `when` that it was found for."""
    calls: dict[tuple[str, int, str], Effect] = {}
    for effect in found:
        calls.setdefault((effect.path, effect.line, effect.text), effect)
    return tuple(sorted(calls.values(), key=lambda r: (r.when, r.path, r.line)))[:MAX_FOUND]


class _Tree:
    def __init__(self, paths: Sequence[str], parse: Parse, *, everywhere: bool) -> None:
        self.files = {path for path in paths if path.endswith(".py")}
        self.parse = parse
        self.everywhere = everywhere
        self.rank: dict[str, int] = {}
        """How certainly each file is imported, as an index of `_RANKS`; without those that are not imported."""
        self._readings: dict[str, FileReading] = {}
        self._waiting: list[str] = []
        self._by_name: dict[str, list[str]] = {}
        for path in sorted(self.files):
            self._by_name.setdefault(_module_name(path), []).append(path)

    # — which files are imported —

    def reading(self, path: str) -> FileReading:
        """Return what a file does, read once."""
        found = self._readings.get(path)
        if found is None:
            tree = self.parse(path)
            found = self._readings[path] = read_file(tree) if tree is not None else FileReading()
        return found

    def add(self, path: str, rank: int) -> None:
        """Add a file that is imported, unless it was added with at least this certainty."""
        if path in self.files and rank < self.rank.get(path, len(_RANKS)):
            self.rank[path] = rank
            self._waiting.append(path)

    def follow(self) -> None:
        """Add all files that the added ones import, directly or indirectly."""
        while self._waiting:
            path = self._waiting.pop()
            rank, reading = self.rank[path], self.reading(path)
            for one in reading.imports:
                # The file exists: that its import is guarded says little about the imports in it.
                own_rank = _RANKS.index("conditional" if one.how == "guarded" else one.how)
                for target in self.targets(path, one):
                    self.add(target, max(rank, own_rank))
            if reading.dynamic and self.everywhere and rank < _CALLED:
                for other in self.files:
                    if not _ASIDE & set(other.split("/")) and other not in (INSTALL, PRESTART, "setup.py"):
                        self.add(other, _RANKS.index("conditional"))

    def targets(self, path: str, one: Import) -> Iterator[str]:
        """Yield the paths that an import may load; not all exist."""
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
        """Return the names by which an absolute import can find a file or folder of the tree."""
        names = set()
        for path in self.files:
            parts = path.split("/")
            if not self.everywhere:
                # ComfyUI adds its folder `comfy` to Python's path, besides its own folder.
                parts = parts[1:2] if parts[0] == "comfy" and len(parts) > 1 else parts[:1]
                names.add("comfy" if path.startswith("comfy/") else parts[0].removesuffix(".py"))
            names.update(part.removesuffix(".py") for part in parts)
        return frozenset(names - {"__init__"})

    # — what they import —

    def external_imports(self) -> tuple[ExternalImport, ...]:
        """Return what they import from outside the tree, each module once, by its most certain import."""
        own = self.names()
        best: dict[str, ExternalImport] = {}
        for path, rank in self.rank.items():
            for one in self.reading(path).imports:
                if one.level or not one.module or one.module.partition(".")[0] in own:
                    continue
                how = _RANKS[max(rank, _RANKS.index(one.how))]
                for module in _modules(one):
                    new = ExternalImport(module, path, one.line, how)
                    old = best.get(module)
                    if old is None or _key(new) < _key(old):
                        best[module] = new
        return tuple(best[module] for module in sorted(best))[:MAX_FOUND]

    def uses(self) -> Iterator[SystemUse]:
        """Yield what the files use that is in no Python package."""
        found: dict[tuple[UseKind, str], SystemUse] = {}
        for path in sorted(self.rank):
            for use in self.reading(path).uses:
                found.setdefault((use.kind, use.name), SystemUse(use.kind, use.name, path, use.line))
        yield from list(found.values())[:MAX_FOUND]

    # — what they do —

    def executed(self, paths: Sequence[str], functions: Sequence[str] = ("",)) -> dict[tuple[str, str], int]:
        """Return the functions that run when these files do, as (file, function): those called, directly or
        indirectly; each with the least doubt that it runs, and that nobody handles its failure."""
        done: dict[tuple[str, str], int] = {}
        # A file that only a function imports does not run when the pack is imported.
        files = [(p, CONDITIONAL if self.rank.get(p, 0) else ALWAYS) for p in paths if self.rank.get(p, 0) != _CALLED]
        waiting = [((path, function), doubt) for path, doubt in files for function in functions]
        while waiting:
            at, doubt = waiting.pop()
            if doubt >= done.get(at, HANDLED + 1):
                continue
            done[at] = doubt
            path, function = at
            for name, own in self.reading(path).calls.get(function, {}).items():
                waiting += ((called, max(doubt, own)) for called in self._find_called(path, function, name))
        return done

    def compilations(self) -> tuple[Compilation, ...]:
        """Return the first place in each imported file that compiles, with the files that import it."""
        importers: dict[str, set[str]] = {}
        found: list[tuple[str, str, int]] = []
        for path in sorted(self.rank):
            reading = self.reading(path)
            for one in reading.imports:
                for target in self.targets(path, one):
                    importers.setdefault(target, set()).add(path)
            triton = [one.line for one in reading.imports if not one.level and one.module.partition(".")[0] == TRITON]
            if reading.compiles:
                found.append((TORCH_COMPILE, path, min(reading.compiles)))
            elif triton and TRITON not in self.names():
                found.append((TRITON, path, min(triton)))
        return tuple(
            Compilation(what, path, line, tuple(sorted(_closure(path, importers)))) for what, path, line in found
        )[:MAX_FOUND]

    def _find_called(self, path: str, function: str, called: str) -> Iterator[tuple[str, str]]:
        reading = self.reading(path)
        for name in (f"{function}.{called}", called):
            if name in reading.functions:
                yield path, name
                return
        first, _, rest = called.partition(".")
        resolved = reading.aliases.get(first)
        if resolved is None:
            return
        # `from .x import f`, then `f()`; or `from . import x`, then `x.f()`.
        whole = f"{resolved}.{rest}" if rest else resolved
        level = len(whole) - len(whole.lstrip("."))
        module, _, name = whole.lstrip(".").rpartition(".")
        for target in self.targets(path, Import(module, level, 0, "plain")):
            if target in self.files and name in self.reading(target).functions:
                yield target, name

    def effects(self, when: When, executed: Mapping[tuple[str, str], int]) -> Iterator[Effect]:
        """Yield the calls in these functions that install or download, and that do not handle their failure."""
        for path in sorted({path for path, _ in executed}):
            for one in self.reading(path).activities:
                doubt = max(one.doubt, executed.get((path, one.function), HANDLED))
                if doubt < HANDLED:
                    yield Effect(one.action, when, path, one.line, one.text, doubt == ALWAYS, one.unless)


def _closure(start: str, successors: Mapping[str, set[str]]) -> set[str]:
    """Everything that is reached from `start`, with it."""
    done, waiting = {start}, [start]
    while waiting:
        new = successors.get(waiting.pop(), set()) - done
        done |= new
        waiting += new
    return done


def _key(one: ExternalImport) -> tuple[int, str, int]:
    return _RANKS.index(one.how), one.path, one.line


def _modules(one: Import) -> list[str]:
    """The imported modules; in a namespace package those imported from it: `from google import genai`."""
    if "." in one.module or not one.names:
        return [one.module]
    return [f"{one.module}.{name}" for name in one.names if name != "*"] if one.module in NAMESPACES else [one.module]


NAMESPACES = frozenset({"google", "azure", "ruamel", "zope", "jaraco", "backports", "mpl_toolkits", "sphinxcontrib"})
"""Namespace packages: several distributions put modules into them, so the module decides which one it is."""


def _module_name(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.basename(folder) if name == "__init__.py" else name.removesuffix(".py")


def soften(scan: Scan) -> Scan:
    """Return the scan with no certain import, for a tree with files that nobody read, such as one with submodules: they
    may have what it imports."""
    imports = tuple(replace(i, how="conditional") if i.how == "plain" else i for i in scan.imports)
    return replace(scan, imports=imports, partial=True)
