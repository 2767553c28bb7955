"""Read how packs' repositories define a node type: now, and at each commit that changed it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.catalog.node_type_cache import read_shapes, read_types
from pycomfy.adapters.git.checkout import read_tree
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.process import Limit
from pycomfy.core.analysis.node_shapes import NodeShape, find_shapes
from pycomfy.core.python_syntax import MAX_SOURCE

MAX_BLOBS = 600
"""Versions of files that are read."""

MAX_BYTES = 64 << 20
"""Bytes of all of them."""

MAX_PATHS = 300
"""Files whose versions are read."""

HISTORY_LIMIT = Limit(seconds=300)
"""For reading a history: each commit of it may have a tree that no machine can list."""

MAX_DEFINITIONS = 60
"""Different definitions of a class that are compared."""


_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
_NEXT = re.compile(r"^[^\s#)]", re.MULTILINE)
_CHANGE = re.compile(r"^:(\d+) (\d+) ([0-9a-f]{40}) ([0-9a-f]{40}) ", re.MULTILINE)
_FILE_MODES = frozenset({"100644", "100664", "100755"})


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
    if shape is None or not _is_searchable(type_) or type_ not in definitions.files:
        return None
    repository.fetch_history()
    paths = {definitions.files[type_]}
    for text in (f"class {shape.class_name}", type_):
        changed = _list_paths(definitions, text)
        if changed is None:
            return None
        paths |= changed
    texts = _read_versions(definitions, sorted(paths))
    if texts is None:
        return None
    mapped = re.compile(rf"""["']{re.escape(type_)}["']\s*:\s*(?:\w+\.)*([A-Za-z_]\w*)""")
    names = dict.fromkeys([shape.class_name, *(name for text in texts for name in mapped.findall(text))])
    by_name: dict[str, dict[str, None]] = {name: {} for name in names}
    for text in texts:
        for name, source in _cut_classes(text, names):
            by_name[name][source] = None
    sources = [(name, source) for name, found in by_name.items() for source in found]
    if len(sources) > MAX_DEFINITIONS:
        return None
    shapes: list[NodeShape] = []
    for name, source in sources:
        alone = f"{source}\nNODE_CLASS_MAPPINGS = {{{type_!r}: {name}}}\n"
        shapes += find_shapes({"__init__.py": alone}, (type_,)).values()
    return shapes


def _is_searchable(text: str) -> bool:
    """Whether git can be given a text to search for."""
    try:
        return bool(text) and b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _list_paths(definitions: PackDefinitions, text: str) -> set[str] | None:
    """The Python files whose number of occurrences of a text some commit changed; None if they cannot be listed."""
    done = definitions.repository.git(
        "log",
        "--name-only",
        "-z",
        "--format=",
        "--no-ext-diff",
        "--no-textconv",
        f"-S{text}",
        definitions.commit,
        "--",
        "*.py",
        limit=HISTORY_LIMIT,
    )
    found = {path.strip("\n") for path in done.output.decode(errors="replace").split("\0")}
    return {path for path in found if path.endswith(".py")} if done.status == 0 else None


def _read_versions(definitions: PackDefinitions, paths: Sequence[str]) -> list[str] | None:
    """All versions of these files, the newest of each first; None if there are too many."""
    repository = definitions.repository
    if len(paths) > MAX_PATHS:
        return None
    arguments = ("--raw", "--no-abbrev", "--format=", "--no-renames", definitions.commit, "--")
    done = repository.git("log", *arguments, *(f":(literal){path}" for path in paths), limit=HISTORY_LIMIT)
    changes = _CHANGE.findall(done.output.decode(errors="replace"))
    blobs = list(
        dict.fromkeys(
            blob
            for old_mode, new_mode, old, new in changes
            for mode, blob in ((new_mode, new), (old_mode, old))
            if mode in _FILE_MODES
        )
    )
    if done.status != 0 or not blobs or len(blobs) > MAX_BLOBS or _size(repository, blobs) > MAX_BYTES:
        return None
    with repository.objects() as objects:
        return [objects.read(blob)[:MAX_SOURCE].decode("utf-8-sig", errors="replace") for blob in blobs]


def _size(repository: GitMirror, blobs: Sequence[str]) -> int:
    """The bytes of all these objects."""
    done = repository.git("cat-file", "--batch-check=%(objectsize)", stdin="\n".join([*blobs, ""]).encode())
    sizes = done.output.split()
    return sum(map(int, sizes)) if len(sizes) == len(blobs) and all(map(bytes.isdigit, sizes)) else MAX_BYTES + 1


def first_commit_date(definitions: PackDefinitions, type_: str) -> datetime | None:
    """Return when the first commit with a type's name was made; None if that is not known."""
    repository = definitions.repository
    if not _is_searchable(type_):
        return None
    repository.fetch_history()
    arguments = ("--format=%ct", "--no-ext-diff", "--no-textconv", f"-S{type_}", definitions.commit)
    done = repository.git("log", *arguments, "--", "*.py", "node_list.json", limit=HISTORY_LIMIT)
    times = [int(line) for line in done.output.decode(errors="replace").split() if line.isdigit()]
    try:
        return datetime.fromtimestamp(min(times), tz=UTC) if done.status == 0 and times else None
    except (OverflowError, ValueError, OSError):
        return None


def _cut_classes(text: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The sources of those classes at the top of a file that have these names, of each the first."""
    seen: set[str] = set()
    for match in _CLASS.finditer(text):
        name = match[1]
        if name in names and name not in seen:
            seen.add(name)
            following = _NEXT.search(text, match.end())
            yield name, text[match.start() : following.start() if following is not None else len(text)]
