"""Keep the database in step with the versions repository: new versions are added, those that are gone removed."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pycomfy.adapters.database.database import Database, database_path, is_there
from pycomfy.adapters.versions.git import DamagedRepository
from pycomfy.errors import BadLock, NotFound, Placeholder, PycomfyError, suggest
from pycomfy.services.workspace import Workspace

if TYPE_CHECKING:
    from pycomfy.adapters.database.entries import IndexedImage, VersionEntry
    from pycomfy.adapters.database.records import VersionRecord
    from pycomfy.adapters.versions.version import Version


@dataclass(frozen=True)
class IndexResult:
    """How many versions were added, and how many were removed. `problems` say, by workflow, what cannot be read."""

    added: int
    removed: int
    problems: Mapping[str, PycomfyError] = field(default_factory=dict)


def index(
    workspace: Workspace, *, forget: Collection[str] = (), anew: bool = False, database: Path | None = None
) -> IndexResult:
    """Bring the database up to date with the versions repository; with `anew` read every version again. `database` is
    another file than the workspace's. Costs little where nothing changed, and creates nothing where there is no
    repository. A commit that is not a project of pycomfy is reported, and left out.

    What cannot be read is not taken for gone: the database keeps what it knows of it, until a workflow is among those
    to `forget`. Raises `NotFound` if the whole repository is gone, and `DamagedRepository` if git cannot open it.

    The repository is locked meanwhile, so that of two processes the later one never knows less.
    """
    versions = workspace.versions
    if not versions.bare.exists:
        _refuse_lost_versions(workspace)
        return IndexResult(0, 0)
    with versions.bare.writing(), Database(database or database_path(workspace.paths)) as opened:
        known = opened.commits()
        tips, images = versions.tips_and_images()
        lost = {*known, *versions.lost_names(tips)} - tips.keys() - {*forget}
        problems: dict[str, PycomfyError] = {name: versions.lost(name) for name in sorted(lost)}
        new: list[Version] = []
        stale = [(name, n) for name in forget if name not in tips for n in known.get(name, {})]
        for name, tip in tips.items():
            rows = known.get(name, {})
            if not anew and rows and rows[max(rows)] == tip and all(rows.values()):
                continue
            if versions.bare.is_older(f"refs/heads/{name}", tip):
                problems[name] = versions.lost(name)
                continue
            try:
                numbered = {v.number: v for v in versions.versions(name) if v.number is not None}
            except DamagedRepository as e:
                problems[name] = e
                continue
            new += [v for number, v in numbered.items() if anew or rows.get(number) != v.commit]
            stale += [(name, n) for n in rows if n not in numbered]
        new.sort(key=lambda v: (v.created_at, v.number or 0))
        found = _read_images(workspace, opened, images, {v.tree for v in new})
        added = 0
        if new or stale or found:
            # Imported where something changed: listing versions is quicker without.
            from pycomfy.services.versions.index_entries import list_entries

            def read() -> "Iterator[VersionEntry]":
                nonlocal added
                for entry in list_entries(versions, new):
                    if entry.problem is not None:
                        label = f"{entry.name}@{entry.number}"
                        problems[label] = unreadable(workspace, label, entry.problem)
                    whole = entry.problem is None and entry.comparable
                    if not whole and known.get(entry.name, {}).get(entry.number) == entry.commit:
                        continue  # what the database knows of it stays
                    added += 1
                    yield entry

            opened.index(stale, read(), found)
    return IndexResult(added, len(stale), problems)


def unreadable(workspace: Workspace, label: str, problem: str) -> PycomfyError:
    """Return the error for a version whose files cannot be read; `problem` says why."""
    name, remote = label.partition("@")[0], Placeholder("REMOTE")
    fixes = (
        "update pycomfy, if a newer one made it",
        suggest("pull", "from a versions repository that has it whole", remote=remote),
        suggest("rm", f"removes {name} with all its versions", name=name, force=True),
    )
    return BadLock(f"{label} cannot be read: {problem}", where=str(workspace.versions.path), fix=fixes)


def list_indexed(
    workspace: Workspace, name: str | None = None, *, database: Path | None = None
) -> "list[VersionRecord]":
    """Return every version, or those of one workflow, newest first, as the database has them; `database` is another
    file than the workspace's. Without a database these are none, and none is created."""
    path = database or database_path(workspace.paths)
    if not is_there(path):
        return []
    with Database(path) as opened:
        return opened.versions(name)


def layout_link(workspace: Workspace, manifest_digest: str) -> Path:
    """Return the link that keeps an image's layout from Nix's garbage collector."""
    return workspace.paths.data / "images" / manifest_digest.replace(":", "-")


def _refuse_lost_versions(workspace: Workspace) -> None:
    """Raise `NotFound` if the missing versions repository was deleted, and not by us: then the database is all that is
    left, and must not be emptied."""
    path = database_path(workspace.paths)
    if not is_there(path):
        return
    with workspace.open_database() as database:
        known = [commit for rows in database.commits().values() for commit in rows.values() if commit]
    if known:
        raise NotFound(
            "the versions repository is gone, but the database has its versions",
            where=str(workspace.versions.path),
            fix=(
                "put it back",
                suggest("pull", "from where it was pushed", remote=Placeholder("REMOTE")),
                f"to begin anew, remove {path}*",
            ),
        )


def _read_images(
    workspace: Workspace, database: Database, images: set[tuple[str, str]], new: set[str]
) -> "list[IndexedImage]":
    """Return the images that the database lacks, among `images` (tree and platform), and those of the trees `new`."""
    unknown = images - {(tree, platform) for tree, platform, _ in database.image_keys()}
    lacking = ({tree for tree, _ in unknown} & database.trees() if unknown else set()) | new
    if not lacking:
        return []
    from pycomfy.adapters.database.entries import IndexedImage

    found = []
    for tree, built in workspace.versions.all_images(lacking).items():
        for image in built.values():
            link = layout_link(workspace, image.manifest_digest)
            found.append(IndexedImage(tree, image, str(link.readlink() if link.is_symlink() else link)))
    return found
