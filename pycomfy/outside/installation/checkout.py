"""What differs in a working copy from a commit: as a patch, made of git's objects and the files that are there."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.errors import BadInput
from pycomfy.flow.needs.models import is_model_file
from pycomfy.outside.gittree import FILE, GROUP_FILE, LINK, MOST_FILES, PROGRAM, SUBMODULE, Entry
from pycomfy.outside.installation.repository import GitFolder, borrow, find_git, read_head, read_settings, refused
from pycomfy.outside.patch import Workshop

MOST_CHANGED = 16 << 20
"""Bytes of a changed file that a patch is made of."""

SMALL_MODEL = 1 << 20
"""What is called like a model and is no larger may well be a part of the code."""

_LFS = re.compile(rb"version https://git-lfs\S*\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n")
_MOST_POINTER = 1024
_CHUNK = 1 << 20

Blob = tuple[str, str]
"""git's mode, and the object's hash."""


@dataclass
class Changes:
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
class Look:
    """How to look at a working copy: `shop` borrows its objects, `bench` gets the files that differ, old and new. What
    is at its top and called as in `skip` is not the code's; the repositories of submodules may lie in `inside`."""

    shop: Workshop
    bench: Workshop
    inside: Sequence[Path] = ()
    skip: Sequence[str] = ()


def find_changes(git: GitFolder, commit: str, look: Look) -> Changes:
    """Compare the files of a working copy with `commit`, whose objects `look.shop` has. Raises `BadInput`."""
    changes = Changes()
    _compare(git, commit, look, changes, "")
    return changes


def _compare(git: GitFolder, commit: str, look: Look, changes: Changes, prefix: str) -> None:
    if prefix.count("/") > 8:
        raise refused(git.folder, "its submodules are nested too deeply")
    entries = _list_entries(git.folder, commit, look.shop)
    modes = read_settings(git, look.shop).get("core.filemode", "true") != "false"
    files = Files(git.folder)
    endings = 0
    for entry in entries:
        path, name = git.folder / entry.path, prefix + entry.path
        if entry.mode == SUBMODULE:
            _compare_submodule(git.folder / entry.path, entry, look, changes, name)
            continue
        about = files.lstat(entry.path)
        old = ("100644" if entry.mode == GROUP_FILE else entry.mode, entry.object)
        new = None if about is None else _hash_entry(path, about, old[0], modes)
        if new is not None:
            changes.present.append(name)
        if new == old:
            continue
        if new is not None and about is not None and new[0] == old[0] != LINK:
            same = _is_same(look.shop, entry, path, about)
            endings += same == "line endings"
            if same == "lfs":
                changes.notes.append(f"{name} is kept in Git LFS: the commit itself has only a pointer to it")
            if same:
                continue
        changes.old[name] = old
        look.bench.keep(_read_blob(look.shop, entry, path))
        if new is not None and about is not None:
            _keep(look.bench, path, about, name)
            changes.new[name] = new
    if endings:
        changes.notes.append(f"{endings} files differ in nothing but line endings, and are taken as in the commit")
    tracked = {e.path for e in entries}
    for found in _untracked(git, commit, look):
        if found not in tracked:
            _take_untracked(found, files, look.bench, changes, prefix)


def _compare_submodule(folder: Path, entry: Entry, look: Look, changes: Changes, name: str) -> None:
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
    _compare(inner, entry.object, Look(look.shop, look.bench, look.inside), changes, name + "/")


