"""Read the node types that a ComfyUI or a node pack provides from its source, without importing torch."""

import ast
import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pycomfy.core.analysis.evaluator import SourceEvaluator
from pycomfy.core.analysis.evaluator_values import UNKNOWN, Class, Dict, Function, Module, Trees, statements

MAPPINGS = "NODE_CLASS_MAPPINGS"
NODE_LIST = "node_list.json"
LEGACY, SCHEMA = "INPUT_TYPES", "define_schema"
"""The methods in which a node class defines its inputs, before V3 and since."""

MAX_TYPES = 20_000


@dataclass(frozen=True, slots=True)
class NodeTypes:
    """Node types, each with its file. `dynamic` are files that may define more of them when they run."""

    types: Mapping[str, str]
    dynamic: tuple[str, ...] = ()


def class_types(files: Mapping[str, str]) -> dict[str, str]:
    """Return node type -> file, for the Python sources of a ComfyUI (`nodes.py`, `comfy_extras/…`) or of a node pack.

    `files` maps paths relative to its folder to their text; a pack's `node_list.json` is read too.
    """
    return dict(find_node_types(files).types)


def find_node_types(files: Mapping[str, str], trees: Trees | None = None) -> NodeTypes:
    """As `class_types`, with the files that may define more when they run. `trees` are the files' syntax trees, if
    others use them too."""
    return find_node_classes(files, SourceEvaluator(files, trees))[0]


def find_node_classes(files: Mapping[str, str], sources: SourceEvaluator) -> tuple[NodeTypes, dict[str, Class]]:
    """As `find_node_types`, and the classes of those types that have one in the files. `sources` reads these files."""
    pack = "__init__.py" in files
    types: dict[str, str] = {}
    classes: dict[str, Class] = {}
    dynamic: list[str] = []
    # A pack's `__init__.py` defines what it provides. Where that takes running code, the mappings of all files count.
    if pack:
        entry = sources.module("__init__.py")
        if entry is not None and _read(entry, sources, types, classes) and types:
            return NodeTypes(_bounded(types)), classes
        dynamic.append("__init__.py")
    for path in sorted(files):
        if not path.endswith(".py") or path == "__init__.py":
            continue
        module = sources.module(path)
        if module is not None and not _read(module, sources, types, classes):
            dynamic.append(path)
    for type_ in _listed(files.get(NODE_LIST, "")):
        types.setdefault(type_, NODE_LIST)
    return NodeTypes(_bounded(types), tuple(dynamic)), classes


def _bounded(types: dict[str, str]) -> dict[str, str]:
    return dict(list(types.items())[:MAX_TYPES])


def _read(module: Module, sources: SourceEvaluator, types: dict[str, str], classes: dict[str, Class]) -> bool:
    """Add the types of one file; return whether these are all. `NODE_CLASS_MAPPINGS` wins over an entry point."""
    mappings = module.names.get(MAPPINGS)
    if isinstance(mappings, Dict) and (mappings.items or mappings.partial):
        for type_, value in mappings.items.items():
            if isinstance(value, Class):
                classes.setdefault(type_, value)
            types.setdefault(type_, value.module.path if isinstance(value, Class) else module.path)
        return not mappings.partial
    complete = mappings is not UNKNOWN
    for class_ in [v for v in module.names.values() if isinstance(v, Class) and v.module is module]:
        method = find_method(class_, "get_node_list")
        if method is None:
            continue
        listed = sources.result(method)
        complete = complete and isinstance(listed, list)
        for item in listed if isinstance(listed, list) else ():
            found = node_id(item, sources) if isinstance(item, Class) else None
            if isinstance(item, Class) and found is not None:
                classes.setdefault(found, item)
                types.setdefault(found, item.module.path)
            else:
                complete = False
    return complete


def find_method(class_: Class, name: str) -> Function | None:
    """Return the method that a class itself defines, not one that it inherits; None if it has none."""
    for statement in statements(class_.body.body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and statement.name == name:
            return Function(class_.module, statement)
    return None


def find_definition(class_: Class, sources: SourceEvaluator) -> Function | None:
    """Return the method in which a node class, or the first of its bases that does, defines its inputs: `INPUT_TYPES`,
    or the `define_schema` of V3; None if no base in the files does."""
    for part in sources.lineage(class_):
        method = find_method(part, LEGACY) or find_method(part, SCHEMA)
        if method is not None:
            return method
    return None


def node_id(class_: Class, sources: SourceEvaluator) -> str | None:
    """Return the `node_id` of a V3 node class: from its schema, else from a class attribute; both may be inherited."""
    for part in sources.lineage(class_):
        method = find_method(part, SCHEMA)
        if method is None:
            continue
        for expression in _id_expressions(method.body):
            local: dict[str, object] = {"cls": class_, "self": class_}
            value = sources.evaluate(expression, part.module, local)
            if isinstance(value, str):
                return value
        break
    for name in ("NodeId", "NODE_ID"):
        value = sources.attribute(class_, name)
        if isinstance(value, str):
            return value
    return None


def _id_expressions(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """The expressions for `node_id` in a `define_schema`. An assignment to the schema's attribute overrides what the
    constructor got, so it comes first."""
    arguments: list[ast.expr] = []
    for node in ast.walk(method):
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Attribute) and t.attr == "node_id" for t in node.targets
        ):
            yield node.value
        elif isinstance(node, ast.Call):
            arguments.extend(k.value for k in node.keywords if k.arg == "node_id")
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "Schema" and node.args:
                arguments.append(node.args[0])
    yield from arguments


def _listed(text: str) -> Iterator[str]:
    """The types in a pack's `node_list.json`: an object with types as keys, or a list."""
    if not text or len(text) > 4_000_000:
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(value, (dict, list)):
        yield from (v for v in value if isinstance(v, str))


def is_node_source(path: str) -> bool:
    """Return whether a file of ComfyUI's own tree can define built-in nodes."""
    folder, name = posixpath.split(path)
    return path == "nodes.py" or (folder.split("/")[0] in ("comfy_extras", "comfy_api_nodes") and name.endswith(".py"))
