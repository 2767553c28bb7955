"""`catalog`: what is known of node packs in general, apart from any workflow."""

from collections.abc import Sequence

from pycomfy.adapters.catalog.update import Updated, update_catalog
from pycomfy.core.catalog.match import Answer, answer_type
from pycomfy.core.catalog.model import Listing
from pycomfy.errors import NotFound
from pycomfy.services.workspace import Workspace


def update(workspace: Workspace) -> Updated:
    """Fetch the newest lists that can be reached. Raises `NetworkError`."""
    return update_catalog(workspace.paths)


def search(workspace: Workspace, text: str, limit: int) -> list[Listing]:
    """Packs that have all the words, best first. Raises `NotFound` without a catalog."""
    with workspace.open_catalog() as catalog:
        return catalog.search(text, limit)


def show(workspace: Workspace, reference: str) -> Listing:
    """The pack of an address, `owner/name` or registry id. Raises `NotFound`."""
    with workspace.open_catalog() as catalog:
        found = catalog.find(reference)
    if found is None:
        raise NotFound(
            "the catalog has no such node pack", where=reference, fix="pycomfy catalog search WORD, or catalog update"
        )
    return found


def resolve(workspace: Workspace, types: Sequence[str]) -> list[Answer]:
    """What the catalog says of each type, in the order asked."""
    with workspace.open_catalog() as catalog:
        claims = catalog.claims(types)
    return [answer_type(type_, claims[type_]) for type_ in types]
