"""Where the parts of an installation are: ComfyUI itself, and the Python that runs it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.capture.git_dir import read_small
from pycomfy.errors import BadInput, NotFound

_VENVS = (".venv", "venv", "env", "python_embeded", "python_embedded")
_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)
_HOME = re.compile(r"^include-system-site-packages\s*=\s*true", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class PythonLocation:
    """A Python environment: the folders that its packages are in, and its version as "3.12.4", "3.12", or "" if nothing
    tells. With `shared` it also uses the packages of the system's Python."""

    folder: Path
    sites: tuple[Path, ...]
    version: str
    kind: str
    shared: bool = False


def find_root(folder: Path) -> Path:
    """ComfyUI's own folder: this one, or `ComfyUI` in it, as in a portable installation. Raises `NotFound`."""
    for place in (folder, folder / "ComfyUI"):
        if (place / "main.py").is_file() and (place / "nodes.py").is_file():
            return Path(place).absolute()
    raise NotFound(
        "there is no ComfyUI in the folder", where=str(folder), fix="give the folder that has ComfyUI's main.py in it"
    )


def find_python(tops: Sequence[Path], given: Path | None = None) -> PythonLocation | None:
    """The environment that the user names (its folder, or its program), else the first one in or beside one of `tops`.

    Raises `BadInput` for one that is named and has no packages.
    """
    if given is not None:
        place = given.parent.parent if given.is_file() and given.parent.name in ("bin", "Scripts") else given
        found = _look(place.parent if place.is_file() else place)
        if found is None:
            raise BadInput(
                "there are no Python packages", where=str(given), fix="give a virtual environment, or its bin/python"
            )
        return found
    places = [top / name for own in tops for top in (own, own.parent) for name in _VENVS]
    return next((found for place in places if (found := _look(place)) is not None), None)


def _look(place: Path) -> PythonLocation | None:
    if not place.is_dir():
        return None
    sites = [p for pattern in _SITES for p in sorted(place.glob(pattern)) if p.is_dir()]
    unique = tuple({p.resolve(): p for p in reversed(sites)}.values())[::-1]
    if not unique and place.name in ("site-packages", "dist-packages"):
        unique = (place,)
    if not unique:
        return None
    config = read_small(place / "pyvenv.cfg", 1 << 16)
    said = _VERSION.search(config)
    kind = "virtual environment" if config else "conda" if (place / "conda-meta").is_dir() else "Python"
    return PythonLocation(
        place.absolute(),
        unique,
        said[1] if said else _guess_version(place, unique[0]),
        kind,
        bool(_HOME.search(config)),
    )


_SITES = (
    "lib/python3*/site-packages",
    "lib64/python3*/site-packages",
    "Lib/site-packages",
    "local/lib/python3*/dist-packages",
    "lib/python3/dist-packages",
)


def _guess_version(place: Path, site: Path) -> str:
    for path in sorted((place / "conda-meta").glob("python-3*.json")):
        if match := re.match(r"python-(3\.\d+\.\d+)-", path.name):
            return match[1]
    if match := re.fullmatch(r"python(3\.\d+)", site.parent.name):
        return match[1]
    for path in sorted(place.glob("python3*")):
        if match := re.match(r"python(3)(\d+)\.(?:dll|_pth)$", path.name):
            return f"{match[1]}.{match[2]}"
    return ""
