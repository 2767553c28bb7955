"""List the interchange formats.

A format is loaded when it is first needed: listing their names imports none of them.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pycomfy.core.interchange.format import Format

BUNDLE = "bundle"
"""What pycomfy's own file is called where a format can be chosen; it is not one of them."""

FORMATS: dict[str, str] = {
    "pylock": "pycomfy.core.interchange.pylock:PYLOCK",
    "view-comfy": "pycomfy.core.interchange.view_comfy:VIEW_COMFY",
    "comfy-cli": "pycomfy.core.interchange.comfy_cli:COMFY_CLI",
    "desktop-snapshot": "pycomfy.core.interchange.comfyui_desktop:DESKTOP_SNAPSHOT",
    "cpack": "pycomfy.core.interchange.comfy_pack:CPACK",
    "manager-snapshot": "pycomfy.core.interchange.comfyui_manager:MANAGER_SNAPSHOT",
    "cpack-0.3": "pycomfy.core.interchange.comfy_pack:OLD_CPACK",
    "comfyui-json": "pycomfy.core.interchange.comfyui_json:COMFYUI_JSON",
    "cm-cli-deps": "pycomfy.core.interchange.cm_cli:CM_CLI_DEPS",
}
"""Every format by its name, as `module:object`. A file has the first that recognises it: comfy-pack's snapshot, for
one, is also a valid one of ComfyUI-Manager."""


def load_format(name: str) -> "Format":
    """Return the format of that name. Raises `KeyError` if there is none."""
    return cast("Format", resolve_name(FORMATS[name]))


def load_formats() -> "tuple[Format, ...]":
    """Return every format, in the order in which they are tried on a file."""
    return tuple(load_format(name) for name in FORMATS)
