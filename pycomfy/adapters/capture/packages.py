"""The packages of a Python environment, by what its installers left behind; its Python is not started."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.capture.git_dir import read_small
from pycomfy.adapters.capture.locate import PythonLocation
from pycomfy.core.capture.package_plan import InstalledPackage, parse_distribution

MAX_PACKAGES = 10_000
_MAX_BYTES = 8 << 20


@dataclass(frozen=True)
class Packages:
    """`newest` is when the last one was installed, if that is known; `notes` are for the user."""

    installed: tuple[InstalledPackage, ...] = ()
    newest: datetime | None = None
    notes: tuple[str, ...] = ()


def read_packages(place: PythonLocation) -> Packages:
    """Every package, each once: the first folder goes before the others, as it does for Python."""
    found: dict[str, InstalledPackage] = {}
    notes: list[str] = []
    newest = 0.0
    for site in place.sites:
        here: dict[str, tuple[bool, InstalledPackage]] = {}
        for folder in _distributions(site):
            package = _read(folder)
            if package is None:
                notes.append(f"{folder.name} does not say what it is")
                continue
            complete = (folder / "RECORD").is_file()
            if package.name in here:
                notes.append(f"{package.name} is there as {here[package.name][1].version} and as {package.version}")
            # What was removed halfway has no list of its files any more.
            here[package.name] = max(
                here.get(package.name, (complete, package)), (complete, package), key=lambda i: i[0]
            )
            newest = max(newest, folder.stat().st_mtime)
        found = {**{name: package for name, (_, package) in here.items()}, **found}
    if place.shared:
        notes.append("the environment also uses packages of the system's Python, which are not captured")
    conda = list((place.folder / "conda-meta").glob("*.json")) if place.kind == "conda" else []
    if conda:
        notes.append(f"of {len(conda)} conda packages only those with Python packages in them are captured")
    moment = datetime.fromtimestamp(int(newest) + 1, tz=UTC) if newest > 0 else None
    return Packages(tuple(found[name] for name in sorted(found)), moment, tuple(notes))


def _distributions(site: Path) -> list[Path]:
    """Folders (or, of old, files) that describe a package. pip renames what it could not remove to `~…`."""
    try:
        entries = sorted(os.scandir(site), key=lambda e: e.name)
    except OSError:
        return []
    endings = (".dist-info", ".egg-info")
    return [Path(e.path) for e in entries if e.name.endswith(endings) and not e.name.startswith("~")][:MAX_PACKAGES]


def _read(folder: Path) -> InstalledPackage | None:
    if not folder.is_dir():
        return parse_distribution(read_small(folder, _MAX_BYTES))
    if folder.name.endswith(".egg-info"):
        return parse_distribution(read_small(folder / "PKG-INFO", _MAX_BYTES))
    texts = (read_small(folder / name, _MAX_BYTES) for name in ("METADATA", "WHEEL", "direct_url.json"))
    return parse_distribution(*texts)
