"""Compare a working copy with a commit, and write what differs as a patch, from git's objects and the files alone."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.capture.files import CHUNK, Blob, Files, hash_entry, list_files, read_text, why_skipped
from pycomfy.adapters.capture.git_dir import GitFolder, borrow, find_git, read_head, read_settings, refused
from pycomfy.adapters.git.checkout import FILE, GROUP_FILE, LINK, MAX_FILES, PROGRAM, SUBMODULE, Entry, parse_entries
from pycomfy.adapters.git.lfs import parse_pointer
from pycomfy.adapters.git.patches import PatchRepository
from pycomfy.core.capture.ignored_files import MAX_FILES as MAX_SETTINGS_FILES
from pycomfy.core.capture.ignored_files import is_settings, may_be_secret
from pycomfy.errors import BadInput

MAX_CHANGED = 16 << 20
"""Bytes of a changed file that a patch is made of."""

MAX_DEPTH = 8
"""Levels of submodules."""

_LINE_ENDINGS = "line endings"
_PUSH = "commit and push them"


@dataclass
class WorkingTreeChanges:
    """What changed. `old` and `new` are files by path: one that only one of them has was added or removed. `present` is
    every file of the code, `skipped` what was left out of it, each with the reason; `notes` are for the user."""

    old: dict[str, Blob] = field(default_factory=dict)
    new: dict[str, Blob] = field(default_factory=dict)
    present: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """The paths that changed, sorted."""
        return sorted({*self.old, *self.new})


@dataclass(frozen=True)
class ComparisonOptions:
    """How to compare. `reader` can read the objects of the working copy's repository; `staging` gets the files that
    differ, old and new. Names in `skip`, at the top, are not code. Repositories of submodules must be in `allowed`."""

    reader: PatchRepository
    staging: PatchRepository
    allowed: Sequence[Path] = ()
    skip: Sequence[str] = ()


def find_changes(git: GitFolder, commit: str, options: ComparisonOptions) -> WorkingTreeChanges:
    """Compare the files of a working copy with `commit`, whose objects `options.reader` has. Raises `BadInput`."""
    changes = WorkingTreeChanges()
    _compare(git, commit, options, changes, "")
    return changes


def compare_folders(base: Path, folder: Path, staging: PatchRepository, skip: Sequence[str] = ()) -> WorkingTreeChanges:
    """Compare a folder with the folder `base`, as `find_changes` does with a commit. Raises `BadInput`."""
    changes, files = WorkingTreeChanges(), Files(base)
    entries = []
    for path in list_files(base):
        about = files.lstat(path)
        blob = None if about is None else hash_entry(base / path, about, FILE, True)
        if about is not None and blob is not None:
            entries.append(Entry(path, *blob, about.st_size))

    def read(entry: Entry) -> bytes:
        if entry.mode == LINK:
            return os.fsencode((base / entry.path).readlink())
        return (base / entry.path).read_bytes()

    _compare_entries(_Side(folder, "", True, staging, changes, skip), entries, read)
    known = {e.path for e in entries}
    for path in walk_code(folder, skip).present:
        if path not in known:
            _add_untracked(path, Files(folder), staging, changes, "")
    return changes


def walk_code(folder: Path, skip: Sequence[str] = ()) -> WorkingTreeChanges:
    """Return every file of a folder that may be code, as `present`. Raises as `list_files`."""
    changes, files = WorkingTreeChanges(), Files(folder)
    for path in list_files(folder, skip):
        about = files.lstat(path)
        why = None if about is None else why_skipped(path, about, files)
        if why is not None:
            changes.skipped.append(f"{path}: {why}")
        elif about is not None:
            changes.present.append(path)
    return changes


def _compare(git: GitFolder, commit: str, options: ComparisonOptions, changes: WorkingTreeChanges, prefix: str) -> None:
    if prefix.count("/") > MAX_DEPTH:
        raise refused(git.folder, f"submodules are nested more than {MAX_DEPTH} levels deep")
    entries = _list_entries(git.folder, commit, options.reader)
    modes = read_settings(git, options.reader).get("core.filemode", "true") != "false"

    def read(entry: Entry) -> bytes:
        status, data, _ = options.reader.git("cat-file", "blob", entry.object)
        if status != 0:
            raise BadInput(
                f"{entry.path} of the commit is missing", where=str(git.folder), fix="run `git fetch --refetch` in it"
            )
        return data

    side = _Side(git.folder, prefix, modes, options.staging, changes, options.skip)
    _compare_entries(side, [e for e in entries if e.mode != SUBMODULE], read)
    for entry in entries:
        if entry.mode == SUBMODULE:
            _compare_submodule(git.folder / entry.path, entry, options, changes, prefix + entry.path)
    tracked, files = {e.path for e in entries}, Files(git.folder)
    for found in _untracked(git, commit, options):
        if found not in tracked:
            _add_untracked(found, files, options.staging, changes, prefix)


@dataclass(frozen=True)
class _Side:
    """The side that was changed: files in `folder`, named by `prefix` and their path. `modes` says whether the file
    system keeps which files are programs. Files of the folders `skip` may be missing: they are the user's."""

    folder: Path
    prefix: str
    modes: bool
    staging: PatchRepository
    changes: WorkingTreeChanges
    skip: Sequence[str] = ()


