"""Find the parts of an installation: ComfyUI itself, and the Python that runs it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.capture.files import read_text
from pycomfy.errors import BadInput, NotFound

_VENVS = (".venv", "venv", "env", "python_embeded", "python_embedded")
_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)
_SHARED = re.compile(r"^include-system-site-packages\s*=\s*true", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class PythonLocation:
    """A Python environment. `sites` are the folders with its packages; `version` is "3.12.4" or "3.12", "" if unknown;
    `kind` says what it is, in a word. With `shared` it also uses the packages of the system's Python."""

    folder: Path
    sites: tuple[Path, ...]
    version: str
    kind: str
    shared: bool = False


def find_root(folder: Path) -> Path:
    """Return ComfyUI's own folder: this one, or `ComfyUI` in it, as in a portable installation. Raises `NotFound`."""
    for path in (folder, folder / "ComfyUI"):
        if (path / "main.py").is_file() and (path / "nodes.py").is_file():
            return Path(path).absolute()
    raise NotFound(
        "no ComfyUI in the folder", where=str(folder), fix="give the folder that has ComfyUI's main.py in it"
    )


def find_python(tops: Sequence[Path], given: Path | None = None) -> PythonLocation | None:
    """Return the environment that the user names, by its folder or its program, else the first one in or beside one of
    `tops`; None if there is none.

    Raises `BadInput` for one that is named and has no packages.
    """
    if given is not None:
        folder = given.parent.parent if given.is_file() and given.parent.name in ("bin", "Scripts") else given
        found = _read(folder.parent if folder.is_file() else folder)
        if found is None:
            raise BadInput("no Python packages", where=str(given), fix="give a virtual environment, or its bin/python")
        return found
    folders = [top / name for own in tops for top in (own, own.parent) for name in _VENVS]
    return next((found for folder in folders if (found := _read(folder)) is not None), None)


def _read(folder: Path) -> PythonLocation | None:
    if not folder.is_dir():
        return None
    sites = [p for pattern in _SITES for p in sorted(folder.glob(pattern)) if p.is_dir()]
    unique = tuple({p.resolve(): p for p in reversed(sites)}.values())[::-1]
    if not unique and folder.name in ("site-packages", "dist-packages"):
        unique = (folder,)
    if not unique:
        return None
    config = read_text(folder / "pyvenv.cfg", 1 << 16)
    version = _VERSION.search(config)
    kind = "virtual environment" if config else "conda" if (folder / "conda-meta").is_dir() else "Python"
    return PythonLocation(
        folder.absolute(),
        unique,
        version[1] if version else _guess_version(folder, unique[0]),
        kind,
        bool(_SHARED.search(config)),
    )


_SITES = (
    "lib/python3*/site-packages",
    "lib64/python3*/site-packages",
    "Lib/site-packages",
    "local/lib/python3*/dist-packages",
    "lib/python3/dist-packages",
)


def _guess_version(folder: Path, site: Path) -> str:
    for path in sorted((folder / "conda-meta").glob("python-3*.json")):
        if match := re.match(r"python-(3\.\d+\.\d+)-", path.name):
            return match[1]
    if match := re.fullmatch(r"python(3\.\d+)", site.parent.name):
        return match[1]
    for path in sorted(folder.glob("python3*")):
        if match := re.match(r"python(3)(\d+)\.(?:dll|_pth)$", path.name):
            return f"{match[1]}.{match[2]}"
    return ""
