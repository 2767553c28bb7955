"""What differs in a working copy from a commit: as a patch, made of git's objects and the files that are there."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.capture.files import CHUNK, Blob, Files, hash_entry, list_files, why_left
from pycomfy.adapters.capture.git_dir import GitFolder, borrow, find_git, read_head, read_settings, refused
from pycomfy.adapters.git.checkout import FILE, GROUP_FILE, LINK, MAX_FILES, PROGRAM, SUBMODULE, Entry, parse_entries
from pycomfy.adapters.git.lfs import parse_pointer
from pycomfy.adapters.git.patches import PatchRepository
from pycomfy.errors import BadInput

MAX_CHANGED = 16 << 20
"""Bytes of a changed file that a patch is made of."""

MAX_DEPTH = 8
"""Of submodules within submodules."""


@dataclass
class WorkingTreeChanges:
    """`old` and `new` are what changed, by path: a path that only one has was added or removed. `present` is every file
    that belongs to the code, `left` what does and yet was left out, with the reason; `notes` are for the user."""

    old: dict[str, Blob] = field(default_factory=dict)
    new: dict[str, Blob] = field(default_factory=dict)
    present: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return sorted({*self.old, *self.new})


@dataclass(frozen=True)
class ComparisonOptions:
    """How to look at a working copy: `shop` borrows its objects, `bench` gets the files that differ, old and new. What
    is at its top and called as in `skip` is not the code's; the repositories of submodules may lie in `inside`."""

    shop: PatchRepository
    bench: PatchRepository
    inside: Sequence[Path] = ()
    skip: Sequence[str] = ()


def find_changes(git: GitFolder, commit: str, look: ComparisonOptions) -> WorkingTreeChanges:
    """Compare the files of a working copy with `commit`, whose objects `look.shop` has. Raises `BadInput`."""
    changes = WorkingTreeChanges()
    _compare(git, commit, look, changes, "")
    return changes


def compare_folders(base: Path, folder: Path, bench: PatchRepository, skip: Sequence[str] = ()) -> WorkingTreeChanges:
    """As `find_changes`, with the folder `base` for a commit. Raises `BadInput`."""
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

    _compare_entries(_Side(folder, "", True, bench, changes, skip), entries, read)
    known = {e.path for e in entries}
    for path in walk_code(folder, skip).present:
        if path not in known:
            _take_untracked(path, Files(folder), bench, changes, "")
    return changes


def walk_code(folder: Path, skip: Sequence[str] = ()) -> WorkingTreeChanges:
    """Every file of a folder that may be code. Raises as `list_files`."""
    changes, files = WorkingTreeChanges(), Files(folder)
    for path in list_files(folder, skip):
        about = files.lstat(path)
        why = None if about is None else why_left(path, about, files)
        if why is not None:
            changes.left.append(f"{path}: {why}")
        elif about is not None:
            changes.present.append(path)
    return changes


def _compare(git: GitFolder, commit: str, look: ComparisonOptions, changes: WorkingTreeChanges, prefix: str) -> None:
    if prefix.count("/") > MAX_DEPTH:
        raise refused(git.folder, "its submodules are nested too deeply")
    entries = _list_entries(git.folder, commit, look.shop)
    modes = read_settings(git, look.shop).get("core.filemode", "true") != "false"

    def read(entry: Entry) -> bytes:
        status, data, _ = look.shop.git("cat-file", "blob", entry.object)
        if status != 0:
            raise BadInput(f"{entry.path} of the commit is not there", where=str(git.folder), fix="git fetch --refetch")
        return data

    side = _Side(git.folder, prefix, modes, look.bench, changes, look.skip)
    _compare_entries(side, [e for e in entries if e.mode != SUBMODULE], read)
    for entry in entries:
        if entry.mode == SUBMODULE:
            _compare_submodule(git.folder / entry.path, entry, look, changes, prefix + entry.path)
    tracked, files = {e.path for e in entries}, Files(git.folder)
    for found in _untracked(git, commit, look):
        if found not in tracked:
            _take_untracked(found, files, look.bench, changes, prefix)


@dataclass(frozen=True)
class _Side:
    """The side that was changed: its files below `folder` are called `prefix` and their path. `modes` says whether its
    file system keeps which files are programs; what is missing of the folders `skip` was its users' to remove."""

    folder: Path
    prefix: str
    modes: bool
    bench: PatchRepository
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
            same = _is_same(data, path, about)
            endings += same == "line endings"
            if same:
                continue
        changes.old[name] = old
        side.bench.keep(data)
        if new is not None and about is not None:
            _keep(side.bench, path, about, name)
            changes.new[name] = new
    if endings:
        changes.notes.append(f"{endings} files differ in nothing but line endings, and are taken as in the commit")


def _compare_submodule(
    folder: Path, entry: Entry, look: ComparisonOptions, changes: WorkingTreeChanges, name: str
) -> None:
    inner = find_git(folder, look.inside) if folder.is_dir() and not folder.is_symlink() else None
    if inner is None:
        changes.notes.append(f"the submodule {name} is not checked out there; the lock will have it")
        return
    borrow(inner, look.shop)
    if look.shop.git("cat-file", "-e", f"{entry.object}^{{tree}}")[0] != 0:
        raise refused(folder, f"the submodule {name} does not have the commit {entry.object}")
    head, _ = read_head(inner)
    if head != entry.object:
        changes.notes.append(f"the submodule {name} is at {head[:10]}, not at the commit's {entry.object[:10]}")
    _compare(inner, entry.object, ComparisonOptions(look.shop, look.bench, look.inside), changes, name + "/")


