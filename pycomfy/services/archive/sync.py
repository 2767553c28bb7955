"""`archive push` and `pull`: what recorded versions need goes to another Nix store, or comes from there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pycomfy import operation
from pycomfy.adapters.archive.copy import pull_path
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.http_client import without_login
from pycomfy.adapters.nix.binary_cache import copy_between, folder_url, parse_store_url, uncompressed
from pycomfy.core.nix.lock_outputs import Requisite
from pycomfy.errors import ErrorGroup, NotFound, raise_all
from pycomfy.services.archive.completeness import MissingRequisite, list_missing, list_outputs, list_recorded_requisites
from pycomfy.services.workspace import Workspace

_PULL_JOBS = 4
_MAX_TOLD = 20
_PUSH_BYTES = 512 << 20  # bytes handed to one `nix copy`, so that progress shows and a stop loses little


@dataclass(frozen=True)
class SyncResult:
    """A push or a pull: the store paths it was about, those that are there now, and what nobody had."""

    paths: int
    moved: int
    absent: tuple[MissingRequisite, ...] = ()


def push(workspace: Workspace, url: str) -> SyncResult:
    """Copy what recorded versions need to another store; what it has is not sent again."""
    to = uncompressed(parse_store_url(url))
    archive = workspace.archive
    there = [output for output in list_outputs(workspace) if archive.has(output)]
    sizes = [archive.size_of(output) for output in there]
    with operation.step("Push", total=sum(sizes), unit="bytes") as task, folder_url(archive.folder) as source:
        for batch in batches(sizes):
            copy_between(workspace.nix, source, to, [there[i].path for i in batch])
            task.advance(sum(sizes[i] for i in batch))
    return SyncResult(len(there), len(there), list_missing(archive, list_recorded_requisites(workspace)))


def pull(workspace: Workspace, url: str, *, models: bool = False) -> SyncResult:
    """Fetch what recorded versions need and the archive lacks, with `models` their models too; each is checked by its
    hash before it is put in."""
    missing = list_missing(workspace.archive, list_recorded_requisites(workspace), models=models)
    absent = set(pull_requisites(workspace, url, [m.need for m in missing]))
    lacking = tuple(m for m in missing if m.need in absent)
    return SyncResult(len(missing), len(missing) - len(lacking), lacking)


def pull_requisites(workspace: Workspace, url: str, needs: Sequence[Requisite]) -> tuple[Requisite, ...]:
    """Fetch `needs` into the archive from another store; those that it lacks are returned."""
    source, archive = parse_store_url(url), workspace.archive
    if not needs:
        return ()
    absent: list[Requisite] = []

    def one(need: Requisite) -> None:
        try:
            pull_path(workspace.nix, source, archive, need.output)
        except NotFound:
            absent.append(need)

    with operation.step(f"Pull from {without_login(url)}", total=len(needs)) as task:
        try:
            run_concurrently({need.path: partial(one, need) for need in needs}, task.advance, at_once=_PULL_JOBS)
        except ErrorGroup as e:
            raise_all(e.problems[:_MAX_TOLD])
    return tuple(need for need in needs if need in absent)


def batches(sizes: Sequence[int]) -> list[list[int]]:
    """Indices, in groups of some bytes."""
    batches: list[list[int]] = [[]]
    size = 0
    for i, amount in enumerate(sizes):
        if batches[-1] and size + amount > _PUSH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(i)
        size += amount
    return batches