def _list_entries(folder: Path, commit: str, shop: Workshop) -> list[Entry]:
    status, output, message = shop.git("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    if status != 0:
        raise refused(folder, f"its commit {commit[:10]} cannot be read: {message[-200:]}")
    entries = []
    for record in output.split(b"\0")[:-1]:
        head, _, path = record.partition(b"\t")
        mode, _, object_, size = head.decode().split()
        entry = Entry(os.fsdecode(path), mode, object_, 0 if size == "-" else int(size))
        if entry.mode not in (FILE, PROGRAM, GROUP_FILE, LINK, SUBMODULE) or not _is_inner(entry.path):
            raise refused(folder, f"it has an entry that could do harm: {entry.path[:200]!r}")
        entries.append(entry)
    if len(entries) > MOST_FILES:
        raise refused(folder, f"it has more than {MOST_FILES} files")
    return entries


def _is_inner(path: str) -> bool:
    return all(part.lower() not in ("", ".", "..", ".git") for part in path.split("/"))


class Files:
    """Files of a folder, never through a link that one of their parents is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plain: dict[str, bool] = {"": True}

    def lstat(self, path: str) -> os.stat_result | None:
        """What is at `path`; None for nothing, and for what lies behind a link."""
        if not self._is_plain(path.rpartition("/")[0]):
            return None
        try:
            return os.lstat(self.folder / path)
        except (OSError, ValueError):
            return None

    def _is_plain(self, folder: str) -> bool:
        if folder not in self._plain:
            about = self.lstat(folder)
            self._plain[folder] = about is not None and stat.S_ISDIR(about.st_mode)
        return self._plain[folder]

    def leads_out(self, path: str) -> bool:
        """Whether the link at `path` leads out of the folder."""
        target = str((self.folder / path).readlink())
        real = os.path.realpath(self.folder / path)
        return target.startswith("/") or not Path(real).is_relative_to(os.path.realpath(self.folder))


def _hash_entry(path: Path, about: os.stat_result, expected: str, modes: bool) -> Blob | None:
    """A file as git would have it; None for what git has no place for. Where modes are not kept (`modes`), they are as
    expected."""
    try:
        if stat.S_ISLNK(about.st_mode):
            return LINK, _hash_blob(os.fsencode(path.readlink()))
        if not stat.S_ISREG(about.st_mode):
            return None
        mode = PROGRAM if about.st_mode & 0o100 else FILE
        if not modes and expected in (FILE, PROGRAM):
            mode = expected
        digest = _header(about.st_size)
        with path.open("rb") as f:
            while chunk := f.read(_CHUNK):
                digest.update(chunk)
        return mode, digest.hexdigest()
    except OSError as e:
        raise BadInput(f"it cannot be read: {e.strerror}", where=str(path), fix="make it readable") from e


def _is_same(shop: Workshop, entry: Entry, path: Path, about: os.stat_result) -> str:
    """Why a file with other bytes is the same nonetheless; empty if it is not."""
    if max(about.st_size, entry.size) > MOST_CHANGED and entry.size > _MOST_POINTER:
        return ""
    old = _read_blob(shop, entry, path)
    if pointer := _LFS.match(old):
        digest = hashlib.sha256()
        with path.open("rb") as f:
            while chunk := f.read(_CHUNK):
                digest.update(chunk)
        if digest.hexdigest().encode() == pointer[1]:
            return "lfs"
    if about.st_size > MOST_CHANGED:
        return ""
    new = path.read_bytes()
    plain = b"\0" not in old and new.replace(b"\r\n", b"\n") == old.replace(b"\r\n", b"\n")
    return "line endings" if plain else ""


def _untracked(git: GitFolder, commit: str, look: Look) -> Iterator[str]:
    """Files that the commit does not have and no `.gitignore` names. A folder that is a repository ends in `/`."""
    index = "look"
    look.shop.must("read-tree", commit, index=index)
    options = ["--exclude-per-directory=.gitignore", *(f"--exclude=/{name}" for name in look.skip)]
    excludes = git.common / "info" / "exclude"
    if excludes.is_file() and not excludes.is_symlink():
        options.append(f"--exclude-from={excludes}")
    status, output, message = look.shop.git("ls-files", "--others", "-z", *options, tree=git.folder, index=index)
    if status != 0:
        raise refused(git.folder, f"its files cannot be listed: {message[-200:]}")
    records = output.split(b"\0")[:-1]
    if len(records) > MOST_FILES:
        raise refused(git.folder, f"more than {MOST_FILES} files in it are not in git")
    for record in records:
        path = os.fsdecode(record)
        parts = path.rstrip("/").split("/")
        if "__pycache__" not in parts and not path.endswith(".pyc"):
            yield path


def _take_untracked(path: str, files: Files, bench: Workshop, changes: Changes, prefix: str) -> None:
    about = files.lstat(path.rstrip("/"))
    name = prefix + path
    why = None if about is None else why_left(path, about, files)
    if about is None:
        return
    if why is not None:
        changes.left.append(f"{name}: {why}")
        return
    place = files.folder / path
    new = _hash_entry(place, about, FILE, True)
    if new is not None:
        _keep(bench, place, about, name)
        changes.new[name] = new
        changes.present.append(name)


def why_left(path: str, about: os.stat_result, files: Files) -> str | None:
    """Why a file that is there is left out; None if it is not."""
    if path.endswith("/"):
        return "a git repository of its own"
    if stat.S_ISLNK(about.st_mode):
        return "a link that leads out of the folder" if files.leads_out(path) else None
    if not stat.S_ISREG(about.st_mode):
        return "neither file nor link"
    if is_model_file(path) and about.st_size > SMALL_MODEL:
        return f"a model ({about.st_size / 1e6:.0f} MB)"
    return None


def _read_blob(shop: Workshop, entry: Entry, path: Path) -> bytes:
    """A file as the commit has it. Raises `BadInput` if it is too large for a patch, or not there."""
    if entry.size > MOST_CHANGED:
        raise _too_large(entry.path, entry.size, path)
    status, data, _ = shop.git("cat-file", "blob", entry.object)
    if status != 0:
        raise BadInput(f"{entry.path} of the commit is not there", where=str(path), fix="git fetch --refetch")
    return data


def _keep(bench: Workshop, path: Path, about: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(about.st_mode):
        bench.keep(os.fsencode(path.readlink()))
    elif about.st_size > MOST_CHANGED:
        raise _too_large(name, about.st_size, path)
    else:
        bench.keep(path.read_bytes())


def _too_large(name: str, size: int, path: Path) -> BadInput:
    return BadInput(f"{name} is too large for a patch ({size / 1e6:.0f} MB)", where=str(path), fix="put it elsewhere")


def _hash_blob(data: bytes) -> str:
    digest = _header(len(data))
    digest.update(data)
    return digest.hexdigest()


def _header(size: int) -> "hashlib._Hash":
    """git's name of a file is a hash of its size and its bytes."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def make_patch(changes: Changes, bench: Workshop) -> str | None:
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
