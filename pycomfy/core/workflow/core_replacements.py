"""Know node types of ComfyUI's own that it replaced by others.

A newer ComfyUI registers each with `NodeReplace(new_node_id=…, old_node_id=…)`. Its editor offers to replace them,
and does it where its user says so.
"""

import ast
import re
from collections.abc import Collection, Mapping

from pycomfy.core.python_syntax import parse_source

KNOWN: Mapping[str, str] = {
    "ConditioningAverage ": "ConditioningAverage",
    "ImageBatch": "BatchImagesNode",
    "ImageScaleBy": "ResizeImageMaskNode",
    "Load3DAnimation": "Load3D",
    "Preview3DAnimation": "Preview3D",
    "ResizeImagesByLongerEdge": "ImageScaleToMaxDimension",
    "SDV_img2vid_Conditioning": "SVD_img2vid_Conditioning",
    "T2IAdapterLoader": "ControlNetLoader",
}
"""Old type -> new type, as ComfyUI registers them in 2026."""

_CALL = "NodeReplace"
_FILE = re.compile(r"(comfy_extras|comfy_api_nodes)/[^/]+\.py|nodes\.py")


def find_replacements(files: Mapping[str, str], types: Collection[str]) -> dict[str, str]:
    """Return old type -> new type for those of ComfyUI's types that it replaced: the new one is among its `types`, and
    the old one is not. `files` are its Python sources."""
    found = dict(KNOWN)
    for path, text in sorted(files.items()):
        if _FILE.fullmatch(path) and _CALL in text:
            found.update(_read(text))
    return {old: new for old, new in found.items() if new in types and old not in types}


def replaced_by(type_: str, types: Collection[str]) -> str | None:
    """Return the type that replaces a former one of ComfyUI's, if a server that lacks it has that."""
    new = KNOWN.get(type_)
    return new if new is not None and new in types and type_ not in types else None


def _read(text: str) -> dict[str, str]:
    tree = parse_source(text)
    found: dict[str, str] = {}
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        ids = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
        old, new = ids.get("old_node_id"), ids.get("new_node_id")
        if name == _CALL and isinstance(old, str) and isinstance(new, str):
            found[old] = new
    return found
