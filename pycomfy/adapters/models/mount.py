"""Models as ComfyUI wants them, folder by folder, without a copy: what a container is shown as /models."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.io.atomic_files import new_folder
from pycomfy.adapters.models.store import ModelStore, link
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.errors import BadLock


@dataclass(frozen=True)
class ModelView:
    """`folder` is to be mounted, and over each of `files` (paths below it) the file that stands in its place there:
    one that lies on another disk."""

    folder: Path
    files: Mapping[str, Path] = field(default_factory=dict)


def make_view(store: ModelStore, models: Sequence[ModelFile]) -> ModelView:
    """A folder of hard links, made once for each set of models. They must be in the store.

    Raises `BadLock` where one model's path is another's folder.
    """
    wanted = {m.place: store.place(m.sha256) for m in models}
    for place in wanted:
        if any(other.startswith(place + "/") for other in wanted):
            raise BadLock(f"the model {place} is also a folder of models", where="pycomfy.lock", fix="rename one")
    rows = "".join(f"{m.sha256} {m.place}\n" for m in sorted(models, key=lambda m: m.place))
    folder = store.folder / "views" / hashlib.sha256(rows.encode()).hexdigest()
    if not all(_is_there(folder / place, blob) for place, blob in wanted.items()):
        with new_folder(folder) as beside:
            for model in models:
                _put(store, model, beside / model.place)
    apart = {place: blob.resolve() for place, blob in wanted.items() if not (folder / place).samefile(blob)}
    return ModelView(folder, apart)


def _put(store: ModelStore, model: ModelFile, path: Path) -> None:
    blob = store.place(model.sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not blob.is_symlink():
        with store.hashes.same_content(blob, model.sha256):
            if link(blob, path):
                return
    path.touch()  # something to mount the file on


def _is_there(path: Path, blob: Path) -> bool:
    return path.is_file() and (path.samefile(blob) or path.stat().st_size == 0)
