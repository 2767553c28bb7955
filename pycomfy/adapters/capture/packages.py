"""Read the packages of a Python environment from what installers write into it; its Python is not started."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.capture.files import read_text
from pycomfy.adapters.capture.locate import PythonLocation
from pycomfy.core.capture.package_plan import InstalledPackage, parse_distribution

MAX_PACKAGES = 10_000
_MAX_BYTES = 8 << 20


@dataclass(frozen=True)
class Packages:
    """The packages by name. `newest` is when the last one was installed, if that is known."""

    installed: tuple[InstalledPackage, ...] = ()
    newest: datetime | None = None
    notes: tuple[str, ...] = ()


def read_packages(python: PythonLocation) -> Packages:
    """Return every package once: of the same name the one in the first folder, as Python finds it."""
    found: dict[str, InstalledPackage] = {}
    notes: list[str] = []
    newest = 0.0
    for site in python.sites:
        here: dict[str, tuple[bool, InstalledPackage]] = {}
        for folder in _distributions(site):
            package = _read(folder)
            if package is None:
                notes.append(f"{folder.name} has no valid metadata")
                continue
            complete = (folder / "RECORD").is_file()
            if package.name in here:
                notes.append(
                    f"{package.name} is installed twice, as {here[package.name][1].version} and {package.version}"
                )
            # One that was removed halfway has no list of its files any more.
            here[package.name] = max(
                here.get(package.name, (complete, package)), (complete, package), key=lambda i: i[0]
            )
            newest = max(newest, folder.stat().st_mtime)
        found = {**{name: package for name, (_, package) in here.items()}, **found}
    if python.shared:
        notes.append("the environment also uses packages of the system's Python: those are not captured")
    conda = list((python.folder / "conda-meta").glob("*.json")) if python.kind == "conda" else []
    if conda:
        notes.append(f"of {len(conda)} conda packages, only the Python packages are captured")
    moment = datetime.fromtimestamp(int(newest) + 1, tz=UTC) if newest > 0 else None
    return Packages(tuple(found[name] for name in sorted(found)), moment, tuple(notes))


def _distributions(site: Path) -> list[Path]:
    """The folders, or files of old installers, that describe a package. pip renames what it cannot remove to `~…`."""
    try:
        entries = sorted(os.scandir(site), key=lambda e: e.name)
    except OSError:
        return []
    endings = (".dist-info", ".egg-info")
    return [Path(e.path) for e in entries if e.name.endswith(endings) and not e.name.startswith("~")][:MAX_PACKAGES]


def _read(folder: Path) -> InstalledPackage | None:
    if not folder.is_dir():
        return parse_distribution(read_text(folder, _MAX_BYTES))
    if folder.name.endswith(".egg-info"):
        return parse_distribution(read_text(folder / "PKG-INFO", _MAX_BYTES))
    texts = (read_text(folder / name, _MAX_BYTES) for name in ("METADATA", "WHEEL", "direct_url.json"))
    return parse_distribution(*texts)
