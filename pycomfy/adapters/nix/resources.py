"""Find the files that come with pycomfy: its Nix code, the templates, the gateway's source."""

import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path

from pycomfy.core.nix.project import Toolkit
from pycomfy.errors import BadConfig

NPM_REGISTRY = "PYCOMFY_NPM_REGISTRY"

_PACKAGE = Path(__file__).parents[2]
_BOOTSTRAP = "bootstrap.json"
_REGISTRY = "https://registry.npmjs.org"


def nix_folder() -> Path:
    """Return the folder of the Nix code: beside the package in a checkout, inside it where it was installed."""
    return _find("nix")


def templates_folder() -> Path:
    """Return the folder of the templates, likewise."""
    return _find("templates")


def examples_folder() -> Path:
    """Return the folder of the example workflow and its node pack, likewise."""
    return _find("examples")


def read_toolkit(environment: Mapping[str, str] = os.environ) -> Toolkit:
    """Read what every emitted project contains. The program that opens Debian's packages comes from npm's registry; the
    variable `NPM_REGISTRY` of the `environment` names a mirror of it. Raises `BadConfig` for what is no address."""
    nix = _read(nix_folder())
    mirror = environment.get(NPM_REGISTRY)
    if mirror:
        nix[_BOOTSTRAP] = nix[_BOOTSTRAP].replace(_REGISTRY.encode(), _checked(mirror).encode())
    return Toolkit(nix=nix, gateway=_read(_PACKAGE / "gateway"), templates=_read(templates_folder() / "project"))


def _checked(url: str) -> str:
    fix = f"set {NPM_REGISTRY} to the address of a mirror of npm's registry, or unset it"
    if not re.fullmatch(r"https?://[A-Za-z0-9._~:/@%+-]+", url):
        raise BadConfig("not the address of a registry", where=NPM_REGISTRY, fix=fix)
    if "@" in url:
        # It would be in every project, and every project is in git.
        raise BadConfig("the address of a registry must not hold a login", where=NPM_REGISTRY, fix=fix)
    return url.rstrip("/")


def _find(name: str) -> Path:
    inside = _PACKAGE / "resources" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def _read(folder: Path) -> dict[str, bytes]:
    """Return every source file below `folder`: no bytecode, no tests."""
    return dict(_read_once(folder))


@functools.cache
def _read_once(folder: Path) -> dict[str, bytes]:
    """Read them: they are this program's own, as its code is, which was read when it started."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(("test_", "conftest", "."))
    }
