"""Move sources between the archive and this machine's Nix store: each is kept in one of them, and used in the other."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.nix.binary_cache import copy_in, folder_url
from pycomfy.adapters.nix.nar_reader import read_digest
from pycomfy.adapters.nix.store import delete_paths, valid_paths
from pycomfy.core.nix.lock_outputs import Requisite
from pycomfy.errors import HashMismatch
from pycomfy.operation import cancel_scope
from pycomfy.services.workspace import Workspace

_BATCH = 512 << 20  # bytes for one `nix copy`, so that progress shows and an interruption loses little
_READ_JOBS = 4


def copy_from_archive(workspace: Workspace, requisites: Iterable[Requisite]) -> frozenset[str]:
    """Put into the Nix store what it lacks and the archive has; return the paths. Nix checks every byte. What root
    filesystems are made of is not needed there: pycomfy unpacks it from where it is."""
    all_, archive = [r for r in requisites if r.role != "package"], workspace.archive
    here = set(valid_paths(workspace.nix, [r.path for r in all_]))
    found = [r for r in all_ if r.path not in here and archive.has(r.output)]
    if not found:
        return frozenset()
    sizes = [archive.size_of(r.output) for r in found]
    with operation.step("Take sources from the archive", total=sum(sizes), unit="bytes") as task:
        with folder_url(archive.folder) as url:

            def copy(batch: list[int]) -> None:
                copy_in(workspace.nix, url, [found[i].path for i in batch])
                task.advance(sum(sizes[i] for i in batch))

            # One Nix hashes one path after the other; several use every core, and one disk well.
            run_concurrently({str(number): partial(copy, batch) for number, batch in enumerate(batches(sizes))})
        task.note(f"{len(found)} of {len(all_)}")
    return frozenset(r.path for r in found)


def find_kept_twice(workspace: Workspace, requisites: Iterable[Requisite]) -> list[Requisite]:
    """Return those that both the Nix store and the archive have, as far as the archive's sizes show."""
    archived = {r.path: r for r in requisites if workspace.archive.has(r.output)}
    return [archived[path] for path in valid_paths(workspace.nix, list(archived))]


def filter_files(requisites: Iterable[Requisite]) -> list[Requisite]:
    """Return those that are files, which only the building of a layer reads. Trees are small beside them, and read
    whenever something is built."""
    return [r for r in requisites if not r.output.recursive]


def drop_archived(workspace: Workspace, twice: Sequence[Requisite], proven: Collection[str] = ()) -> list[Requisite]:
    """Remove from the Nix store those of `twice` that the archive has whole, and return which they were. It is read and
    compared with its hash first, but for the paths in `proven`, which were just written or read. What a garbage
    collector's root needs, or a running build, stays."""
    archive = workspace.archive
    unread = [r for r in twice if r.path not in proven]
    whole = {r.path for r in twice if r.path in proven} | _find_whole(archive, unread)
    if not whole:
        return []
    # Nobody takes it out of the archive meanwhile, nor reads it in the store to put it in.
    with archive.lock():
        paths = [r.path for r in twice if r.path in whole and archive.has(r.output)]
        gone = set(delete_paths(workspace.nix, paths))
    return [r for r in twice if r.path in gone]


def _find_whole(archive: Archive, requisites: Sequence[Requisite]) -> set[str]:
    """Return the paths of those whose every byte in the archive is as it was."""
    if not requisites:
        return set()
    with operation.step("Read what the archive has", total=sum(archive.size_of(r.output) for r in requisites)) as task:

        def step(amount: int) -> None:
            cancel_scope().check()
            task.advance(amount)

        def read(requisite: Requisite) -> bool:
            try:
                info = archive.find(requisite.output)
                digest = None if info is None else read_digest(archive.nar_of(info), step)
            except (HashMismatch, OSError):
                return False
            return digest is not None and digest.matches(requisite.output)

        jobs = {r.path: partial(read, r) for r in requisites}
        return {path for path, whole in run_concurrently(jobs, at_once=_READ_JOBS).items() if whole}


def batches(sizes: Sequence[int], most: int = _BATCH) -> list[list[int]]:
    """Split the indices of `sizes` into groups of at most `most` bytes; a larger one is a group of its own."""
    groups: list[list[int]] = [[]]
    size = 0
    for i, amount in enumerate(sizes):
        if groups[-1] and size + amount > most:
            groups.append([])
            size = 0
        groups[-1].append(i)
        size += amount
    return [group for group in groups if group]
