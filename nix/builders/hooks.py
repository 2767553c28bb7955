"""Makes a wheel of the source in the current folder, as PEP 517 says; run by the Python that has the build's packages.

    python hooks.py FOLDER      the wheel goes there

It is alone with the stranger's code: nothing is imported from the other builders. What it cannot do it says in a line
that begins with `pycomfy: ` or, for packages that the build asks for, `pycomfy needs: ` and a list in JSON.
"""

import importlib
import json
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LEGACY = "setuptools.build_meta:__legacy__"


def backend_of(folder: Path) -> tuple[str, list[str]]:
    """The build backend that `folder` names, and where beside its files it is looked for."""
    file = folder / "pyproject.toml"
    system = tomllib.loads(file.read_text(encoding="utf-8")).get("build-system", {}) if file.is_file() else {}
    return system.get("build-backend", LEGACY), [str(folder / path) for path in system.get("backend-path", [])]


def load(name: str) -> Any:
    """The backend, `module` or `module:object`."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in filter(None, path.split(".")):
        found = getattr(found, part)
    return found


def lacking(requires: list[str]) -> list[str]:
    """Those of some requirements (PEP 508) whose package is not there, and whose marker does not exclude it."""
    return [text for text in requires if _applies(text) and not _is_there(re.split(r"[\s\[<>=!~;@(]", text.strip())[0])]


def _is_there(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _applies(text: str) -> bool:
    _, semicolon, marker = text.partition(";")
    if not semicolon:
        return True
    for module in ("packaging.markers", "setuptools._vendor.packaging.markers"):
        try:
            return bool(importlib.import_module(module).Marker(marker).evaluate())
        except ImportError:
            continue
    return False


def build(folder: Path, out: Path) -> None:
    """Call the hooks; leaves by `SystemExit` with what is lacking."""
    name, paths = backend_of(folder)
    sys.path[:0] = paths
    try:
        backend = load(name)
    except ImportError as e:
        sys.exit(f"pycomfy: the build backend {name} cannot be imported: {e}")
    ask = getattr(backend, "get_requires_for_build_wheel", None)
    if ask is not None and (needs := lacking([str(text) for text in ask(None)])):
        sys.exit(f"pycomfy needs: {json.dumps(needs)}")
    backend.build_wheel(str(out), None, None)


if __name__ == "__main__":
    sys.argv[1:], target = [], Path(sys.argv[1])
    sys.path[0] = ""  # the source's folder, as a `setup.py` expects
    build(Path.cwd(), target)
