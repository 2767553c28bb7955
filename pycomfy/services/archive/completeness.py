"""List what the versions are made of, and what of it the archive lacks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.archive.lock_index import list_locks
from pycomfy.adapters.versions.repository import Report
from pycomfy.core.nix.bootstrap import Bootstrap
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, list_requisites, model_requisites
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.services.project import host_platform
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class SourceEntry:
    """A source, as results list it: `path` in the Nix store, `title` for a person, `origin` is where it came from."""

    path: str
    title: str
    origin: str


@dataclass(frozen=True)
class MissingSource(SourceEntry):
    """A source that the archive lacks, and the `versions` that need it. `in_store`: this machine's Nix store has it."""

    versions: tuple[str, ...]
    in_store: bool = False


@dataclass(frozen=True)
class MissingRequisite:
    """A requisite that the archive lacks, and the labels of the versions that need it."""

    requisite: Requisite
    versions: tuple[str, ...]

    def describe(self, *, in_store: bool = False) -> MissingSource:
        """Return it as results list it."""
        r = self.requisite
        return MissingSource(r.path, r.title, r.origin, self.versions, in_store)


@dataclass(frozen=True)
class VersionRequisites:
    """What some versions that share a lock need; `models` need not be in the archive. `bootstrap` is their
    project's."""

    versions: tuple[str, ...]
    bootstrap: Bootstrap | None
    requisites: tuple[Requisite, ...]
    models: tuple[Requisite, ...]


def list_version_requisites(workspace: Workspace, report: Report = operation.report_error) -> list[VersionRequisites]:
    """Return what the versions need for the platforms that they were built for; for all that are locked where none was
    built. Calls `report` for each that cannot be read."""
    host = {host_platform()}
    return [
        VersionRequisites(
            locked.labels,
            locked.bootstrap,
            list_requisites(
                locked.lock, locked.platforms | host if locked.platforms else None, bootstrap=locked.bootstrap
            ),
            model_requisites(locked.lock),
        )
        for locked in list_locks(workspace.versions, report)
    ]


def count_present(archive: Archive, needed: Sequence[VersionRequisites]) -> int:
    """Return how many paths of `needed` the archive has, without models."""
    return sum(map(archive.has, {r.output for one in needed for r in one.requisites}))


def list_missing(
    has: Callable[[FixedOutput], bool], needed: Sequence[VersionRequisites], *, models: bool = False
) -> tuple[MissingRequisite, ...]:
    """Return what of `needed` is not there, each once, with all versions that need it; with `models` their models too.
    What can be made of what is there is not missing."""
    versions: dict[str, list[str]] = {}
    found: dict[str, Requisite] = {}
    for one in needed:
        lacking = [r for r in one.requisites if not has(r.output)]
        for requisite in (*filter_required(lacking, one.requisites), *(one.models if models else ())):
            versions.setdefault(requisite.path, []).extend(one.versions)
            found[requisite.path] = requisite
    return tuple(MissingRequisite(r, tuple(versions[path])) for path, r in found.items() if not has(r.output))


def list_outputs(workspace: Workspace, report: Report | None = None) -> list[FixedOutput]:
    """Return what any version needs, for any platform, and its models. Calls `report` for each that cannot be read;
    without it, raises `BadLock` or `DamagedRepository`: nobody knows what it needs."""
    found = (
        requisite
        for locked in list_locks(workspace.versions, report)
        for requisite in (*list_requisites(locked.lock, bootstrap=locked.bootstrap), *model_requisites(locked.lock))
    )
    return list({requisite.path: requisite.output for requisite in found}.values())
