"""Which node packs an installation has: folders and files of `custom_nodes`, as ComfyUI would load them."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.core.lockfile.names import plain_name, unique_name
from pycomfy.errors import BadInput

_DISABLED = ".disabled"


@dataclass(frozen=True)
class PackLocation:
    """A pack: `name` is for pycomfy.toml, `path` what ComfyUI would load, `target` the file or folder that it is, which
    lies elsewhere where `path` is a link."""

    name: str
    path: Path
    target: Path


@dataclass(frozen=True)
class PackLocations:
    packs: tuple[PackLocation, ...] = ()
    disabled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_packs(folders: Sequence[Path], own: Collection[str]) -> PackLocations:
    """The packs in these folders; those whose names are in `own` belong to ComfyUI's code.

    Nothing that a link leads to is taken unless Python would load it as a package.
    """
    packs: list[PackLocation] = []
    disabled: list[str] = []
    notes: list[str] = []
    for folder in folders:
        for entry in _entries(folder, notes):
            if entry.name == _DISABLED and entry.is_dir():
                disabled += [f"{_DISABLED}/{inner.name}" for inner in _entries(entry, notes)]
            elif entry.name == "__pycache__" or entry.name in own:
                continue
            elif entry.name.lower().endswith(_DISABLED):
                disabled.append(entry.name)
            elif (target := _load(entry, notes)) is not None:
                name = plain_name(entry.name.removesuffix(".py")) or "pack"
                packs.append(PackLocation(unique_name(name, ["comfyui", *(p.name for p in packs)]), entry, target))
    return PackLocations(tuple(packs), tuple(disabled), tuple(notes))


def _entries(folder: Path, notes: list[str]) -> Iterator[Path]:
    try:
        return iter(sorted(folder.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return iter(())
    except OSError as e:
        raise BadInput(f"the folder cannot be read: {e.strerror}", where=str(folder), fix="make it readable") from e


def _load(entry: Path, notes: list[str]) -> Path | None:
    """What ComfyUI would load; None for what it would not."""
    target = Path(os.path.realpath(entry))
    if target.is_dir():
        if (target / "__init__.py").is_file():
            if entry.is_symlink():
                notes.append(f"the node pack {entry.name} is a link to {target}")
            return target
        if not entry.name.startswith("."):
            notes.append(f"the folder {entry.name} in custom_nodes is no node pack: it has no __init__.py")
        return None
    if entry.suffix == ".py" and target.suffix == ".py" and target.is_file():
        return target
    if entry.is_symlink() and not target.exists():
        notes.append(f"{entry.name} in custom_nodes is a link to nothing")
    return None