def _compare_entries(side: _Side, entries: Sequence[Entry], read: Callable[[Entry], bytes]) -> None:
    files, endings, changes = Files(side.folder), 0, side.changes
    for entry in entries:
        path, name = side.folder / entry.path, side.prefix + entry.path
        about = files.lstat(entry.path)
        old = (FILE if entry.mode == GROUP_FILE else entry.mode, entry.object)
        new = None if about is None else hash_entry(path, about, old[0], side.modes)
        if new is not None:
            changes.present.append(name)
        if new == old or (new is None and entry.path.split("/")[0] in side.skip):
            continue
        if entry.size > MAX_CHANGED:
            raise _too_large(name, entry.size, path)
        data = read(entry)
        if new is not None and about is not None and new[0] == old[0] != LINK:
            same = _why_same(data, path, about)
            endings += same == _LINE_ENDINGS
            if same:
                continue
        changes.old[name] = old
        side.staging.add_blob(data)
        if new is not None and about is not None:
            _stage(side.staging, path, about, name)
            changes.new[name] = new
    if endings:
        changes.notes.append(f"{endings} files differ in line endings alone: they are captured as the commit has them")


def _compare_submodule(
    folder: Path, entry: Entry, options: ComparisonOptions, changes: WorkingTreeChanges, name: str
) -> None:
    inner = find_git(folder, options.allowed) if folder.is_dir() and not folder.is_symlink() else None
    if inner is None:
        changes.notes.append(f"the submodule {name} is not checked out; the lock will have it")
        return
    borrow(inner, options.reader)
    if options.reader.git("cat-file", "-e", f"{entry.object}^{{tree}}")[0] != 0:
        raise refused(folder, f"the submodule {name} does not have the commit {entry.object}")
    head, _ = read_head(inner)
    if head != entry.object:
        changes.notes.append(f"the submodule {name} is at {head[:10]}, not at the commit's {entry.object[:10]}")
    inner_options = ComparisonOptions(options.reader, options.staging, options.allowed)
    _compare(inner, entry.object, inner_options, changes, name + "/")


