"""Pin the models of a lock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pycomfy.adapters.models.pin import EarlierPins, pin_models
from pycomfy.core.lockfile.config import ModelSpec
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.core.models.selection import RequestedModel, is_pickle, list_models, name_embeddings
from pycomfy.core.requirements.model import RequiredModel
from pycomfy.errors import BadInput, NotFound
from pycomfy.services.results import Note
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class LockedModels:
    """The models that could be pinned, and remarks for the user."""

    models: tuple[ModelFile, ...]
    notes: tuple[Note, ...]


def lock_models(
    workspace: Workspace,
    requirements: Sequence[RequiredModel],
    specs: Sequence[ModelSpec],
    base: Path,
    earlier: EarlierPins,
) -> LockedModels:
    """Pin the models of a lock. Paths of pycomfy.toml are relative to `base`. A model that cannot be pinned is a note,
    as an image can be built without models."""
    added = workspace.models.list_added()
    requested, unpinned = list_models(name_embeddings(requirements, added), specs)
    listed = _find_listed(workspace, requested)
    pinned = pin_models(
        [listed.get(r.location, r) for r in requested], workspace.models, base, earlier, workspace.environment
    )
    notes = [
        Note(f"the model {location} is taken to be the one with that name in ComfyUI-Manager's list: {request.url}")
        for location, request in listed.items()
    ]
    notes += map(Note, pinned.notes)
    notes += [Note(f"the model {u.location} is not pinned: {u.why}", u.fixes) for u in (*unpinned, *pinned.unpinned)]
    notes += [
        Note(f"the model {m.location} is a pickle: code in it runs when it is loaded")
        for m in pinned.models
        if is_pickle(m.name)
    ]
    return LockedModels(pinned.models, tuple(notes))


def _find_listed(workspace: Workspace, requested: Sequence[RequestedModel]) -> dict[str, RequestedModel]:
    """The models without any source, by location, with the address in ComfyUI-Manager's list."""
    added = workspace.models.list_added()
    unlocated = [r for r in requested if not (r.url or r.path or r.sha256 or r.location in added)]
    if not unlocated:
        return {}
    try:
        with workspace.open_catalog() as catalog:
            found = [(request, catalog.find_model(request.folder, request.name)) for request in unlocated]
    except (NotFound, BadInput):
        return {}  # the catalog was never fetched, or cannot be read
    return {request.location: replace(request, url=url) for request, url in found if url is not None}
