"""Read ComfyUI's official templates: the node types they use, and the oldest ComfyUI for each, by their own index.

They are made with the newest ComfyUI, so they have its types before any list does. A few use nodes of packs too.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from packaging.version import Version

from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.providers import running_types
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import PycomfyError

INDEX = "index.json"
"""The index: `[{"templates": [{"name", "minComfyUIVersion", …}]}]`; a template is the file `NAME.json` beside it."""

MAX_TEMPLATES = 20_000

_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){1,3}")


def parse_templates(
    files: Mapping[str, bytes], is_core: Callable[[str], bool], is_packs: Callable[[str], bool]
) -> dict[str, str]:
    """Return node type -> the oldest ComfyUI that a template with it requires, which therefore has it.

    `files` are the index and the templates, by name; `is_core` and `is_packs` say which types are known as ComfyUI's
    and as those of packs. In a template that uses a node of a pack, only types known as ComfyUI's count: any other may
    be of a pack.
    """
    oldest: dict[str, str] = {}
    for name, version in _versions(files.get(INDEX, b"[]")):
        types = _types(files.get(f"{name}.json"), name)
        mixed = any(is_packs(t) and not is_core(t) for t in types)
        for type_ in types:
            if (is_core(type_) or not mixed) and Version(version) < Version(oldest.get(type_, "99999")):
                oldest[type_] = version
    return dict(sorted(oldest.items()))


def _versions(index: bytes) -> Iterator[tuple[str, str]]:
    """The names of templates, each with the ComfyUI that it requires."""
    try:
        groups: Any = json.loads(index)
    except (ValueError, RecursionError):
        return
    entries = [
        entry
        for group in (groups if isinstance(groups, list) else ())
        if isinstance(group, dict) and isinstance(group.get("templates"), list)
        for entry in group["templates"]
    ]
    for entry in entries[:MAX_TEMPLATES]:
        name, version = (entry.get("name"), entry.get("minComfyUIVersion")) if isinstance(entry, dict) else (None, None)
        if isinstance(name, str) and isinstance(version, str) and _VERSION.fullmatch(version):
            yield name, version


def _types(data: bytes | None, name: str) -> tuple[str, ...]:
    if data is None:
        return ()
    try:
        return tuple(running_types(collect_requirements(parse_workflow(data, where=name)).nodes))
    except PycomfyError:
        return ()
