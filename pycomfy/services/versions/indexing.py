"""The record follows the library: versions that are new are recorded, those that are gone are not any more."""

from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.records import IndexedImage
from pycomfy.adapters.versions.repository import Version, VersionsRepository
from pycomfy.errors import NotFound
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class Indexed:
    """How many versions were recorded, and how many were forgotten."""

    added: int
    removed: int


def index(workspace: Workspace) -> Indexed:
    """Bring the record up to date with the library. Costs little where nothing changed. A commit that is no project of
    pycomfy's is told of and left out.

    Nobody changes the library meanwhile, so that of two processes the later one never knows less.
    """
    library = workspace.versions
    _check_library(workspace, library)
    with library.bare.writing(), workspace.open_database() as store:
        known = store.commits()
        tips = library.tips()
        new: list[Version] = []
        stale = [(name, number) for name, rows in known.items() if name not in tips for number in rows]
        for name, tip in tips.items():
            rows = known.get(name, {})
            if rows and rows[max(rows)] == tip:
                continue
            versions = {v.number: v for v in library.versions(name) if v.number is not None}
            new += [v for number, v in versions.items() if rows.get(number) != v.commit]
            stale += [(name, n) for n, commit in rows.items() if n not in versions or versions[n].commit != commit]
        new.sort(key=lambda v: (v.created_at, v.number or 0))
        images = _images(workspace, library, store, {v.tree for v in new})
        if new or stale or images:
            from pycomfy.services.versions.index_entries import (
                list_entries,  # whoever finds nothing new is spared the import
            )

            store.index(stale, list_entries(library, new), images)
    return Indexed(len(new), len(stale))


def _check_library(workspace: Workspace, library: VersionsRepository) -> None:
    """A library that was deleted, and not by us: then the record is all that is left, and must not follow it."""
    if library.bare.exists or not database_path(workspace.paths).exists():
        return
    with workspace.open_database() as store:
        recorded = [commit for rows in store.commits().values() for commit in rows.values() if commit]
    if recorded:
        fix = (
            f"put it back, or clone it from where it was pushed; to begin anew, remove {database_path(workspace.paths)}"
        )
        raise NotFound("the library is gone, with the versions that are recorded", where=str(library.path), fix=fix)


def layout_link(workspace: Workspace, manifest_digest: str) -> Path:
    """The link that keeps an image's layout from Nix's garbage collector."""
    return workspace.paths.data / "images" / manifest_digest.replace(":", "-")


def _images(workspace: Workspace, library: VersionsRepository, store: Database, new: set[str]) -> list[IndexedImage]:
    """Images that the record lacks, and those of trees that it is about to have."""
    known, trees = {(tree, platform) for tree, platform, _ in store.image_keys()}, store.trees()
    lacking = {tree for tree, platform in library.image_keys() - known if tree in trees}
    found = []
    for tree, images in library.all_images(lacking | new).items():
        for built in images.values():
            link = layout_link(workspace, built.manifest_digest)
            layout = link.readlink() if link.is_symlink() else link
            found.append(IndexedImage(tree, built, str(layout)))
    return found
