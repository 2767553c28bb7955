"""Bind what an import imports, as far as the imported module is among the evaluated files."""

import ast
import posixpath
from collections.abc import Callable

from pycomfy.core.analysis.evaluator_values import UNKNOWN, Module

Load = Callable[[str], Module | None]
"""Return the evaluated module at a path; None if there is no such file."""


def bind_import(statement: ast.ImportFrom, module: Module, names: dict[str, object], load: Load) -> None:
    """Bind in `names` what `statement`, a statement of `module`, imports. What is not in the files is UNKNOWN."""
    folder = _folder(statement, module.path)
    for alias in statement.names:
        source = _find(folder, load)
        if alias.name == "*":
            if source is not None:
                names.update((k, v) for k, v in source.names.items() if not k.startswith("_"))
            continue
        bound = alias.asname or alias.name
        if source is not None and alias.name in source.names:
            names[bound] = source.names[alias.name]
        else:
            inner = _find(posixpath.join(folder, alias.name), load)
            if inner is not None:
                names[bound] = inner
            else:
                names.setdefault(bound, UNKNOWN)


def _folder(statement: ast.ImportFrom, path: str) -> str:
    """The path of the imported module, without suffix."""
    base = posixpath.dirname(path) if statement.level else ""
    for _ in range(statement.level - 1):
        base = posixpath.dirname(base)
    parts = (statement.module or "").split(".")
    return posixpath.normpath(posixpath.join(base, *parts))


def _find(folder: str, load: Load) -> Module | None:
    for path in (f"{folder}.py", f"{folder}/__init__.py"):
        found = load(posixpath.normpath(path))
        if found is not None:
            return found
    return None
