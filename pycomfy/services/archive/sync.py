"""`archive push` and `archive pull`: copy what versions need to another Nix store, or fetch it from there."""

from collections.abc import Mapping, Sequence
from functools import partial

from pycomfy import operation
from pycomfy.adapters.archive.copy import pull_path
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.http_client import without_login
from pycomfy.adapters.nix.binary_cache import copy_between, find_valid, folder_url, parse_store_url, uncompressed
from pycomfy.core.nix.lock_outputs import Requisite
from pycomfy.errors import ErrorGroup, NotFound, raise_all
from pycomfy.services.archive.archived_sources import batches
from pycomfy.services.archive.completeness import MissingSource, list_missing, list_outputs, list_version_requisites
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

_PULL_JOBS = 4
_MAX_ERRORS = 20  # reported of one pull


class ArchivePushResult(Result):
    """How many store paths the other store has now, of `paths` that it was to get; `missing` are not in the archive."""

    paths: int
    pushed: int
    missing: tuple[MissingSource, ...]


class ArchivePullResult(Result):
    """How many store paths were fetched, of `paths` that the archive lacked; `missing` it still lacks."""

    paths: int
    pulled: int
    missing: tuple[MissingSource, ...]


def push(workspace: Workspace, url: str) -> ArchivePushResult:
    """Copy what the versions need to another store; paths that it has are not sent again."""
    to = uncompressed(parse_store_url(url))
    archive = workspace.archive
    there = [output for output in list_outputs(workspace, operation.report_error) if archive.has(output)]
    sizes = [archive.size_of(output) for output in there]
    if operation.is_dry_run():
        _report_push(workspace, url, dict(zip([output.path for output in there], sizes, strict=True)))
        sizes = []
    with operation.step("Push", total=sum(sizes), unit="bytes") as task, folder_url(archive.folder) as source:
        for batch in batches(sizes):
            copy_between(workspace.nix, source, to, [there[i].path for i in batch])
            task.advance(sum(sizes[i] for i in batch))
    missing = list_missing(archive.has, list_version_requisites(workspace))
    return ArchivePushResult(paths=len(there), pushed=len(there), missing=tuple(m.describe() for m in missing))


def _report_push(workspace: Workspace, url: str, sizes: Mapping[str, int]) -> None:
    """Report what a push would send: paths that are not there, by the sizes of all."""
    there = find_valid(workspace.nix, parse_store_url(url), tuple(sizes))
    sent = [size for path, size in sizes.items() if path not in there]
    operation.report(f"note: {len(sent)} would be sent, {sum(sent) / 1e6:.1f} MB; {len(there)} are there already")


def pull(workspace: Workspace, url: str, *, models: bool = False) -> ArchivePullResult:
    """Fetch what the versions need and the archive lacks, with `models` their models too. Each path is checked by its
    hash before it is put in."""
    archive, needed = workspace.archive, list_version_requisites(workspace)
    lacking = [m.requisite for m in list_missing(archive.has, needed, models=models)]
    absent = set(pull_requisites(workspace, url, lacking))
    pulled = {requisite.output for requisite in lacking if requisite not in absent}
    still = list_missing(lambda output: output in pulled or archive.has(output), needed, models=models)
    return ArchivePullResult(
        paths=len(pulled) + len(still), pulled=len(pulled), missing=tuple(m.describe() for m in still)
    )


def pull_requisites(workspace: Workspace, url: str, requisites: Sequence[Requisite]) -> tuple[Requisite, ...]:
    """Fetch `requisites` into the archive from another store; return those that it lacks."""
    source, archive = parse_store_url(url), workspace.archive
    if not requisites:
        return ()
    if operation.is_dry_run():
        there = find_valid(workspace.nix, source, [r.path for r in requisites])
        return tuple(r for r in requisites if r.path not in there)
    absent: list[Requisite] = []

    def fetch(requisite: Requisite) -> None:
        try:
            pull_path(workspace.nix, source, archive, requisite.output)
        except NotFound:
            absent.append(requisite)

    with operation.step(f"Pull from {without_login(url)}", total=len(requisites)) as task:
        try:
            jobs = {r.path: partial(fetch, r) for r in requisites}
            run_concurrently(jobs, task.advance, at_once=_PULL_JOBS, first_alone=True)
        except ErrorGroup as e:
            raise_all(e.problems[:_MAX_ERRORS])
    return tuple(r for r in requisites if r in absent)
