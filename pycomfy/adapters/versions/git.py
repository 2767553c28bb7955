"""The bare repository of the versions repository: refs and objects, and one writer at a time."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pycomfy.adapters.git.runner import GitRefused, GitRunner
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.errors import BadInput, suggest
from pycomfy.operation import cancel_scope

ZERO = "0" * 40
"""git's id of no object: as a ref's old value, it says that the ref must not exist."""

_SETTINGS = (
    ("core.fsync", "all"),
    ("core.filesRefLockTimeout", "2000"),  # milliseconds
    ("core.packedRefsTimeout", "5000"),
    ("transfer.fsckObjects", "true"),
)
_ESCAPED = "surrogateescape"
_STALE = 2.0  # seconds; git holds the lock of a ref for milliseconds, and pycomfy's own lock keeps others out


class Entry(NamedTuple):
    """A file of a tree."""

    path: str
    mode: str
    blob: str
    size: int


class BareRepository(GitRunner):
    """The bare repository at `path`. `writing` makes it if it is missing; reading one that is missing finds nothing."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.absolute(), _SETTINGS)

    @property
    def exists(self) -> bool:
        return (self.path / "HEAD").exists()

    # — reading —

    def resolve(self, revision: str) -> str | None:
        """Return the commit that `revision` names (a full ref, or a commit, perhaps abbreviated); None without any."""
        if not self.exists:
            return None
        status, output, _ = self.run("rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        return output.decode().strip() if status == 0 else None

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Return the object of every ref below `prefixes`, by full name, sorted."""
        if not self.exists:
            return {}
        output = self.must("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
        # Not every ref has a name in UTF-8, and some have other line breaks in it.
        lines = output.decode("utf-8", _ESCAPED).split("\n")[:-1]
        return {name: object_ for object_, name in (line.split(" ", 1) for line in lines)}

    def list_tree(self, commit: str) -> list[Entry]:
        """Return every file of a commit or tree, also those in its folders. Raises `BadInput` for links."""
        entries = []
        for line in self.must("ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            name = path.decode("utf-8", _ESCAPED)
            mode, kind, blob, size = about.decode().split()
            if kind != "blob" or mode == "120000":
                raise BadInput(f"{name!r} is not a file", where=f"commit {commit}", fix="take another version")
            entries.append(Entry(name, mode, blob, int(size)))
        return entries

    def list_objects(self, commit: str) -> tuple[dict[str, str], set[str]]:
        """Return the objects of a commit: those of its files by path, and all of them, folders too."""
        files, all_ = {}, set()
        for line in self.must("ls-tree", "-r", "-t", "-z", "--full-tree", commit).split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            _, kind, id_ = about.decode().split()
            all_.add(id_)
            if kind != "tree":
                files[path.decode("utf-8", _ESCAPED)] = id_
        return files, all_

    def read_blobs(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of blobs by id, or of files as `COMMIT:PATH`, through one git. What is missing, or not a
        blob, is left out."""
        unique = list(dict.fromkeys(n for n in names if "\n" not in n))
        if not unique:
            return {}
        output = self.must("cat-file", "--batch", stdin="".join(f"{n}\n" for n in unique).encode("utf-8", _ESCAPED))
        found, at = {}, 0
        for name in unique:
            end = output.index(b"\n", at)
            header = output[at:end].decode("utf-8", _ESCAPED).removeprefix(name).split()
            if header and header[-1] == "missing":
                at = end + 1
                continue
            size = int(header[-1])
            if header[-2] == "blob":
                found[name] = output[end + 1 : end + 1 + size]
            at = end + 1 + size + 1
        return found

    def blob_ids(self, names: Sequence[str]) -> dict[str, str]:
        """Return the ids of files, named as `COMMIT:PATH`, through one git. What is missing, or not a blob, is left
        out."""
        if not names:
            return {}
        command = ("cat-file", "--batch-check=%(objectname) %(objecttype)")
        lines = (
            self.must(*command, stdin="\n".join(names).encode("utf-8", _ESCAPED))
            .decode("utf-8", _ESCAPED)
            .split("\n")[:-1]
        )
        return {name: line.split()[0] for name, line in zip(names, lines, strict=True) if line.endswith(" blob")}

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether `commit` is `of`, or one of its ancestors."""
        return self.run("merge-base", "--is-ancestor", commit, of).status == 0

    def find_merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits, None without any."""
        done = self.run("merge-base", one, other)
        return done.output.decode().split()[0] if done.status == 0 else None

    def check(self) -> list[str]:
        """Return what is missing of what refs need, as git says it, a line each: first the objects, then what refers to
        them. The bytes of files are not read."""
        status, output, message = self.run("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        lines = [*output.decode(errors="replace").splitlines(), *message.splitlines()]
        if status == 0:
            return []
        return sorted(lines, key=lambda line: "missing" not in line) or [f"git fsck: exit status {status}"]

    # — writing —

    @contextlib.contextmanager
    def writing(self, *, create: bool = True) -> Iterator[None]:
        """Let one process of pycomfy at a time run the block. A repository that is missing is created; without `create`
        it is not, and the block runs all the same, where it finds nothing to change."""
        if not create and not self.exists:
            yield
            return
        with translate_disk_full(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(self.path.with_suffix(".lock")):
                if not self.exists:
                    self._make()
                yield

    def update_refs(self, *changes: tuple[str, str, str]) -> None:
        """Change refs, all or none: (ref, new, old), `ZERO` for one that is not to be. Raises `GitRefused` if a ref is
        not `old` any more, as when someone else's git pushed."""
        lines = "".join(
            f"delete {ref} {old}\n" if new == ZERO else f"update {ref} {new} {old}\n" for ref, new, old in changes
        )
        script = f"start\n{lines}commit\n".encode("utf-8", _ESCAPED)
        until = time.monotonic() + 2 * _STALE
        while True:
            status, _, message = self.run("update-ref", "--stdin", stdin=script)
            if status == 0:
                return
            if ".lock" not in message or time.monotonic() > until:
                what = f"the versions repository was changed meanwhile: {message}"
                raise GitRefused(what, where=str(self.path), fix=suggest("retry"))
            self._remove_stale_locks()
            cancel_scope().wait(0.1)

    def _remove_stale_locks(self) -> None:
        """Remove what a killed git left: nobody else does, and every later change would fail."""
        for lock in (self.path / "packed-refs.lock", self.path / "HEAD.lock", *self.path.glob("refs/**/*.lock")):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > _STALE:
                    lock.unlink()

    def _make(self) -> None:
        with temporary_folder(self.path.parent, f".{self.path.name}.") as folder:
            new = BareRepository(folder / "new")
            new.must("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(new.path))
            # For whoever pushes into it with git: versions are not to be rewritten.
            new.must("config", "receive.denyNonFastForwards", "true")
            new.must("config", "receive.fsckObjects", "true")
            if self.path.exists():  # something else made it, and it is not a repository
                self.path.rename(folder / "old")
            new.path.rename(self.path)
