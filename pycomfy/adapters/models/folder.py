"""Find the models in a folder that is laid out as ComfyUI's: `checkpoints`, `loras` and so on."""

from collections.abc import Iterator
from pathlib import Path

from pycomfy.core.requirements.model_files import is_model_file
from pycomfy.errors import BadInput


def find_models(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield every model file below `folder`, by its path relative to it, sorted. Links are followed, but not into a
    folder that they are in; hidden files and files directly in `folder` are left out. Raises `BadInput` for a folder
    that cannot be read."""
    return ((relative, path) for relative, path in _walk(folder, "", ()) if "/" in relative)


def find_in_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the same of a folder for one kind of model, such as `loras`: files directly in it count."""
    return _walk(folder, "", ())


def _walk(folder: Path, prefix: str, parents: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    real = folder.resolve()
    if real in parents:
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as e:
        raise BadInput(f"the folder cannot be read: {e.strerror}", where=str(folder), fix="make it readable") from e
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/", (*parents, real))
        elif entry.is_file() and is_model_file(entry.name):
            yield f"{prefix}{entry.name}", entry
