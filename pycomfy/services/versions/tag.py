"""`tag`: names for versions."""

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import Version, VersionsRepository, versions_repository_path


def tag(home: Paths, name: str, reference: str, *, force: bool = False) -> Version:
    """Call a version by a tag: NAME@tag. Raises `NotFound`; `BadInput` if it is another version's, unless `force`."""
    library = VersionsRepository(versions_repository_path(home))
    version = library.find(reference)
    library.tag(name, version, force=force)
    return version


def untag(home: Paths, name: str, workflow: str) -> str:
    """Remove a workflow's tag; the commit it stood for. Raises `NotFound`."""
    return VersionsRepository(versions_repository_path(home)).untag(workflow, name)


def list_tags(home: Paths) -> dict[str, Version]:
    """Every version that has a tag, by `NAME@tag`."""
    library = VersionsRepository(versions_repository_path(home))
    names = set(library.names())
    return {label: library.find(label) for label in library.tags() if label.partition("@")[0] in names}
