"""`tag`: names for versions."""

from pycomfy.adapters.io.paths import Home
from pycomfy.adapters.versions.repository import Library, Version, library_path


def tag(home: Home, name: str, reference: str, *, force: bool = False) -> Version:
    """Call a version by a tag: NAME@tag. Raises `NotFound`; `BadInput` if it is another version's, unless `force`."""
    library = Library(library_path(home))
    version = library.find(reference)
    library.tag(name, version, force=force)
    return version


def untag(home: Home, name: str, workflow: str) -> str:
    """Remove a workflow's tag; the commit it stood for. Raises `NotFound`."""
    return Library(library_path(home)).untag(workflow, name)


def list_tags(home: Home) -> dict[str, Version]:
    """Every version that has a tag, by `NAME@tag`."""
    library = Library(library_path(home))
    names = set(library.names())
    return {label: library.find(label) for label in library.tags() if label.partition("@")[0] in names}
