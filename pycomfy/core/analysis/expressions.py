"""Read expressions of a syntax tree: what is in them, what they name, and what they mean for an import."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

MAX_SHOWN = 120
_EXPECTED = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException", "OSError"})

_NOT_FOR_FAILURES = frozenset(
    {"ImportError", "ModuleNotFoundError", "KeyError", "IndexError", "AttributeError", "NameError", "TypeError"}
)
"""What no failed download and no failed program raises; all other names may be those of what does."""

_LEAVING = (ast.Return, ast.Continue, ast.Break)
_CLOSED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name, ast.Constant)
_MARKS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop)
"""Nodes that only qualify another one, and have no children."""


def walk(root: ast.AST) -> Iterator[ast.AST]:
    """Yield every expression below, in the order of the source, except in functions, which run only when called."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _CLOSED) and node is not root:
            continue
        # What `ast.iter_child_nodes` yields, in a third of its time: most of a scan is spent here.
        for name in reversed(node._fields):
            value = getattr(node, name, None)
            if isinstance(value, list):
                waiting.extend(item for item in reversed(value) if isinstance(item, ast.AST))
            elif isinstance(value, ast.AST) and not isinstance(value, _MARKS):
                waiting.append(value)


def texts_of(tree: ast.Module) -> Mapping[str, tuple[str, ...]]:
    """Return the texts that names are set to anywhere in the file, whichever applies when."""
    found: dict[str, tuple[str, ...]] = {}
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
            targets = [node.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        value = getattr(node, "value", None)
        if not names or not isinstance(value, (ast.List, ast.Tuple, ast.BinOp, ast.Constant, ast.JoinedStr)):
            continue
        parts = (n.value for n in ast.walk(value) if isinstance(n, ast.Constant))
        texts = tuple(p[:1000] for p in parts if isinstance(p, str))[:50]
        for name in names:
            found[name] = (found.get(name, ()) + texts)[:200]
    return found


def expects_absence(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler catches what a missing module, or a missing shared library of it, raises."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or dotted(kind).rpartition(".")[2] in _EXPECTED for kind in kinds)


def asks_for_module(test: ast.expr) -> bool:
    """Return whether a condition is whether a module is there: `find_spec("x")`, `is_x_available()`, `HAS_X`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(asks_for_module(value) for value in test.values)
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.IsNot | ast.NotEq):
        return asks_for_module(test.left)
    if isinstance(test, ast.Call):
        name = dotted(test.func).rpartition(".")[2]
        return name == "find_spec" or re.fullmatch(r"(is|has|have)_\w+_(available|installed)", name) is not None
    name = dotted(test).rpartition(".")[2]
    return re.fullmatch(r"_?(HAS|HAVE)_\w+|\w+_(AVAILABLE|INSTALLED)", name) is not None


def suppresses(context: ast.expr) -> bool:
    """Return whether a context manager does the same: `contextlib.suppress`."""
    if not isinstance(context, ast.Call) or dotted(context.func).rpartition(".")[2] != "suppress":
        return False
    return any(dotted(a).rpartition(".")[2] in _EXPECTED for a in context.args)


def handles_failure(statement: ast.Try | ast.TryStar) -> bool:
    """Return whether a `try` goes on after a failed download or program: a handler catches that and raises nothing."""
    for handler in statement.handlers:
        if catches_failure(handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]):
            return not any(isinstance(inner, ast.Raise) for one in handler.body for inner in ast.walk(one))
    return False


def catches_failure(kinds: Sequence[ast.expr | None]) -> bool:
    """Return whether one of these exceptions may be that of a failed download or program; None is every exception."""
    return any(kind is None or dotted(kind).rpartition(".")[2] not in _NOT_FOR_FAILURES for kind in kinds)


def may_leave(statement: ast.stmt, depth: int = 5) -> bool:
    """Return whether what follows the statement may be skipped, because a block in it ends with a `return` or the
    like. A `raise` does not count: then the import itself fails."""
    if isinstance(statement, _LEAVING):
        return True
    if depth == 0 or isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    blocks: list[list[ast.stmt]] = [getattr(statement, name, None) or [] for name in ("body", "orelse")]
    blocks += [handler.body for handler in getattr(statement, "handlers", ())]
    return any(may_leave(block[-1], depth - 1) for block in blocks if block)


def is_conditional(call: ast.Call, root: ast.AST) -> bool:
    """Return whether an expression decides if a call in it happens: `exists(x) or call()`."""
    for node in walk(root):
        parts: list[ast.expr] = []
        if isinstance(node, ast.BoolOp):
            parts = node.values[1:]
        elif isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        if any(inner is call for part in parts for inner in walk(part)):
            return True
    return False


def is_main(test: ast.expr) -> bool:
    """Return whether a condition is `__name__ == "__main__"`."""
    return isinstance(test, ast.Compare) and "__name__" in (dotted(test.left), *map(dotted, test.comparators))


def dotted(node: ast.AST | None) -> str:
    """Return `a.b.c` as text; "" for anything but names and attributes."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < 20:
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def shown_call(call: ast.Call) -> str:
    """Return the source of a call in one line of at most `MAX_SHOWN` characters."""
    try:
        text = " ".join(ast.unparse(call).split())
    except (RecursionError, ValueError):
        text = dotted(call.func) + "(…)"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
