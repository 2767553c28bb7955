"""What a layer is made of: members (files, folders, links) with their place in the image, and the contents of files."""

import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 18
"""Bytes handled at a time: small enough to stay in a core's cache from inflating over hashing to writing."""

Chunk = bytes | memoryview


class Refused(Exception):
    """An input that must not become part of an image; the message says which and why."""


class Misrecorded(Refused):
    """The RECORD of the wheel `owner` does not describe its files."""

    def __init__(self, owner: str, why: str) -> None:
        super().__init__(f"{owner}: {why}")
        self.owner = owner


class Content(Protocol):
    """The bytes of a file. A chunk may be overwritten by the next one: use it at once."""

    @property
    def size(self) -> int: ...

    @property
    def sha256(self) -> str | None:
        """The SHA-256 the chunks are checked against while they are read, where one is known."""

    def chunks(self) -> Iterator[Chunk]: ...


@dataclass(frozen=True)
class Text:
    """Bytes held in memory."""

    data: bytes
    sha256: None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[Chunk]:
        yield self.data


@dataclass(frozen=True)
class OnDisk:
    """A file on the disk."""

    path: Path
    size: int
    sha256: None = None

    def chunks(self) -> Iterator[Chunk]:
        buffer = memoryview(bytearray(min(self.size, CHUNK)))
        left = self.size
        with self.path.open("rb", buffering=0) as f:
            while left:
                n = f.readinto(buffer[:left])
                if not n:
                    raise Refused(f"{self.path} became shorter while it was read")
                left -= n
                yield buffer[:n]


@dataclass(frozen=True)
class Member:
    """One entry of a layer. `path` is relative to the image's root; a file has a `content`, a link a `target`."""

    path: str
    owner: str
    content: Content | None = field(default=None, compare=False)
    target: str | None = None
    mode: int = 0o755
    uid: int = 0
    gid: int = 0

    @property
    def is_folder(self) -> bool:
        return self.content is None and self.target is None


def read(content: Content) -> bytes:
    """All of the content; meant for files of a size one would open in an editor."""
    return b"".join(bytes(c) for c in content.chunks())


def digest(content: Content) -> str:
    """SHA-256 of the content, in hexadecimal."""
    h = hashlib.sha256()
    for chunk in content.chunks():
        h.update(chunk)
    return h.hexdigest()


def safe_path(path: str, owner: str) -> str:
    """`path` itself if it is relative, normalised and stays below its root. Raises `Refused` otherwise."""
    if (
        not path
        or path.startswith("/")
        or posixpath.normpath(path) != path
        or path.split("/")[0] == ".."
        or any(ord(c) < 32 or c == "\\" for c in path)
    ):
        raise Refused(f"{owner}: the path {path!r} is not a plain relative path")
    return path


def tree(root: Path, prefix: str, owner: str) -> Iterator[Member]:
    """The folder `root` as members below `prefix`. Only the executable bit of modes counts."""
    for folder, names, files in os.walk(root):
        below = Path(folder).relative_to(root).as_posix()
        at = posixpath.normpath(posixpath.join(prefix, below))
        if at != ".":
            yield Member(at, owner)
        for name in sorted([*names, *files]):
            path = Path(folder, name)
            to = posixpath.normpath(posixpath.join(at, name))
            if path.is_symlink():
                yield Member(to, owner, target=str(path.readlink()), mode=0o777)
            elif not path.is_dir():
                stat = path.stat()
                yield Member(to, owner, OnDisk(path, stat.st_size), mode=0o755 if stat.st_mode & 0o100 else 0o644)


def arrange(members: Iterable[Member]) -> list[Member]:
    """Sorted by path, with every parent folder, each path once.

    Two owners may ship the same file if the bytes are the same (namespace packages do); different bytes are refused,
    and so is a path that is a folder for one owner and a file for another.
    """
    placed: dict[str, Member] = {}
    for member in members:
        other = placed.get(member.path)
        if other is None or (other.is_folder and member.is_folder and other.owner == ""):
            placed[member.path] = member
        elif not (other.is_folder and member.is_folder) and not _same(other, member):
            raise Refused(f"{other.owner} and {member.owner} both ship {member.path}, with different contents")
        for parent in parents(member.path):
            there = placed.setdefault(parent, Member(parent, ""))
            if not there.is_folder:
                raise Refused(f"{there.owner} ships {parent} as a file, {member.owner} as a folder")
    return [placed[path] for path in sorted(placed)]


def parents(path: str) -> Iterator[str]:
    """The folders that `path` is in, the innermost first."""
    while path := posixpath.dirname(path):
        yield path


def _same(one: Member, two: Member) -> bool:
    if one.target != two.target or one.mode != two.mode:
        return False
    if one.content is None or two.content is None:
        return one.content is two.content
    return one.content.size == two.content.size and digest(one.content) == digest(two.content)