def _list_entries(folder: Path, commit: str, shop: PatchRepository) -> list[Entry]:
    status, output, message = shop.git("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    if status != 0:
        raise refused(folder, f"its commit {commit[:10]} cannot be read: {message[-200:]}")
    entries = parse_entries(output)
    for entry in entries:
        if entry.mode not in (FILE, PROGRAM, GROUP_FILE, LINK, SUBMODULE) or not _is_inner(entry.path):
            raise refused(folder, f"it has an entry that could do harm: {entry.path[:200]!r}")
    if len(entries) > MAX_FILES:
        raise refused(folder, f"it has more than {MAX_FILES} files")
    return entries


def _is_inner(path: str) -> bool:
    return all(part.lower() not in ("", ".", "..", ".git") for part in path.split("/"))


def _is_same(old: bytes, path: Path, about: os.stat_result) -> str:
    """Why a file with other bytes than `old` is the same nonetheless; empty if it is not. Raises `BadInput` for a large
    file (LFS) with other bytes than its pointer says: no patch can tell of it."""
    if (pointer := parse_pointer(path.name, old)) is not None:
        digest = hashlib.sha256()
        with path.open("rb") as f:
            while chunk := f.read(CHUNK):
                digest.update(chunk)
        if digest.hexdigest() == pointer.sha256:
            return "large file"
        raise BadInput(f"{path.name}, a large file (LFS), was changed", where=str(path), fix="commit and push it")
    if about.st_size > MAX_CHANGED:
        return ""
    new = path.read_bytes()
    plain = b"\0" not in old and new.replace(b"\r\n", b"\n") == old.replace(b"\r\n", b"\n")
    return "line endings" if plain else ""


def find_hidden_models(git: GitFolder, commit: str, look: ComparisonOptions) -> list[str]:
    """Models that lie in the working copy and that `.gitignore` names: a pack may have fetched them there."""
    files = Files(git.folder)
    hidden = []
    for path in _untracked(git, commit, look, "--ignored"):
        about = files.lstat(path.rstrip("/"))
        if about is not None and stat.S_ISREG(about.st_mode) and (why := why_left(path, about, files)) is not None:
            hidden.append(f"{path}: {why}")
    return hidden


def _untracked(git: GitFolder, commit: str, look: ComparisonOptions, *more: str) -> Iterator[str]:
    """Files that the commit does not have and no `.gitignore` names. A folder that is a repository ends in `/`."""
    index = "look"
    look.shop.must("read-tree", commit, index=index)
    options = [*more, "--exclude-per-directory=.gitignore", *(f"--exclude=/{name}" for name in look.skip)]
    excludes = git.common / "info" / "exclude"
    if excludes.is_file() and not excludes.is_symlink():
        options.append(f"--exclude-from={excludes}")
    status, output, message = look.shop.git("ls-files", "--others", "-z", *options, tree=git.folder, index=index)
    if status != 0:
        raise refused(git.folder, f"its files cannot be listed: {message[-200:]}")
    records = output.split(b"\0")[:-1]
    if len(records) > MAX_FILES:
        raise refused(git.folder, f"more than {MAX_FILES} files in it are not in git")
    for record in records:
        path = os.fsdecode(record)
        parts = path.rstrip("/").split("/")
        if "__pycache__" not in parts and not path.endswith(".pyc"):
            yield path


def _take_untracked(path: str, files: Files, bench: PatchRepository, changes: WorkingTreeChanges, prefix: str) -> None:
    about = files.lstat(path.rstrip("/"))
    name = prefix + path
    why = None if about is None else why_left(path, about, files)
    if about is None:
        return
    if why is not None:
        changes.left.append(f"{name}: {why}")
        return
    place = files.folder / path
    new = hash_entry(place, about, FILE, True)
    if new is not None:
        _keep(bench, place, about, name)
        changes.new[name] = new
        changes.present.append(name)


def _keep(bench: PatchRepository, path: Path, about: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(about.st_mode):
        bench.keep(os.fsencode(path.readlink()))
    elif about.st_size > MAX_CHANGED:
        raise _too_large(name, about.st_size, path)
    else:
        bench.keep(path.read_bytes())


def _too_large(name: str, size: int, path: Path) -> BadInput:
    return BadInput(f"{name} is too large for a patch ({size / 1e6:.0f} MB)", where=str(path), fix="put it elsewhere")


def make_patch(changes: WorkingTreeChanges, bench: PatchRepository) -> str | None:
    """The changes as a patch that was tried; None without changes. Raises `BadInput` where no patch can say them."""
    if not changes.paths:
        return None
    old, new = bench.make_tree(_sorted(changes.old), "old"), bench.make_tree(_sorted(changes.new), "new")
    patch = bench.make_patch(old, new)
    if patch is None:
        raise BadInput("its changes are too many for a patch", where=str(bench.folder), fix="commit and push them")
    if not bench.applies(patch, old, new):
        raise BadInput("its changes cannot be written as a patch", where=str(bench.folder), fix="commit and push them")
    return patch


def _sorted(blobs: Mapping[str, Blob]) -> dict[str, Blob]:
    return dict(sorted(blobs.items()))
