"""`catalog`: look up node packs and their node types, apart from any workflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycomfy.adapters.catalog.database import Origin
from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.core.catalog.match import Answer, Reason, answer_type
from pycomfy.core.catalog.model import Listing
from pycomfy.core.lockfile.package_indexes import IndexConfig
from pycomfy.errors import NotFound, suggest
from pycomfy.services.results import Note, Result
from pycomfy.services.workspace import Workspace


class UpdateResult(Result):
    """How many node packs and node types the catalog has now, and the lists that they come from. `remarks` say what
    could not be fetched."""

    origins: tuple[Origin, ...]
    packs: int
    types: int
    remarks: tuple[str, ...]


class _Pack(Result):
    """A node pack. `stars` and `updated` (2025-11-30) are None where unknown."""

    url: str
    title: str
    author: str
    description: str
    registry_id: str | None
    stars: int | None
    updated: str | None


class PackSummary(_Pack):
    """A node pack; `types` is the number of its node types."""

    types: int


class PackDetails(_Pack):
    """A node pack with the names of its node types."""

    types: tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """A node pack that may provide a type; `types` is the number of all its types."""

    url: str
    stars: int | None
    updated: str | None
    types: int


class ResolveResult(Result):
    """Which node pack provides a type: `answer` is its URL, `comfy-core`, or None where that is uncertain, and `reason`
    why. `comfyui` is the oldest ComfyUI that is known to have the type."""

    type: str
    answer: str | None
    reason: Reason
    comfyui: str | None
    candidates: tuple[Candidate, ...]


def update(workspace: Workspace) -> UpdateResult:
    """Fetch the newest lists that can be reached. Raises `NetworkError`."""
    updated = update_catalog(workspace.paths, indexes=IndexConfig(environment=workspace.environment))
    return UpdateResult(origins=updated.origins, packs=updated.packs, types=updated.types, remarks=updated.remarks)


def search(workspace: Workspace, text: str, limit: int) -> list[PackSummary]:
    """Return the packs that have all the words, best first. Raises `NotFound` without a catalog."""
    with workspace.open_catalog() as catalog:
        return [PackSummary(**_describe(pack), types=len(pack.types)) for pack in catalog.search(text, limit)]


def explain_none(workspace: Workspace, text: str) -> Note:
    """Return why nothing has all the words, with the names of packs that are near them, and what to do."""
    with workspace.open_catalog() as catalog:
        near, fetched = catalog.near(text), max((origin.fetched_at for origin in catalog.origins()), default="")
    names = f"; near are {', '.join(near)}" if near else ""
    newer = f"the catalog is of {fetched[:10]}" if fetched else "fetches newer lists"
    return Note(f'no node pack has "{text}"{names}', (suggest("catalog update", newer), "use fewer or shorter words"))


def show(workspace: Workspace, reference: str) -> PackDetails:
    """Return the pack with that URL, `owner/name` or registry id. Raises `NotFound`."""
    with workspace.open_catalog() as catalog:
        pack = catalog.find(reference)
    if pack is None:
        fixes = (suggest("catalog search"), suggest("catalog update"))
        raise NotFound("the catalog has no such node pack", where=reference, fix=fixes)
    return PackDetails(**_describe(pack), types=pack.types)


def resolve(workspace: Workspace, types: Sequence[str]) -> list[ResolveResult]:
    """Return what the catalog knows about each type, in the given order."""
    with workspace.open_catalog() as catalog:
        claims = catalog.claims(types)
    return [_make_result(answer_type(type_, claims[type_])) for type_ in types]


def _describe(pack: Listing) -> dict[str, Any]:
    names = ("url", "title", "author", "description", "registry_id", "stars", "updated")
    return {name: getattr(pack, name) for name in names}


def _make_result(answer: Answer) -> ResolveResult:
    candidates = tuple(Candidate(p.url, p.stars, p.updated, len(p.types)) for p in answer.candidates)
    return ResolveResult(
        type=answer.type, answer=answer.answer, reason=answer.reason, comfyui=answer.since, candidates=candidates
    )
