"""Read how packs' repositories define a node type: now, and at each commit that changed it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.catalog.node_type_cache import read_shapes, read_types
from pycomfy.adapters.git.checkout import read_tree
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.core.analysis.evaluator_values import MAX_SOURCE
from pycomfy.core.analysis.node_shapes import NodeShape, find_shapes

MAX_BLOBS = 600
"""Versions of files that are read."""

MAX_DEFINITIONS = 60
"""Different definitions of a class that are compared."""


@dataclass(frozen=True)
class PackDefinitions:
    """The shapes of types at the newest commit of a repository, as far as its source shows them; `files` are those that
    define the types."""

    repository: GitMirror
    commit: str
    shapes: Mapping[str, NodeShape] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def read_pack_definitions(repository: GitMirror, types: Sequence[str], cache: Path) -> PackDefinitions:
    """Return the newest definitions of `types`. Raises `UnpinnedPack`, `NotFound`, `NetworkError`, `Unresolved`."""
    commit = repository.resolve()
    data = read_tree(repository, commit, lambda path: path.endswith(".py") or path == "node_list.json")
    files = {path: text.decode("utf-8-sig", errors="replace") for path, text in data.items()}
    return PackDefinitions(repository, commit, read_shapes(files, types, cache), read_types(files, cache).types)


def earlier_shapes(definitions: PackDefinitions, type_: str) -> list[NodeShape] | None:
    """Return the shapes of all definitions that a type ever had, newest first; None if these cannot all be read. Only
    the class itself is read, so what it takes from elsewhere is unknown in them."""
    shape, repository = definitions.shapes.get(type_), definitions.repository
    if shape is None:
        return None
    repository.fetch_history()
    paths = {path for text in (f"class {shape.class_name}", type_) for path in _list_paths(definitions, f"-S{text}")}
    texts = _read_versions(definitions, sorted({*paths, definitions.files[type_]}))
    if texts is None:
        return None
    mapped = re.compile(rf"""["']{re.escape(type_)}["']\s*:\s*(?:\w+\.)*([A-Za-z_]\w*)""")
    names = dict.fromkeys([shape.class_name, *(name for text in texts for name in mapped.findall(text))])
    cut = ((name, _cut_class(text, name)) for name in names for text in texts)
    sources = list(dict.fromkeys((name, source) for name, source in cut if source))
    if len(sources) > MAX_DEFINITIONS:
        return None
    shapes: list[NodeShape] = []
    for name, source in sources:
        alone = f"{source}\nNODE_CLASS_MAPPINGS = {{{type_!r}: {name}}}\n"
        shapes += find_shapes({"__init__.py": alone}, (type_,)).values()
    return shapes


def _list_paths(definitions: PackDefinitions, *arguments: str) -> set[str]:
    """The Python files that the commits that git's `arguments` choose have changed."""
    done = definitions.repository.git(
        "log", "--name-only", "-z", "--format=", "--no-ext-diff", "--no-textconv", *arguments, definitions.commit, "--"
    )
    found = done.output.decode(errors="replace").split("\0")
    return {path.strip("\n") for path in found if path.strip("\n").endswith(".py")}


def _read_versions(definitions: PackDefinitions, paths: Sequence[str]) -> list[str] | None:
    """All versions of these files, the newest of each first; None if there are too many."""
    repository = definitions.repository
    arguments = ("--raw", "--no-abbrev", "--format=", "--no-renames", definitions.commit, "--")
    done = repository.git("log", *arguments, *(f":(literal){path}" for path in paths))
    found = re.findall(r"^:\d+ \d+ ([0-9a-f]{40}) ([0-9a-f]{40}) ", done.output.decode(errors="replace"), re.MULTILINE)
    blobs = list(dict.fromkeys(b for old, new in found for b in (new, old) if b.strip("0")))
    if done.status != 0 or not blobs or len(blobs) > MAX_BLOBS:
        return None
    with repository.objects() as objects:
        return [objects.read(blob)[:MAX_SOURCE].decode("utf-8-sig", errors="replace") for blob in blobs]


def first_commit_date(definitions: PackDefinitions, type_: str) -> datetime | None:
    """Return when the first commit with a type's name was made; None if that is not known."""
    repository = definitions.repository
    repository.fetch_history()
    arguments = ("--format=%ct", "--no-ext-diff", "--no-textconv", f"-S{type_}", definitions.commit)
    done = repository.git("log", *arguments, "--", "*.py", "node_list.json")
    times = [int(line) for line in done.output.decode(errors="replace").split() if line.isdigit()]
    try:
        return datetime.fromtimestamp(min(times), tz=UTC) if done.status == 0 and times else None
    except (OverflowError, ValueError, OSError):
        return None


def _cut_class(text: str, name: str) -> str:
    """The source of a class at the top of a file; "" if there is none."""
    match = re.search(rf"^class {re.escape(name)}\b.*?(?=^[^\s#)]|\Z)", text, re.MULTILINE | re.DOTALL)
    return match[0] if match is not None else ""
