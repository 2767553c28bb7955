"""Read and write the files of a commit from git's objects: the same on every machine, and never outside the folder.

git checks nothing out, so filters, attributes and line endings change nothing, and no untrusted program runs.
"""

import os
import posixpath
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pycomfy.adapters.git.lfs import MAX_POINTER, Pointer, fetch_large, parse_pointer
from pycomfy.adapters.git.mirror import GitMirror, GitObjects
from pycomfy.adapters.io.atomic_files import find_escaping_link, translate_disk_full
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.sentences import join_lines
from pycomfy.errors import BadConfig, PycomfyError, Unresolved
from pycomfy.operation import cancel_scope

MAX_FILES = 100_000
MAX_BYTES = 8 << 30
MAX_TEXT = 2 << 20
MAX_SUBMODULE_DEPTH = 4
MAX_DEPTH = 200
"""Nested folders; git and Nix enter them by recursion."""

FILE, PROGRAM, GROUP_FILE, LINK, SUBMODULE = "100644", "100755", "100664", "120000", "160000"
"""git's modes; the third is in old repositories and means the first."""

_WITHOUT = "take a commit or a fork without it, or copy the files and name the copy: path = …"


class Entry(NamedTuple):
    """One file, link or submodule of a commit. `object` is a blob's hash, or a submodule's commit."""

    path: str
    mode: str
    object: str
    size: int

    @property
    def is_file(self) -> bool:
        return self.mode in (FILE, PROGRAM, GROUP_FILE)


