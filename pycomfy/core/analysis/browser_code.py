"""Find out whether a node pack has code for ComfyUI's editor, by its source: nothing of it is run.

ComfyUI serves the folder that `WEB_DIRECTORY` of the pack's module names, or `[tool.comfy] web` in its pyproject.toml;
older packs add theirs to `EXTENSION_WEB_DIRS`, or copy files to ComfyUI's `web/extensions`.
"""

import re
import tomllib
from collections.abc import Mapping

from pycomfy.core.loose_json import as_mapping, as_text

_ASSIGNED = re.compile(r"^[^#\n]*?\bWEB_DIRECTORY\b\s*(?::[^=\n]{1,200})?=(?!=)\s*(?!None\b)\S", re.MULTILINE)
_IMPORTED = re.compile(r"^[ \t]*(from|import)\b[^#\n]*\bWEB_DIRECTORY\b", re.MULTILINE)
_OLD_WAYS = re.compile(r"\bEXTENSION_WEB_DIRS\b|[\"']/?web/extensions|[\"']web[\"'],\s*[\"']extensions[\"']")


def has_browser_code(files: Mapping[str, str]) -> bool:
    """Return whether a pack has code that the editor loads. `files` are its texts by path."""
    first = files.get("__init__.py", "")
    if _ASSIGNED.search(first) or _IMPORTED.search(first) or _names_folder(files.get("pyproject.toml", "")):
        return True
    # `from .nodes import *` brings the name along; and any module may use the old ways.
    return any(
        _OLD_WAYS.search(text) or ("import *" in first and _ASSIGNED.search(text))
        for path, text in files.items()
        if path.endswith(".py")
    )


def _names_folder(pyproject: str) -> bool:
    try:
        data = tomllib.loads(pyproject)
    except (ValueError, RecursionError):
        return False
    comfy = as_mapping(as_mapping(data.get("tool")).get("comfy"))
    return bool(as_text(comfy.get("web")))
