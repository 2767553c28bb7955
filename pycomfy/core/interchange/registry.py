"""Which format a file has, and reading it."""

from collections.abc import Callable, Mapping

from pycomfy.core.interchange.comfy_cli import is_definition, parse_definition
from pycomfy.core.interchange.comfy_pack import SNAPSHOT, is_new, is_old, parse_cpack
from pycomfy.core.interchange.comfyui_desktop import is_desktop, parse_desktop
from pycomfy.core.interchange.comfyui_json import is_graph, parse_graph
from pycomfy.core.interchange.comfyui_manager import is_snapshot, parse_snapshot
from pycomfy.core.interchange.document import parse_document
from pycomfy.core.interchange.model import TITLES, EnvironmentSpec, Format
from pycomfy.core.interchange.pylock import is_pylock, parse_pylock
from pycomfy.core.interchange.view_comfy import is_view, parse_view
from pycomfy.errors import BadInput

Document = Mapping[str, object]

_SIGNS: tuple[tuple[Format, Callable[[Document], bool]], ...] = (
    ("pylock", is_pylock),
    ("view-comfy", is_view),
    ("comfy-cli", is_definition),
    ("desktop-snapshot", is_desktop),
    ("cpack", is_new),
    ("manager-snapshot", is_snapshot),
    ("cpack-0.3", is_old),
    ("comfyui-json", is_graph),
)
"""How each is told from the others, the surest first."""

_PARSERS: Mapping[Format, Callable[[Document, str], EnvironmentSpec]] = {
    "manager-snapshot": parse_snapshot,
    "comfyui-json": parse_graph,
    "pylock": parse_pylock,
    "comfy-cli": parse_definition,
    "desktop-snapshot": parse_desktop,
    "view-comfy": parse_view,
}


def find_format(value: object) -> Format | None:
    """The format of a document; None if it is none of them."""
    if not isinstance(value, Mapping):
        return None
    return next((format_ for format_, has in _SIGNS if has(value)), None)


def parse_environment(data: bytes, where: str, format_: Format | None = None) -> tuple[Format, EnvironmentSpec]:
    """What a file says, of `format_` if that is given. Raises `BadInput`; a zip is for `parse_cpack` to read."""
    value = parse_document(data, where)
    found = find_format(value)
    chosen = format_ or found
    if chosen is None or not isinstance(value, Mapping):
        raise BadInput(_strange(value), where=where, fix=_fix(value))
    if chosen in ("cpack", "cpack-0.3"):
        return chosen, parse_cpack({SNAPSHOT: data}, where)
    if format_ is not None and found is not None and found != format_:
        raise BadInput(
            f"it is not {TITLES[format_]}, but {TITLES[found]}", where=where, fix=f"--format {found}, or leave it out"
        )
    return chosen, _PARSERS[chosen](value, where)


def _strange(value: object) -> str:
    if _is_workflow(value):
        return "it is a workflow, not what another tool writes beside one"
    return "it is no file that can be imported: neither a bundle nor any of the formats"


def _fix(value: object) -> str:
    if _is_workflow(value):
        return "lock it: pycomfy lock FILE"
    return f"say what it is with --format: {', '.join(TITLES)}"


def _is_workflow(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    nodes = list(value.values())
    return isinstance(value.get("nodes"), list) or (
        bool(nodes) and all(isinstance(n, Mapping) and "class_type" in n for n in nodes)
    )
