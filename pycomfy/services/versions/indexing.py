"""The record follows the library: versions that are new are recorded, those that are gone are not any more."""

from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.records import IndexedImage
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import Version, VersionsRepository, versions_repository_path
from pycomfy.errors import NotFound
from pycomfy.progress import Progress


@dataclass(frozen=True)
class Indexed:
    """How many versions were recorded, and how many were forgotten."""

    added: int
    removed: int


def index(home: Paths, progress: Progress) -> Indexed:
    """Bring the record up to date with the library. Costs little where nothing changed. A commit that is no project of
    pycomfy's is told of and left out.

    Nobody changes the library meanwhile, so that of two processes the later one never knows less.
    """
    library = VersionsRepository(versions_repository_path(home))
    _check_library(library, home)
    with library.bare.writing(), Database(database_path(home)) as store:
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
        images = _images(home, library, store, {v.tree for v in new})
        if new or stale or images:
            from pycomfy.services.versions.index_entries import (
                list_entries,  # whoever finds nothing new is spared the import
            )

            store.index(stale, list_entries(library, new, progress), images)
    return Indexed(len(new), len(stale))


def _check_library(library: VersionsRepository, home: Paths) -> None:
    """A library that was deleted, and not by us: then the record is all that is left, and must not follow it."""
    if library.bare.exists or not database_path(home).exists():
        return
    with Database(database_path(home)) as store:
        recorded = [commit for rows in store.commits().values() for commit in rows.values() if commit]
    if recorded:
        fix = f"put it back, or clone it from where it was pushed; to begin anew, remove {database_path(home)}"
        raise NotFound("the library is gone, with the versions that are recorded", where=str(library.path), fix=fix)


def layout_link(home: Paths, manifest_digest: str) -> Path:
    """The link that keeps an image's layout from Nix's garbage collector."""
    return home.data / "images" / manifest_digest.replace(":", "-")


def _images(home: Paths, library: VersionsRepository, store: Database, new: set[str]) -> list[IndexedImage]:
    """Images that the record lacks, and those of trees that it is about to have."""
    known, trees = {(tree, platform) for tree, platform, _ in store.image_keys()}, store.trees()
    lacking = {tree for tree, platform in library.image_keys() - known if tree in trees}
    found = []
    for tree, images in library.all_images(lacking | new).items():
        for built in images.values():
            link = layout_link(home, built.manifest_digest)
            layout = link.readlink() if link.is_symlink() else link
            found.append(IndexedImage(tree, built, str(layout)))
    return found
