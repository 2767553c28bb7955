"""What the recorded versions are made of, and which of it the archive lacks."""

from collections.abc import Sequence
from dataclasses import dataclass

from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.archive.lock_index import list_locks
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, list_requisites, model_requisites
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.services.realise import host_platform
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class MissingRequisite:
    """A source that the archive lacks, and the versions that need it. `here`: this machine's store has it."""

    need: Requisite
    labels: tuple[str, ...]
    here: bool = False


@dataclass(frozen=True)
class RecordedRequisites:
    """What some versions that share a lock need."""

    labels: tuple[str, ...]
    needs: tuple[Requisite, ...]
    models: tuple[Requisite, ...]


def list_recorded_requisites(workspace: Workspace) -> list[RecordedRequisites]:
    """What the recorded versions need for the platforms that they were built for; those that never were, for all that
    are locked."""
    locks = list_locks(workspace.paths)
    host = {host_platform()}
    return [
        RecordedRequisites(
            r.labels, list_requisites(r.lock, r.platforms | host if r.platforms else None), model_requisites(r.lock)
        )
        for r in locks
    ]


def list_missing(
    archive: Archive, wanted: Sequence[RecordedRequisites], *, models: bool = False
) -> tuple[MissingRequisite, ...]:
    """What of that the archive lacks, each once, with all that need it; with `models` their models too."""
    labels: dict[str, list[str]] = {}
    needs: dict[str, Requisite] = {}
    for one in wanted:
        lost = [need for need in one.needs if not archive.has(need.output)]
        for need in (*filter_required(lost, one.needs), *(one.models if models else ())):
            labels.setdefault(need.path, []).extend(one.labels)
            needs[need.path] = need
    return tuple(
        MissingRequisite(need, tuple(labels[path])) for path, need in needs.items() if not archive.has(need.output)
    )


def list_outputs(workspace: Workspace) -> list[FixedOutput]:
    """What any recorded version needs, for any platform, and their models."""
    needs = (
        n
        for recorded in list_locks(workspace.paths)
        for n in (*list_requisites(recorded.lock), *model_requisites(recorded.lock))
    )
    return list({need.path: need.output for need in needs}.values())