def list_entries(repository: GitMirror, commit: str) -> tuple[Entry, ...]:
    """Return all entries of `commit`, which must have been fetched. Raises `Unresolved` for harmful paths."""
    with repository.objects() as objects:
        _check_extent(repository, objects, commit)
    done = repository.git("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    if done.status != 0:
        raise _refused(repository, f"commit {commit} cannot be listed: {join_lines(done.message)}")
    entries = parse_entries(done.output)
    _check_entries(repository, entries)
    return tuple(entries)


def parse_entries(output: bytes) -> list[Entry]:
    """Parse the output of `git ls-tree -r -z -l`."""
    entries = []
    for record in output.split(b"\0")[:-1]:
        head, _, path = record.partition(b"\t")
        mode, _, object_, size = head.decode().split()
        entries.append(Entry(os.fsdecode(path), mode, object_, 0 if size == "-" else int(size)))
    return entries


def read_tree(repository: GitMirror, commit: str, selected: Callable[[str], bool]) -> Mapping[str, bytes]:
    """Return the content of the files whose path is `selected`, by path; no links, none larger than `MAX_TEXT`."""
    entries = list_entries(repository, commit)
    chosen = [e for e in entries if e.is_file and e.size <= MAX_TEXT and selected(e.path)]
    with repository.objects() as objects:
        return {e.path: objects.read(e.object) for e in chosen}


class CheckoutResult(NamedTuple):
    """Whether a tree has submodules, and large files (LFS) instead of their pointers."""

    submodules: bool
    lfs: bool


def write_tree(
    repository: GitMirror, commit: str, out: Path, *, lfs: bool = True, submodules: bool = True
) -> CheckoutResult:
    """Write the files of `commit` into the empty folder `out`, with `lfs` large files instead of their pointers.
    Without `submodules`, their folders stay empty.

    Links and executable bits are kept. Raises `Unresolved` for links and submodules that point outside the tree, and
    raises as `fetch_large`.
    """
    with translate_disk_full(out):
        written = _write(repository, commit, out, _Options(lfs, submodules))
    _check_links(repository, out)
    return written


class _Options(NamedTuple):
    """Whether large files and submodules are fetched; how deeply nested a submodule is."""

    lfs: bool
    submodules: bool
    depth: int = 0


def _write(repository: GitMirror, commit: str, out: Path, options: _Options) -> CheckoutResult:
    entries = list_entries(repository, commit)
    submodules = _read_submodules(repository, entries) if options.submodules else {}
    filled, large = False, False
    pointers: list[Pointer] = []
    with repository.objects() as objects:
        lfs = options.lfs and _uses_lfs(objects, entries)
        for entry in entries:
            cancel_scope().check()
            to = out / entry.path
            to.parent.mkdir(parents=True, exist_ok=True)
            if entry.mode == SUBMODULE:
                to.mkdir()
                if entry.path in submodules:
                    inner = _write_submodule(repository, submodules[entry.path], entry, to, options)
                    filled, large = True, large or inner.lfs
            elif entry.mode == LINK:
                to.symlink_to(os.fsdecode(objects.read(entry.object)))
            else:
                if lfs and entry.size <= MAX_POINTER:
                    pointer = parse_pointer(entry.path, objects.read(entry.object))
                    if pointer is not None:
                        pointers.append(pointer)
                        continue
                objects.write(entry.object, to)
                to.chmod(0o755 if entry.mode == PROGRAM else 0o644)
    _write_large(repository, pointers, entries, out)
    return CheckoutResult(filled, large or bool(pointers))


def _uses_lfs(objects: GitObjects, entries: tuple[Entry, ...]) -> bool:
    """Return whether the repository has files in LFS: in any other, what looks like a pointer is a text."""
    attributes = [e for e in entries if e.is_file and e.path.rsplit("/", 1)[-1] == ".gitattributes"]
    return any(e.size <= MAX_TEXT and b"filter=lfs" in objects.read(e.object) for e in attributes)


def _write_large(repository: GitMirror, pointers: list[Pointer], entries: tuple[Entry, ...], out: Path) -> None:
    if not pointers:
        return
    if sum(p.size for p in pointers) > MAX_BYTES:
        raise _refused(repository, f"its large files (LFS) have more than {MAX_BYTES >> 30} GiB")
    modes = {e.path: e.mode for e in entries}
    files = fetch_large(repository, pointers)
    for pointer in pointers:
        shutil.copyfile(files[pointer.sha256], out / pointer.path)
        (out / pointer.path).chmod(0o755 if modes[pointer.path] == PROGRAM else 0o644)


def _read_submodules(repository: GitMirror, entries: tuple[Entry, ...]) -> Mapping[str, str]:
    """Return the addresses of the commit's submodules by path. One that `.gitmodules` lacks stays empty, as in git."""
    paths = {e.path for e in entries if e.mode == SUBMODULE}
    listed = next((e for e in entries if e.path == ".gitmodules" and e.is_file), None)
    if not paths or listed is None:
        return {}
    if listed.size > MAX_TEXT:
        raise _refused(repository, ".gitmodules is too large")
    done = repository.git("config", "--blob", listed.object, "--no-includes", "-z", "--list")
    if done.status != 0:
        raise _refused(repository, f".gitmodules cannot be read: {join_lines(done.message)}")
    sections: dict[str, dict[str, str]] = {}
    for record in done.output.decode(errors="replace").split("\0")[:-1]:
        key, _, value = record.partition("\n")
        if match := re.fullmatch(r"submodule\.(.+)\.(path|url)", key, flags=re.DOTALL):
            sections.setdefault(match[1], {})[match[2]] = value
    return {
        section["path"]: _submodule_url(repository, section["path"], section["url"])
        for section in sections.values()
        if section.get("path") in paths and "url" in section
    }


def _submodule_url(repository: GitMirror, path: str, url: str) -> str:
    """Return a submodule's address, which may be relative to its repository's. An untrusted one must not point to this
    machine."""
    if not url.startswith(("./", "../")):
        if parse_git_url(url, where=f"submodule {path} of {repository.owner}").local:
            raise _refused(repository, f"submodule {path} has a local address: {url}")
        return url
    head, separator, tail = repository.address.url.partition("://")
    joined = posixpath.normpath(posixpath.join(tail if separator else head, url))
    address = f"{head}://{joined}" if separator else joined
    if joined.startswith("..") or not _is_beside(repository, address):
        raise _refused(repository, f"submodule {path} has the address {url}, which is not on the same server")
    return address


def _is_beside(repository: GitMirror, address: str) -> bool:
    """Return whether an address relative to a repository's is on the same server, and above all not on this machine."""
    own = repository.address
    if own.local:
        return True
    try:
        other = parse_git_url(address)
    except BadConfig:
        return False
    return not other.local and other.identity.partition("/")[0] == own.identity.partition("/")[0]


def _write_submodule(repository: GitMirror, url: str, entry: Entry, to: Path, options: _Options) -> CheckoutResult:
    if options.depth >= MAX_SUBMODULE_DEPTH:
        raise _refused(repository, f"submodule {entry.path} is nested more than {MAX_SUBMODULE_DEPTH} deep")
    inner = GitMirror(url, owner=repository.owner, cache=repository.cache)
    try:
        inner.fetch(entry.object)
    except PycomfyError as e:
        # The cause is the submodule's, but the fix has to be made in the pack.
        beside = f'below [packs.{repository.owner}] in pycomfy.toml, beside git = "{repository.address.public}"'
        alone = f"leave its submodules out, {beside}: submodules = false"
        e.what, e.fixes = f"{e.what} (its submodule {entry.path})", (alone, _WITHOUT, *e.fixes)
        raise
    return _write(inner, entry.object, to, options._replace(depth=options.depth + 1))


def _check_extent(repository: GitMirror, objects: GitObjects, commit: str) -> None:
    """Refuse a tree with too many files before git lists them: ten folders within ten others, ten times over, are a few
    kilobytes. Each folder is read once, however often it occurs."""
    found = re.match(rb"tree ([0-9a-f]{40})\n", objects.read(commit))
    if found is None:
        raise _refused(repository, f"commit {commit} has no tree")
    top = found[1].decode()
    folders: dict[str, tuple[list[str], int]] = {}
    extents: dict[str, tuple[int, int]] = {}  # of a folder: the files in it, and the depth of its folders
    waiting = [top]
    while waiting:
        tree = waiting[-1]
        if tree not in folders:
            folders[tree] = _read_folder(repository, objects, tree)
        inner, files = folders[tree]
        if unknown := [f for f in inner if f not in extents]:
            waiting.extend(dict.fromkeys(unknown))
            continue
        known = [extents[f] for f in inner]
        extents[tree] = files + sum(n for n, _ in known), 1 + max((d for _, d in known), default=0)
        waiting.pop()
        if extents[tree][0] > MAX_FILES or len(extents) > MAX_FILES:
            raise _refused(repository, f"it has more than {MAX_FILES} files")
        if extents[tree][1] > MAX_DEPTH:
            raise _refused(repository, f"it has more than {MAX_DEPTH} nested folders")


def _read_folder(repository: GitMirror, objects: GitObjects, tree: str) -> tuple[list[str], int]:
    """Return the folders in a tree object, each as often as it occurs, and the number of its other entries."""
    data, at = objects.read(tree), 0
    folders: list[str] = []
    others = 0
    while at < len(data):
        end = data.find(b"\0", at)
        if end < 0:
            raise _refused(repository, f"the object {tree} is not a tree")
        if data[at:end].partition(b" ")[0].lstrip(b"0") == b"40000":
            folders.append(data[end + 1 : end + 21].hex())
        else:
            others += 1
        at = end + 21
    return folders, others


def _check_entries(repository: GitMirror, entries: list[Entry]) -> None:
    if len(entries) > MAX_FILES or sum(e.size for e in entries) > MAX_BYTES:
        raise _refused(repository, f"it has more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB")
    paths = {e.path for e in entries}
    for entry in entries:
        if any(_is_deceptive(part) for part in entry.path.split("/")):
            raise _refused(repository, f"it has a file named {entry.path[:200]!r}")
        if len(os.fsencode(entry.path)) > 2000:
            raise _refused(repository, f"the path {entry.path[:100]!r}… is too long")
        if entry.mode not in (FILE, PROGRAM, GROUP_FILE, LINK, SUBMODULE):
            raise _refused(repository, f"{entry.path} is neither file nor link")
        if entry.mode == LINK and entry.size > 4000:
            raise _refused(repository, f"the link {entry.path} is too long")
        if any(str(parent) in paths for parent in PurePosixPath(entry.path).parents):
            raise _refused(repository, f"{entry.path} is in a folder that is a file or link as well")
    if len(paths) != len(entries):
        raise _refused(repository, "it has two files of the same name")


# Characters that other file systems leave out of names.
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def _is_deceptive(name: str) -> bool:
    """Return whether a name means another folder, or git's own one on some file system, or deceives its reader."""
    plain = _INVISIBLE.sub("", name).partition(":")[0].rstrip(" .").lower()
    control = any(ord(c) < 32 or ord(c) == 127 for c in name)
    return control or name in ("", ".", "..") or plain in (".git", "git~1") or len(os.fsencode(name)) > 255


def _check_links(repository: GitMirror, out: Path) -> None:
    """Refuse links to outside the tree. Where a link points depends on others: so all are followed, as written."""
    link = find_escaping_link(out)
    if link is not None:
        raise _refused(repository, f"the link {link.relative_to(out)} points outside the tree, to {link.readlink()}")


def _refused(repository: GitMirror, why: str) -> Unresolved:
    return Unresolved(
        f"{repository.owner}: the git repository is refused: {why}",
        where=repository.address.public,
        fix=_WITHOUT,
    )
