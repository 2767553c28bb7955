"""What the recorded versions are made of, and which of it the archive lacks."""

from collections.abc import Sequence
from dataclasses import dataclass

from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.archive.lock_index import list_locks
from pycomfy.adapters.io.paths import Home
from pycomfy.core.nix.lock_outputs import Need, indispensable, list_models, list_needs
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.services.realise import host_platform


@dataclass(frozen=True)
class Missing:
    """A source that the archive lacks, and the versions that need it. `here`: this machine's store has it."""

    need: Need
    labels: tuple[str, ...]
    here: bool = False


@dataclass(frozen=True)
class Wanted:
    """What some versions that share a lock need."""

    labels: tuple[str, ...]
    needs: tuple[Need, ...]
    models: tuple[Need, ...]


def list_wanted(home: Home) -> list[Wanted]:
    """What the recorded versions need for the platforms that they were built for; those that never were, for all that
    are locked."""
    locks = list_locks(home)
    host = {host_platform()}
    return [
        Wanted(r.labels, list_needs(r.lock, r.platforms | host if r.platforms else None), list_models(r.lock))
        for r in locks
    ]


def list_missing(archive: Archive, wanted: Sequence[Wanted], *, models: bool = False) -> tuple[Missing, ...]:
    """What of that the archive lacks, each once, with all that need it; with `models` their models too."""
    labels: dict[str, list[str]] = {}
    needs: dict[str, Need] = {}
    for one in wanted:
        lost = [need for need in one.needs if not archive.has(need.output)]
        for need in (*indispensable(lost, one.needs), *(one.models if models else ())):
            labels.setdefault(need.path, []).extend(one.labels)
            needs[need.path] = need
    return tuple(Missing(need, tuple(labels[path])) for path, need in needs.items() if not archive.has(need.output))


def list_outputs(home: Home) -> list[FixedOutput]:
    """What any recorded version needs, for any platform, and their models."""
    needs = (n for recorded in list_locks(home) for n in (*list_needs(recorded.lock), *list_models(recorded.lock)))
    return list({need.path: need.output for need in needs}.values())
