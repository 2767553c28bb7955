"""Select the models that a lock should have: those of the workflow, with what pycomfy.toml says about them."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from pycomfy.core.lockfile.config import ModelSpec
from pycomfy.core.lockfile.lock_types import is_model_folder, is_model_path
from pycomfy.core.requirements.model import RequiredModel
from pycomfy.errors import Fix

EMBEDDINGS = "embeddings"

_PICKLE = re.compile(r"\.(ckpt|pt|pth|bin|pkl)$", re.IGNORECASE)


@dataclass(frozen=True)
class RequestedModel:
    """A model to pin: it may be at `url` or `path`, and must have the hash `sha256`; `configured` says that
    pycomfy.toml names it."""

    folder: str
    name: str
    url: str | None = None
    sha256: str | None = None
    path: str | None = None
    configured: bool = False

    @property
    def location(self) -> str:
        """Folder and name, as far as they are known."""
        return f"{self.folder}/{self.name}"


@dataclass(frozen=True)
class UnpinnedModel:
    """A model that cannot be pinned; `folder` is None where it is not known."""

    folder: str | None
    name: str
    why: str
    fixes: tuple[str | Fix, ...]

    @property
    def location(self) -> str:
        """Folder and name, as far as they are known."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


def list_models(
    required: Iterable[RequiredModel], specs: Sequence[ModelSpec]
) -> tuple[tuple[RequestedModel, ...], tuple[UnpinnedModel, ...]]:
    """Return every model once, by folder and name. pycomfy.toml wins over the workflow, and may name further models,
    such as those that a node pack loads without naming them in the workflow."""
    requested = {(s.folder, s.name): RequestedModel(s.folder, s.name, s.url, s.sha256, s.path, True) for s in specs}
    folders: dict[str, str] = {}
    for spec in specs:
        folders.setdefault(spec.name, spec.folder)
    unpinned = []
    for model in required:
        folder = model.folder or folders.get(model.name)
        if folder is None:
            fix = 'name it in pycomfy.toml: [[models]] with folder = "…" and its url'
            why = f"node {model.node} does not say which folder it is in"
            unpinned.append(UnpinnedModel(None, model.name, why, (fix,)))
        elif not (is_model_folder(folder) and is_model_path(model.name)):
            unpinned.append(
                UnpinnedModel(folder, model.name, "that is not a path for a model", ("correct the workflow",))
            )
        else:
            found = RequestedModel(folder, model.name, model.url, model.sha256)
            before = requested.get((folder, model.name))
            requested[folder, model.name] = found if before is None else _merge(before, found)
    return tuple(requested[key] for key in sorted(requested)), tuple(dict.fromkeys(unpinned))


def name_embeddings(required: Iterable[RequiredModel], added: Collection[str]) -> tuple[RequiredModel, ...]:
    """Return the models with the file name of each embedding whose name in a prompt has no ending, as ComfyUI finds it:
    of the files that are there (`added`, paths below ComfyUI's `models`) the one with that stem, if it is the only
    one."""
    files: dict[str, set[str]] = {}
    for location in added:
        folder, _, name = location.partition("/")
        if folder == EMBEDDINGS:
            files.setdefault(name.rsplit(".", 1)[0], set()).add(name)
    return tuple(
        replace(model, name=next(iter(names)))
        if model.folder == EMBEDDINGS and len(names := files.get(model.name, set())) == 1
        else model
        for model in required
    )


def is_pickle(name: str) -> bool:
    """Return whether loading a file with this name can run code in it."""
    return _PICKLE.search(name) is not None


def _merge(first: RequestedModel, second: RequestedModel) -> RequestedModel:
    """A hash in the workflow is that of the workflow's file, not of another file that pycomfy.toml names."""
    if first.configured and (first.url or first.path or first.sha256):
        return first
    return RequestedModel(
        first.folder, first.name, first.url or second.url, first.sha256 or second.sha256, None, first.configured
    )
