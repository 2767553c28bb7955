"""Find the models in a folder that is laid out as ComfyUI's: `checkpoints`, `loras` and so on."""

from collections.abc import Iterator
from pathlib import Path

from pycomfy.core.requirements.model_files import is_model_file
from pycomfy.errors import BadInput

MAX_FOLDERS = 100_000
"""Folders below one, each counted as often as links lead to it: links from many folders to each other never end."""


def find_models(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield every model file below `folder`, by its path relative to it, sorted. Links are followed, but not into a
    folder that they are in; hidden files and files directly in `folder` are left out. Raises `BadInput` for a folder
    that cannot be read, and for too many folders."""
    return ((relative, path) for relative, path in _walk(folder) if "/" in relative)


def find_in_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the same of a folder for one kind of model, such as `loras`: files directly in it count."""
    return _walk(folder)


def _walk(top: Path) -> Iterator[tuple[str, Path]]:
    opened = [(_list(top), "", frozenset((_identify(top),)))]
    count = 0
    while opened:
        entries, prefix, parents = opened[-1]
        entry = next(entries, None)
        if entry is None:
            opened.pop()
        elif entry.name.startswith("."):
            continue
        elif entry.is_dir():
            folder = _identify(entry)
            if folder in parents:
                continue
            count += 1
            if count > MAX_FOLDERS:
                fix = "remove links from folders to each other"
                raise BadInput(f"more than {MAX_FOLDERS:,} folders", where=str(top), fix=fix)
            opened.append((_list(entry), f"{prefix}{entry.name}/", parents | {folder}))
        elif entry.is_file() and is_model_file(entry.name):
            yield f"{prefix}{entry.name}", entry


def _identify(folder: Path) -> tuple[int, int]:
    about = folder.stat()
    return about.st_dev, about.st_ino


def _list(folder: Path) -> Iterator[Path]:
    try:
        return iter(sorted(folder.iterdir()))
    except OSError as e:
        raise BadInput(f"the folder cannot be read: {e.strerror}", where=str(folder), fix="make it readable") from e
