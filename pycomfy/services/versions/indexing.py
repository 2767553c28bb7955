"""Keep the database in step with the versions repository: new versions are added, those that are gone removed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.errors import NotFound
from pycomfy.services.workspace import Workspace

if TYPE_CHECKING:
    from pycomfy.adapters.database.entries import IndexedImage
    from pycomfy.adapters.database.records import VersionRecord
    from pycomfy.adapters.versions.version import Version


@dataclass(frozen=True)
class IndexResult:
    """How many versions were added, and how many were removed."""

    added: int
    removed: int


def index(workspace: Workspace) -> IndexResult:
    """Bring the database up to date with the versions repository. Costs little where nothing changed, and creates
    nothing where there is no repository. A commit that is not a project of pycomfy is reported, and left out.

    The repository is locked meanwhile, so that of two processes the later one never knows less.
    """
    versions = workspace.versions
    if not versions.bare.exists:
        _refuse_lost_versions(workspace)
        return IndexResult(0, 0)
    with versions.bare.writing(), workspace.open_database() as database:
        known = database.commits()
        tips, images = versions.tips_and_images()
        new: list[Version] = []
        stale = [(name, number) for name, rows in known.items() if name not in tips for number in rows]
        for name, tip in tips.items():
            rows = known.get(name, {})
            if rows and rows[max(rows)] == tip:
                continue
            numbered = {v.number: v for v in versions.versions(name) if v.number is not None}
            new += [v for number, v in numbered.items() if rows.get(number) != v.commit]
            stale += [(name, n) for n, commit in rows.items() if n not in numbered or numbered[n].commit != commit]
        new.sort(key=lambda v: (v.created_at, v.number or 0))
        found = _read_images(workspace, database, images, {v.tree for v in new})
        if new or stale or found:
            # Imported where something changed: listing versions is quicker without.
            from pycomfy.services.versions.index_entries import list_entries

            database.index(stale, list_entries(versions, new), found)
    return IndexResult(len(new), len(stale))


def list_indexed(workspace: Workspace, name: str | None = None) -> "list[VersionRecord]":
    """Return every version, or those of one workflow, newest first, as the database has them. Without a database these
    are none, and none is created."""
    if not database_path(workspace.paths).exists():
        return []
    with workspace.open_database() as database:
        return database.versions(name)


def layout_link(workspace: Workspace, manifest_digest: str) -> Path:
    """Return the link that keeps an image's layout from Nix's garbage collector."""
    return workspace.paths.data / "images" / manifest_digest.replace(":", "-")


def _refuse_lost_versions(workspace: Workspace) -> None:
    """Raise `NotFound` if the missing versions repository was deleted, and not by us: then the database is all that is
    left, and must not be emptied."""
    path = database_path(workspace.paths)
    if not path.exists():
        return
    with workspace.open_database() as database:
        known = [commit for rows in database.commits().values() for commit in rows.values() if commit]
    if known:
        raise NotFound(
            "the versions repository is gone, but the database has its versions",
            where=str(workspace.versions.path),
            fix=("put it back", "clone it from where it was pushed", f"to begin anew, remove {path}"),
        )


def _read_images(
    workspace: Workspace, database: Database, images: set[tuple[str, str]], new: set[str]
) -> "list[IndexedImage]":
    """Return the images that the database lacks, among `images` (tree and platform), and those of the trees `new`."""
    known, trees = {(tree, platform) for tree, platform, _ in database.image_keys()}, database.trees()
    lacking = {tree for tree, _ in images - known if tree in trees} | new
    if not lacking:
        return []
    from pycomfy.adapters.database.entries import IndexedImage

    found = []
    for tree, built in workspace.versions.all_images(lacking).items():
        for image in built.values():
            link = layout_link(workspace, image.manifest_digest)
            found.append(IndexedImage(tree, image, str(link.readlink() if link.is_symlink() else link)))
    return found
