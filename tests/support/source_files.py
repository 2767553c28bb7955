"""Source trees for scanning, by path and text."""

import textwrap
from collections.abc import Mapping

from pycomfy.core.analysis.evaluator_values import Trees
from pycomfy.core.analysis.pack_scan import Parse, Scan, scan_comfyui, scan_pack


def pack(**files: str) -> Scan:
    """A pack's scan; `a__b` is the file `a/b.py`, `init` is `__init__.py`."""
    return scan_pack(*_tree({_path(name): textwrap.dedent(text) for name, text in files.items()}))


def comfyui(**files: str) -> Scan:
    return scan_comfyui(*_tree({_path(name): textwrap.dedent(text) for name, text in files.items()}))


def _tree(files: Mapping[str, str]) -> tuple[list[str], Parse]:
    return list(files), Trees(files).tree


def _path(name: str) -> str:
    return "/".join("__init__" if part == "init" else part for part in name.split("__")) + ".py"
