"""Write commits straight into git's object database, through GitPython: without an index, without a working tree."""

import contextlib
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from pycomfy.adapters.git.environment import load_gitpython
from pycomfy.adapters.versions.git import BareRepository
from pycomfy.errors import BadInput

_FILE, _FOLDER = 0o100644, 0o040000
_PART = re.compile(r"[^/\x00-\x1f\\]{1,255}")

Folder = dict[str, "bytes | Folder"]


@contextlib.contextmanager
def open_writer(bare: BareRepository) -> Iterator["Writer"]:
    """Write objects into the repository, which must exist."""
    with bare.open_repo() as repo:
        yield Writer(bare, repo)


@dataclass(frozen=True)
class NewCommit:
    """What a commit is made of. `author` is "Name <email>", None for whom git's settings name."""

    tree: str
    parents: tuple[str, ...]
    message: str
    author: str | None
    created_at: datetime


class Writer:
    """Writes objects, each a `git hash-object`: only what is not known to be there should be written. git itself brings
    each to the disk, before anything can point at it."""

    def __init__(self, bare: BareRepository, repo: Any) -> None:
        self._bare = bare
        self._repo = repo

    def write_tree(self, files: Mapping[str, bytes], known: Collection[str] = ()) -> str:
        """Write `files`, none of them executable; return their tree. Objects in `known` are there already."""
        root: Folder = {}
        for path, data in files.items():
            *folders, name = _check_path(path)
            folder = root
            for part in folders:
                inner = folder.setdefault(part, {})
                if not isinstance(inner, dict):
                    raise _one_name(path)
                folder = inner
            if name in folder:
                raise _one_name(path)
            folder[name] = data
        return self._write_folder(root, known)

    def write_blob(self, data: bytes, known: Collection[str] = ()) -> str:
        """Write a file's bytes; return the object's id."""
        return self._write(b"blob", data, known)

    def write_commit(self, new: NewCommit) -> str:
        """Write a commit; return its id."""
        git = load_gitpython()
        repo = self._repo
        author = _actor(new.author) if new.author else _own(git, repo)
        when = f"{int(new.created_at.timestamp())} +0000"
        made = git.Commit.create_from_tree(
            repo,
            git.Tree(repo, bytes.fromhex(new.tree)),
            _plain(new.message),
            parent_commits=[git.Commit(repo, bytes.fromhex(p)) for p in new.parents],
            head=False,
            author=author,
            committer=author,
            author_date=when,
            commit_date=when,
        )
        return str(made.hexsha)

    def _write_folder(self, folder: Folder, known: Collection[str]) -> str:
        from git.objects.fun import tree_to_stream

        entries = []
        # git's order: a folder sorts as if its name ended in a slash.
        for name in sorted(folder, key=lambda n: (n + "/" if isinstance(folder[n], dict) else n).encode()):
            value = folder[name]
            if isinstance(value, dict):
                entries.append((bytes.fromhex(self._write_folder(value, known)), _FOLDER, name))
            else:
                entries.append((bytes.fromhex(self.write_blob(value, known)), _FILE, name))
        stream = BytesIO()
        tree_to_stream(entries, stream.write)
        return self._write(b"tree", stream.getvalue(), known)

    def _write(self, kind: bytes, data: bytes, known: Collection[str]) -> str:
        id_ = object_id(kind, data)
        if id_ not in known and not self._path(id_).exists():
            from gitdb import IStream  # type: ignore[import-untyped]

            self._repo.odb.store(IStream(kind, len(data), BytesIO(data)))
        return id_

    def _path(self, id_: str) -> Path:
        """Return where an object lies that is in no pack."""
        return self._bare.path / "objects" / id_[:2] / id_[2:]


def object_id(kind: bytes, data: bytes) -> str:
    """Return git's id of an object."""
    return hashlib.sha1(kind + b" %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _one_name(path: str) -> BadInput:
    return BadInput("a file and a folder have the same name", where=path, fix="rename one")


def _check_path(path: str) -> list[str]:
    parts = path.split("/")
    if len(path) > 1000 or any(
        _PART.fullmatch(part) is None or part in (".", "..") or part.lower() == ".git" for part in parts
    ):
        raise BadInput(f"{path!r} cannot be the path of a file in a version", where="the project", fix="rename it")
    return parts


def _actor(text: str) -> Any:
    git = load_gitpython()
    name, _, email = text.partition("<")
    return git.Actor(_plain_name(name) or "unknown", _plain_name(email))


def _own(git: Any, repo: Any) -> Any:
    """Return whom git's settings name, else this machine's user."""
    with repo.config_reader() as settings:
        actor = git.Actor.author(settings)
    return git.Actor(_plain_name(actor.name or "") or "unknown", _plain_name(actor.email or ""))


def _plain_name(text: str) -> str:
    """Remove what would end the line or the name in a commit."""
    return re.sub(r"[<>\x00-\x1f]", "", text).encode("utf-8", "replace").decode().strip()[:200]


def _plain(message: str) -> str:
    return message.replace("\0", "").encode("utf-8", "replace").decode().strip() + "\n"
