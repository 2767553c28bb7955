"""Do a dry run: the very operation, with the same errors and result, on a copy of the data that is thrown away."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.database.copy import copy_path
from pycomfy.adapters.database.database import database_path
from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.versions.repository import versions_repository_path
from pycomfy.errors import BadInput, PycomfyError
from pycomfy.services.workspace import Workspace

_LINKED = {"archive": True, "images": False, "models": True}
"""Folders of the data folder whose files are written once, and replaced or removed as a whole; and whether a folder in
them that is a link, as to a larger disk, is written to. Images are links to folders of Nix's."""


_SUFFIXES = ("", "-wal")
"""Of the files of a database that has what was written."""


@contextlib.contextmanager
def dry_run(workspace: Workspace, *, fetches: bool = False) -> Iterator[Workspace]:
    """Return a workspace with a copy of the data, for the block, in which nothing else is written either: files and
    folders of the user are not replaced, and git only says what it would push.

    What `fetches` has the cache itself, for what it downloads: without that it could fail where the operation would
    not, and the operation would download it again."""
    with temporary_folder(workspace.paths.dry_runs, "dry-") as folder:
        source = workspace.paths
        paths = Paths(folder / "data", source.cache if fetches else folder / "cache")
        if source.data.is_dir():
            with _explain_unreadable():
                _copy(source, paths)
        copies = {paths.data: source.data, folder / "cache": source.cache}
        dry = operation.DryRun(folder, source.cache if fetches else None, copies)
        with replace(operation.current(), dry=dry).running():
            try:
                yield replace(workspace, paths=paths)
            except PycomfyError as e:
                _name_the_original(e, dry)
                raise


def _name_the_original(error: PycomfyError, dry: operation.DryRun) -> None:
    """Let the error name the data itself: the copy is gone when it is read."""
    for one in flatten_errors(error):
        one.what, one.where, one.details = map(dry.name_originals, (one.what, one.where, one.details))
        one.fixes = tuple(dry.name_originals(fix) if isinstance(fix, str) else fix for fix in one.fixes)


@contextlib.contextmanager
def _explain_unreadable() -> Iterator[None]:
    try:
        yield
    except shutil.Error as e:  # has all files that it could not copy
        where, _, why = e.args[0][0]
        raise BadInput(f"it cannot be copied: {why}", where=str(where), fix="change its permissions") from e


def _copy(source: Paths, target: Paths) -> None:
    target.data.mkdir()
    for name, follow in _LINKED.items():
        _link_files(source.data / name, target.data / name, follow=follow)
    repository, copied = versions_repository_path(source), versions_repository_path(target)
    if repository.is_dir():
        shutil.copytree(repository, copied, symlinks=True, ignore=lambda at, _: ["objects"] * (Path(at) == repository))
        (copied / "objects" / "info").mkdir(parents=True)
        (copied / "objects" / "info" / "alternates").write_text(f"{repository / 'objects'}\n")
    database = database_path(source)
    for path in source.data.iterdir():
        if path.is_file() and not path.name.startswith(database.name):
            shutil.copy2(path, target.data / path.name)
    _copy_database(database, database_path(target))


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database that others may be writing; one that is damaged as it is."""
    if copy_path(source).exists():  # before the database: no copy is newer
        shutil.copy2(copy_path(source), copy_path(target))
    if not source.exists() or _copy_unused(source, target):
        return
    for suffix in _SUFFIXES:
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    with contextlib.suppress(sqlite3.Error):
        uri = f"{source.as_uri()}?mode=ro"
        with (
            contextlib.closing(sqlite3.connect(uri, uri=True)) as one,
            contextlib.closing(sqlite3.connect(target)) as to,
        ):
            one.backup(to)
        return
    _copy_files(source, target)


def _copy_unused(source: Path, target: Path) -> bool:
    """Copy a database that nobody has opened, and return whether that is so. A connection, even one that only reads,
    would leave its files beside it."""
    shared, before = source.with_name(f"{source.name}-shm"), source.stat()
    if shared.exists():
        return False
    _copy_files(source, target)
    after = source.stat()
    return not shared.exists() and (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _copy_files(source: Path, target: Path) -> None:
    for suffix in _SUFFIXES:
        path = source.with_name(source.name + suffix)
        if path.exists():
            shutil.copy2(path, target.with_name(target.name + suffix))


def _link_files(source: Path, target: Path, *, follow: bool) -> None:
    """Make a folder like `source` whose files are links: what is replaced or removed in it stays in `source`. With
    `follow`, folders that are links become folders."""
    for at, folders, files in os.walk(source, followlinks=follow):
        folder = target / Path(at).relative_to(source)
        folder.mkdir(parents=True, exist_ok=True)
        for name in files if follow else (*files, *folders):
            path = Path(at, name)
            if path.is_symlink():
                (folder / name).symlink_to(path.readlink())
            elif name in files:
                (folder / name).symlink_to(path.absolute())
