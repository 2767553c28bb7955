"""Lay out models in the folders where ComfyUI looks for them, without copies: what a container gets as /models."""

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
    """What to mount: `folder`, and over each of `files`, by its path below it, a file that is on another disk."""

    folder: Path
    files: Mapping[str, Path] = field(default_factory=dict)


def make_view(store: ModelStore, models: Sequence[ModelFile]) -> ModelView:
    """Make a folder of hard links, once for each set of models. They must be in the store.

    Raises `BadLock` where one model's path is another's folder.
    """
    blobs = {m.location: store.blob_path(m.sha256) for m in models}
    for path in blobs:
        if any(other.startswith(path + "/") for other in blobs):
            raise BadLock(f"the model {path} is also a folder of models", where="pycomfy.lock", fix="rename one")
    rows = "".join(f"{m.sha256} {m.location}\n" for m in sorted(models, key=lambda m: m.location))
    folder = store.folder / "views" / hashlib.sha256(rows.encode()).hexdigest()
    if not all(_is_linked(folder / path, blob) for path, blob in blobs.items()):
        with new_folder(folder) as temporary:
            for model in models:
                _link(store, model, temporary / model.location)
    elsewhere = {path: blob.resolve() for path, blob in blobs.items() if not (folder / path).samefile(blob)}
    return ModelView(folder, elsewhere)


def _link(store: ModelStore, model: ModelFile, path: Path) -> None:
    blob = store.blob_path(model.sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not blob.is_symlink():
        with store.hashes.same_content(blob, model.sha256):
            if link(blob, path):
                return
    path.touch()  # a file to mount the other one over


def _is_linked(path: Path, blob: Path) -> bool:
    return path.is_file() and (path.samefile(blob) or path.stat().st_size == 0)
