"""Which models a lock should have: those of the workflow, with what pycomfy.toml says of them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from pycomfy.core.lockfile.config import ModelSpec
from pycomfy.core.lockfile.lock_types import ModelFolder, RelativePath
from pycomfy.core.requirements.model import RequiredModel
from pycomfy.errors import Fix

_PICKLE = re.compile(r"\.(ckpt|pt|pth|bin|pkl)$", re.IGNORECASE)
_FOLDER: TypeAdapter[str] = TypeAdapter(ModelFolder)
_NAME: TypeAdapter[str] = TypeAdapter(RelativePath)


@dataclass(frozen=True)
class RequestedModel:
    """A model that is not pinned yet: `url` and `path` say where it may be, `sha256` what it must be, `configured` that
    pycomfy.toml names it."""

    folder: str
    name: str
    url: str | None = None
    sha256: str | None = None
    path: str | None = None
    configured: bool = False

    @property
    def place(self) -> str:
        return f"{self.folder}/{self.name}"


@dataclass(frozen=True)
class UnpinnedModel:
    """A model that the lock cannot have; `folder` is None where nobody knows it."""

    folder: str | None
    name: str
    why: str
    fixes: tuple[str | Fix, ...]

    @property
    def place(self) -> str:
        return f"{self.folder}/{self.name}" if self.folder else self.name


def list_models(
    needs: Iterable[RequiredModel], specs: Sequence[ModelSpec]
) -> tuple[tuple[RequestedModel, ...], tuple[UnpinnedModel, ...]]:
    """Every model once, by folder and name. What pycomfy.toml says goes before what the workflow says; what it names
    beyond that is wanted too, such as models a node pack loads by itself."""
    wanted = {(s.folder, s.name): RequestedModel(s.folder, s.name, s.url, s.sha256, s.path, True) for s in specs}
    folders: dict[str, str] = {}
    for spec in specs:
        folders.setdefault(spec.name, spec.folder)
    unpinned = []
    for need in needs:
        folder = need.folder or folders.get(need.name)
        if folder is None:
            fix = 'name it in pycomfy.toml: [[models]] with folder = "…" and its url'
            why = f"node {need.node} does not tell which folder it is in"
            unpinned.append(UnpinnedModel(None, need.name, why, (fix,)))
        elif not (_is(_FOLDER, folder) and _is(_NAME, need.name)):
            unpinned.append(UnpinnedModel(folder, need.name, "models do not go there", ("correct the workflow",)))
        else:
            found = RequestedModel(folder, need.name, need.url, need.sha256)
            before = wanted.get((folder, need.name))
            wanted[folder, need.name] = found if before is None else _merged(before, found)
    return tuple(wanted[key] for key in sorted(wanted)), tuple(dict.fromkeys(unpinned))


def is_pickle(name: str) -> bool:
    """Whether loading such a file can run code that is in it."""
    return _PICKLE.search(name) is not None


def _merged(first: RequestedModel, second: RequestedModel) -> RequestedModel:
    """A hash that the workflow gives is of the workflow's file; it says nothing of another that pycomfy.toml names."""
    if first.configured and (first.url or first.path or first.sha256):
        return first
    return RequestedModel(
        first.folder, first.name, first.url or second.url, first.sha256 or second.sha256, None, first.configured
    )


def _is(kind: TypeAdapter[str], text: str) -> bool:
    try:
        kind.validate_python(text)
    except ValidationError:
        return False
    return len(text) <= 500