def _list_entries(folder: Path, commit: str, reader: PatchRepository) -> list[Entry]:
    status, output, message = reader.git("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    if status != 0:
        raise refused(folder, f"the commit {commit[:10]} cannot be read: {message[-200:]}")
    entries = parse_entries(output)
    for entry in entries:
        if entry.mode not in (FILE, PROGRAM, GROUP_FILE, LINK, SUBMODULE) or not _is_inner(entry.path):
            raise refused(folder, f"the commit has a path that could do harm: {entry.path[:200]!r}")
    if len(entries) > MAX_FILES:
        raise refused(folder, f"more than {MAX_FILES} files")
    return entries


def _is_inner(path: str) -> bool:
    return all(part.lower() not in ("", ".", "..", ".git") for part in path.split("/"))


def _why_same(old: bytes, path: Path, about: os.stat_result) -> str:
    """Why a file counts as unchanged although its bytes are not `old`; empty if it does not. Raises `BadInput` for an
    LFS file with other bytes than its pointer says: no patch can express that."""
    if (pointer := parse_pointer(path.name, old)) is not None:
        digest = hashlib.sha256()
        with path.open("rb") as f:
            while chunk := f.read(CHUNK):
                digest.update(chunk)
        if digest.hexdigest() == pointer.sha256:
            return "LFS file"
        raise BadInput(f"{path.name}, an LFS file, was changed", where=str(path), fix="commit and push it")
    if about.st_size > MAX_CHANGED:
        return ""
    new = path.read_bytes()
    plain = b"\0" not in old and new.replace(b"\r\n", b"\n") == old.replace(b"\r\n", b"\n")
    return _LINE_ENDINGS if plain else ""


def add_ignored(git: GitFolder, commit: str, options: ComparisonOptions, changes: WorkingTreeChanges) -> None:
    """Add what a node pack works with and `.gitignore` names: small files with settings. Models, which the pack may
    have downloaded there, and what looks like a secret are left out, and listed as that."""
    files = Files(git.folder)
    added: list[str] = []
    for path in _untracked(git, commit, options, "--ignored"):
        about = files.lstat(path.rstrip("/"))
        if about is None or not stat.S_ISREG(about.st_mode):
            continue
        if (why := why_skipped(path, about, files)) is not None:
            changes.skipped.append(f"{path}: {why}")
        elif is_settings(path, about.st_size):
            if may_be_secret(path, read_text(git.folder / path)):
                changes.skipped.append(f"{path}: git ignores it, and it may hold a secret")
            elif len(added) >= MAX_SETTINGS_FILES:
                changes.skipped.append(f"{path}: git ignores it, and more than {MAX_SETTINGS_FILES} such files")
            else:
                _add_untracked(path, files, options.staging, changes, "")
                added.append(path)
    if added:
        more = f" and {len(added) - 5} more" if len(added) > 5 else ""
        changes.notes.append(f"settings that git ignores are captured: {', '.join(added[:5])}{more}")


def _untracked(git: GitFolder, commit: str, options: ComparisonOptions, *more: str) -> Iterator[str]:
    """Files that the commit does not have and no `.gitignore` names. A folder that is a repository ends in `/`."""
    index = "untracked"
    options.reader.must("read-tree", commit, index=index)
    arguments = [*more, "--exclude-per-directory=.gitignore", *(f"--exclude=/{name}" for name in options.skip)]
    excludes = git.common / "info" / "exclude"
    if excludes.is_file() and not excludes.is_symlink():
        arguments.append(f"--exclude-from={excludes}")
    status, output, message = options.reader.git("ls-files", "--others", "-z", *arguments, tree=git.folder, index=index)
    if status != 0:
        raise refused(git.folder, f"the files cannot be listed: {message[-200:]}")
    records = output.split(b"\0")[:-1]
    if len(records) > MAX_FILES:
        raise refused(git.folder, f"more than {MAX_FILES} files are not in git")
    for record in records:
        path = os.fsdecode(record)
        parts = path.rstrip("/").split("/")
        if "__pycache__" not in parts and not path.endswith(".pyc"):
            yield path


def _add_untracked(path: str, files: Files, staging: PatchRepository, changes: WorkingTreeChanges, prefix: str) -> None:
    about = files.lstat(path.rstrip("/"))
    if about is None:
        return
    name, file = prefix + path, files.folder / path
    why = why_skipped(path, about, files)
    if why is not None:
        changes.skipped.append(f"{name}: {why}")
        return
    new = hash_entry(file, about, FILE, True)
    if new is not None:
        _stage(staging, file, about, name)
        changes.new[name] = new
        changes.present.append(name)


def _stage(staging: PatchRepository, path: Path, about: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(about.st_mode):
        staging.add_blob(os.fsencode(path.readlink()))
    elif about.st_size > MAX_CHANGED:
        raise _too_large(name, about.st_size, path)
    else:
        staging.add_blob(path.read_bytes())


def _too_large(name: str, size: int, path: Path) -> BadInput:
    return BadInput(
        f"{name} is too large for a patch ({size / 1e6:.0f} MB)", where=str(path), fix="move it out of the installation"
    )


def make_patch(changes: WorkingTreeChanges, staging: PatchRepository) -> str | None:
    """Return the changes as a patch that was tried; None without changes. Raises `BadInput` where no patch can express
    them."""
    if not changes.paths:
        return None
    old, new = staging.make_tree(_sorted(changes.old), "old"), staging.make_tree(_sorted(changes.new), "new")
    patch = staging.make_patch(old, new)
    if patch is None:
        raise BadInput("the changes are too large for a patch", where=str(staging.folder), fix=_PUSH)
    if not staging.applies(patch, old, new):
        raise BadInput(
            "the changes cannot be written as a patch", where=str(staging.folder), fix="commit and push them"
        )
    return patch


def _sorted(blobs: Mapping[str, Blob]) -> dict[str, Blob]:
    return dict(sorted(blobs.items()))
