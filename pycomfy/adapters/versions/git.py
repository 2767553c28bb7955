"""The library's bare repository: git called on it, and one writer at a time.

Nothing of it is run: no hooks, no filters, no helper programs. What is pulled into it was written by others.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pycomfy.adapters.git.runner import GitRefused, GitRunner
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.errors import BadInput
from pycomfy.operation import cancel_scope

ZERO = "0" * 40
"""git's word for "no such object": as a ref's old value, the ref must not exist."""

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
        """The commit that `revision` (a full ref, or a commit, perhaps abbreviated) is; None if there is none."""
        if not self.exists:
            return None
        status, output, _ = self.run("rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        return output.decode().strip() if status == 0 else None

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Object by full name of every ref below `prefixes`, sorted by name."""
        if not self.exists:
            return {}
        lines = self.must("for-each-ref", "--format=%(objectname) %(refname)", *prefixes).decode().splitlines()
        return {name: object_ for object_, name in (line.split(" ", 1) for line in lines)}

    def list_tree(self, commit: str) -> list[Entry]:
        """Every file of a commit or tree, folders within included."""
        entries = []
        for line in self.must("ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            mode, kind, blob, size = about.decode().split()
            if kind != "blob" or mode == "120000":
                raise BadInput(f"{path!r} is no file", where=f"commit {commit}", fix="take another version")
            entries.append(Entry(path.decode("utf-8", _ESCAPED), mode, blob, int(size)))
        return entries

    def list_objects(self, commit: str) -> tuple[dict[str, str], set[str]]:
        """The objects of a commit: of its files by path, and all of them, folders included."""
        files, all_ = {}, set()
        for line in self.must("ls-tree", "-r", "-t", "-z", "--full-tree", commit).split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            _, kind, id_ = about.decode().split()
            all_.add(id_)
            if kind != "tree":
                files[path.decode("utf-8", _ESCAPED)] = id_
        return files, all_

    def read_blobs(self, names: Sequence[str]) -> dict[str, bytes]:
        """The bytes of each, through one `git cat-file`: of blobs by id, or of files as `COMMIT:PATH`. What is no blob
        or is not there is left out."""
        wanted = list(dict.fromkeys(n for n in names if "\n" not in n))
        if not wanted:
            return {}
        output = self.must("cat-file", "--batch", stdin="".join(f"{n}\n" for n in wanted).encode("utf-8", _ESCAPED))
        found, at = {}, 0
        for name in wanted:
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

    def check(self) -> list[str]:
        """What is missing of that which refs need, as git says it, a line each: first the objects, then what refers to
        them. The bytes of files are not read."""
        status, output, message = self.run("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        lines = [*output.decode(errors="replace").splitlines(), *message.splitlines()]
        if status == 0:
            return []
        return sorted(lines, key=lambda line: "missing" not in line) or [f"git fsck: exit status {status}"]

    # — writing —

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One process of pycomfy at a time. The lock goes with its process, however that ends."""
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
        script = f"start\n{lines}commit\n".encode()
        until = time.monotonic() + 2 * _STALE
        while True:
            status, _, message = self.run("update-ref", "--stdin", stdin=script)
            if status == 0:
                return
            if ".lock" not in message or time.monotonic() > until:
                raise GitRefused(
                    f"the library was changed meanwhile: {message}", where=str(self.path), fix="do it again"
                )
            self._remove_stale_locks()
            cancel_scope().wait(0.1)

    def _remove_stale_locks(self) -> None:
        """What a killed git left: nobody else removes it, and every later change would fail."""
        for lock in (self.path / "packed-refs.lock", self.path / "HEAD.lock", *self.path.glob("refs/**/*.lock")):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > _STALE:
                    lock.unlink()

    def _make(self) -> None:
        with temporary_folder(self.path.parent, f".{self.path.name}.") as folder:
            new = BareRepository(folder / "new")
            new.must("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(new.path))
            # For whoever pushes into it with git: what was recorded is not to be rewritten.
            new.must("config", "receive.denyNonFastForwards", "true")
            new.must("config", "receive.fsckObjects", "true")
            if self.path.exists():  # half-made by something else, and no repository
                self.path.rename(folder / "old")
            new.path.rename(self.path)
