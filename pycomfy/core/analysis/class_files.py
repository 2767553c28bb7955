"""Find the files of node types that a pack puts together while it runs, by the names of their classes."""

import re
from collections.abc import Mapping

_CLASS = re.compile(r"^[ \t\f]*class[ \t]+(\w+)", re.MULTILINE)


def find_class_files(files: Mapping[str, str], type_: str) -> frozenset[str]:
    """Return the files that define the class of a node type: the one that a table of the pack gives for it, as in
    `"Type": Name` or `"Type": {"class": Name}`, else the one with the type's own name. None if no file does."""
    sources = {path: text for path, text in files.items() if path.endswith(".py")}
    entry = re.compile(rf"""["']{re.escape(type_)}["']\s*:\s*(?:\{{\s*["']class["']\s*:\s*)?(?:\w+\.)*([A-Za-z_]\w*)""")
    names = {match[1] for text in sources.values() for match in entry.finditer(text)} | {type_}
    return frozenset(
        path for path, text in sources.items() if any(match[1] in names for match in _CLASS.finditer(text))
    )
