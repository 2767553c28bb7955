"""`catalog`: what is known of node packs in general, apart from any workflow."""

from collections.abc import Sequence

from pycomfy.adapters.catalog.database import Catalogue
from pycomfy.adapters.catalog.update import Updated, update_catalogue
from pycomfy.adapters.io.paths import Home
from pycomfy.core.catalog.match import Answer, answer_type
from pycomfy.core.catalog.model import Listing
from pycomfy.errors import NotFound
from pycomfy.progress import Progress


def update(home: Home, progress: Progress) -> Updated:
    """Fetch the newest lists that can be reached. Raises `Unreachable`."""
    return update_catalogue(home, progress)


def search(home: Home, text: str, limit: int) -> list[Listing]:
    """Packs that have all the words, best first. Raises `NotFound` without a catalogue."""
    with Catalogue(home) as catalogue:
        return catalogue.search(text, limit)


def show(home: Home, reference: str) -> Listing:
    """The pack of an address, `owner/name` or registry id. Raises `NotFound`."""
    with Catalogue(home) as catalogue:
        found = catalogue.find(reference)
    if found is None:
        raise NotFound(
            "the catalogue has no such node pack", where=reference, fix="pycomfy catalog search WORD, or catalog update"
        )
    return found


def resolve(home: Home, types: Sequence[str]) -> list[Answer]:
    """What the catalogue says of each type, in the order asked."""
    with Catalogue(home) as catalogue:
        claims = catalogue.claims(types)
    return [answer_type(type_, claims[type_]) for type_ in types]
