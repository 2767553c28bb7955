"""A folder of models as ComfyUI has it: `checkpoints`, `loras` and so on."""

from collections.abc import Iterator
from pathlib import Path

from pycomfy.core.requirements.model_files import is_model_file
from pycomfy.errors import BadInput


def find_models(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every model file below `folder`, with its place below it, sorted. Links are followed, but not back into a folder
    that they are in; hidden files, and files that lie in no folder of models, are left out. Raises `BadInput` for a
    folder that cannot be read."""
    return ((place, path) for place, path in _walk(folder, "", ()) if "/" in place)


def find_in_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    """As `find_models`, of a folder for one kind of model, such as `loras`: the names are below it."""
    return _walk(folder, "", ())


def _walk(folder: Path, below: str, inside: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    real = folder.resolve()
    if real in inside:
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as e:
        raise BadInput(f"the folder cannot be read: {e.strerror}", where=str(folder), fix="make it readable") from e
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{below}{entry.name}/", (*inside, real))
        elif entry.is_file() and is_model_file(entry.name):
            yield f"{below}{entry.name}", entry
