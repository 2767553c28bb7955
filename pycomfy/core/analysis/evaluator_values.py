"""Define the values of evaluated source, as far as they can be known without running anything."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pycomfy.core.python_syntax import parse_source

MAX_DEPTH = 60
MAX_STEPS = 400_000
MAX_ITEMS = 20_000
ITEMS_PER_STEP = 20
"""Items that one step copies."""

MAX_TEXT = 2_000


class Unknown:
    """A value that is known only when the code runs."""


UNKNOWN = Unknown()


@dataclass(eq=False, slots=True)
class Class:
    """A class of the source: its definition, and the module that contains it."""

    module: "Module"
    body: ast.ClassDef


@dataclass(eq=False, slots=True)
class Function:
    """A function or method of the source: its definition, and the module that contains it."""

    module: "Module"
    body: ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The names of the files in one of ComfyUI's model folders, and perhaps others; only a server knows them."""

    folder: str


@dataclass(eq=False, slots=True)
class Dict:
    """A dict; `partial` if it may have further items."""

    items: dict[str, object] = field(default_factory=dict)
    partial: bool = False


@dataclass(eq=False, slots=True)
class Module:
    """One file. `names` are its global names, as far as it was `evaluated`; `tree` is None if it is not Python."""

    path: str
    tree: ast.Module | None
    names: dict[str, object] = field(default_factory=dict)
    evaluated: bool = False


Value = object
"""str, int, list (a list, tuple or set), Dict, ModelFiles, Class, Function, Module or UNKNOWN."""


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a block and of the `if`, `try`, `with` and `while` blocks in it, in order."""
    waiting = list(reversed(body))
    while waiting:
        statement = waiting.pop()
        yield statement
        if isinstance(statement, (ast.If, ast.Try, ast.With, ast.AsyncWith, ast.While, ast.TryStar)):
            blocks: list[ast.stmt] = list(statement.body)
            for handler in getattr(statement, "handlers", ()):
                blocks.extend(handler.body)
            for name in ("orelse", "finalbody"):
                blocks.extend(getattr(statement, name, ()))
            waiting.extend(reversed(blocks))


class Trees:
    """The syntax trees of files, each parsed once."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._trees: dict[str, ast.Module | None] = {}

    def tree(self, path: str) -> ast.Module | None:
        """Return the tree of a file; None if it does not exist or is not Python."""
        if path not in self._trees:
            self._trees[path] = parse_source(self._files[path]) if path in self._files else None
        return self._trees[path]


def bind(target: ast.expr, value: Value, names: dict[str, object]) -> None:
    """Bind the names of an assignment's target to `value`, or each to its item of it."""
    if isinstance(target, ast.Name):
        names[target.id] = value
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = value if isinstance(value, list) and len(value) == len(target.elts) else [UNKNOWN] * len(target.elts)
        for element, item in zip(target.elts, values, strict=True):
            if isinstance(element, ast.Name):
                names[element.id] = item


def merge(into: Dict, value: Value) -> None:
    """Add the items of a dict, or of a list of pairs, to `into`; mark it as partial if they are not all known."""
    if isinstance(value, Dict):
        if len(into.items) < MAX_ITEMS:
            into.items.update(value.items)
        into.partial = into.partial or value.partial
    elif isinstance(value, list) and all(isinstance(v, list) and len(v) == 2 and isinstance(v[0], str) for v in value):
        into.items.update((v[0], v[1]) for v in value)
    else:
        into.partial = True


def concatenate(left: Value, right: Value) -> Value:
    """Return the union of dicts, or the concatenation of lists or texts; else UNKNOWN. `["None"] + files` are files."""
    if isinstance(left, ModelFiles) and (isinstance(right, list) or left == right):
        return left
    if isinstance(right, ModelFiles) and isinstance(left, list):
        return right
    if isinstance(left, Dict):
        union = Dict(dict(left.items), left.partial)
        merge(union, right)
        return union
    if isinstance(left, list) and isinstance(right, list):
        return (left + right)[:MAX_ITEMS]
    if isinstance(left, str) and isinstance(right, str):
        return (left + right)[:MAX_TEXT]
    return UNKNOWN
