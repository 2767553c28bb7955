"""Find the node packs of an installation: folders and files of `custom_nodes`, as ComfyUI loads them."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.capture.files import unreadable
from pycomfy.core.lockfile.names import plain_name, unique_name

_DISABLED = ".disabled"


@dataclass(frozen=True)
class PackLocation:
    """A node pack. `name` is its name in pycomfy.toml, `path` what ComfyUI loads; `target` is the file or folder that
    `path` is, or links to."""

    name: str
    path: Path
    target: Path


@dataclass(frozen=True)
class PackLocations:
    """The node packs of an installation; `disabled` are names of those that ComfyUI does not load."""

    packs: tuple[PackLocation, ...] = ()
    disabled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_packs(folders: Sequence[Path], own: Collection[str]) -> PackLocations:
    """Return the node packs in these folders, except for the names `own`, which belong to ComfyUI's code.

    What a link leads to is used only if Python would load it as a package.
    """
    packs: list[PackLocation] = []
    disabled: list[str] = []
    notes: list[str] = []
    for folder in folders:
        for entry in _entries(folder):
            if entry.name == _DISABLED and entry.is_dir():
                disabled += [f"{_DISABLED}/{inner.name}" for inner in _entries(entry)]
            elif entry.name == "__pycache__" or entry.name in own:
                continue
            elif entry.name.lower().endswith(_DISABLED):
                disabled.append(entry.name)
            elif (target := _load(entry, notes)) is not None:
                name = plain_name(entry.name.removesuffix(".py")) or "pack"
                packs.append(PackLocation(unique_name(name, ["comfyui", *(p.name for p in packs)]), entry, target))
    return PackLocations(tuple(packs), tuple(disabled), tuple(notes))


def _entries(folder: Path) -> Iterator[Path]:
    try:
        return iter(sorted(folder.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return iter(())
    except OSError as e:
        raise unreadable(folder, e) from e


def _load(entry: Path, notes: list[str]) -> Path | None:
    """What ComfyUI loads of an entry; None for nothing, with a note if that is a surprise."""
    target = Path(os.path.realpath(entry))
    if target.is_dir():
        if (target / "__init__.py").is_file():
            if entry.is_symlink():
                notes.append(f"the node pack {entry.name} is a link to {target}")
            return target
        if not entry.name.startswith("."):
            notes.append(f"the folder {entry.name} in custom_nodes is not a node pack: it has no __init__.py")
        return None
    if entry.suffix == ".py" and target.suffix == ".py" and target.is_file():
        return target
    if entry.is_symlink() and not target.exists():
        notes.append(f"{entry.name} in custom_nodes is a broken link")
    return None
