"""The bare repository of the versions repository: refs and objects, and one writer at a time."""

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pycomfy.adapters.git.runner import PAST_LIMIT, GitRefused, GitRunner, find_reason
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.process import Limit
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.core.sentences import join_lines
from pycomfy.errors import BadInput, Placeholder, suggest
from pycomfy.operation import cancel_scope

ZERO = "0" * 40
"""git's id of no object: as a ref's old value, it says that the ref must not exist."""

_SETTINGS = (
    ("core.fsync", "all"),
    ("core.filesRefLockTimeout", "2000"),  # milliseconds
    ("core.packedRefsTimeout", "5000"),
    ("transfer.fsckObjects", "true"),
    # Packs are kept as they come: objects that are here, but damaged, are replaced so.
    ("fetch.unpackLimit", "1"),
)
_ESCAPED = "surrogateescape"

SETTINGS = {
    # What a branch was, should its file be damaged; and no commit that was in one is ever collected as garbage.
    "core.logAllRefUpdates": "always",
    "gc.reflogExpire": "never",
    "gc.reflogExpireUnreachable": "never",
    # For whoever pushes into it with git: versions are not to be rewritten.
    "receive.denyNonFastForwards": "true",
    "receive.fsckObjects": "true",
}
"""Settings that the repository itself has."""

REPAIR = (
    suggest("reindex", "puts right what this machine still knows"),
    suggest("pull", "from a versions repository that has it", remote=Placeholder("REMOTE")),
)
"""How a damaged repository is repaired."""


class DamagedRepository(GitRefused):
    """git cannot read what should be there."""


_LIMIT = Limit(seconds=3600)
_TREE = Limit(seconds=600, output=16 << 20)  # some hundred thousand files; a tree may have itself ten times, and again
LOG_LINE = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ")
"""How a line of a ref's log begins: what it was, and what it is. See gitrepository-layout(5), logs."""

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
        # The repository's own as well: an older one lacks them.
        super().__init__(path.absolute(), (*_SETTINGS, *SETTINGS.items()))
        self.kept_commits: dict[str, list[str]] = {}
        """The fields of commits that were read, which cannot change: a server is asked for the same ones again."""

    @property
    def exists(self) -> bool:
        """Whether there is anything: an empty folder is no repository yet, and one without some files a damaged one."""
        return self.path.is_dir() and any(self.path.iterdir()) if not self.path.is_file() else True

    # — reading —

    def resolve(self, revision: str) -> str | None:
        """Return the commit that `revision` names (a full ref, or a commit, perhaps abbreviated); None without any.
        Raises `DamagedRepository` for a ref that cannot be read."""
        if not self.exists:
            return None
        command = ("rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        status, output, message = self.run(*command)
        if status and revision.startswith("refs/") and (status > 1 or self.refs_left(revision)):
            raise self.damaged(f"{revision} cannot be read" + f": {message}" * bool(message))
        if status:
            return None
        self.check_ref(revision, output.decode().strip())
        return output.decode().strip()

    def read(self, *arguments: str, limit: Limit = _LIMIT) -> bytes:
        """Return what a git command that only reads prints. Raises `DamagedRepository` if it fails, `BadInput` past the
        limit: a small repository may have endless lists."""
        done = self.run(*arguments, limit=limit)
        if done.status == PAST_LIMIT:
            what = f"the versions repository has more than any workflow: git {arguments[0]}: {join_lines(done.message)}"
            raise BadInput(what, where=str(self.path), fix="do not use what was pulled into it")
        if done.status != 0:
            raise self.damaged(find_reason(done.message) or f"git {arguments[0]}: exit status {done.status}")
        return done.output

    def damaged(self, what: str) -> DamagedRepository:
        """Return the error for something that cannot be read."""
        return DamagedRepository(f"the versions repository is damaged: {what}", where=str(self.path), fix=REPAIR)

    def refs_left(self, *prefixes: str) -> set[str]:
        """Return the refs, among or below `prefixes`, of which there is a file or a log of their changes. git removes
        both with a ref, so that one that it does not list was lost."""
        found = set()
        for prefix in prefixes:
            for root in (self.path, self.path / "logs"):
                paths = [root / prefix, *(root / prefix).rglob("*")] if (root / prefix).exists() else []
                found |= {str(p.relative_to(root)) for p in paths if p.is_file() and p.suffix != ".lock"}
        return found

    def lost_refs(self, *prefixes: str) -> set[str]:
        """Return the refs below `prefixes` that were there, and cannot be read, or are what they were before."""
        refs = self.refs(*prefixes)
        return self.refs_left(*prefixes) - refs.keys() | {r for r, o in refs.items() if self.is_older(r, o)}

    def read_log(self, ref: str) -> list[str]:
        """Return what a ref was, newest first; as far as its log says, which other programs need not write."""
        return list(self._iterate_log(ref))

    def _iterate_log(self, ref: str) -> Iterator[str]:
        try:
            lines = (self.path / "logs" / ref).read_bytes().splitlines()
        except OSError:
            return
        oldest = ZERO
        for line in reversed(lines):
            if move := LOG_LINE.match(line):
                oldest, newer = move[1].decode(), move[2].decode()
                if newer != ZERO:
                    yield newer
        if oldest != ZERO:
            yield oldest

    def is_older(self, ref: str, object_: str) -> bool:
        """Return whether a ref is what it was before its last change: git takes what it packed before, where the ref's
        own file was lost."""
        log = self._iterate_log(ref)
        return next(log, object_) != object_ and object_ in log

    def check_ref(self, ref: str, object_: str) -> None:
        """Raise `DamagedRepository` for a ref that is what it was before its last change."""
        if ref.startswith("refs/") and self.is_older(ref, object_):
            raise self.damaged(f"{ref} is older than its log")

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Return the object of every ref below `prefixes`, by full name, sorted."""
        if not self.exists:
            return {}
        output = self.read("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
        # Not every ref has a name in UTF-8, and some have other line breaks in it.
        lines = output.decode("utf-8", _ESCAPED).split("\n")[:-1]
        return {name: object_ for object_, name in (line.split(" ", 1) for line in lines)}

    def list_tree(self, commit: str) -> list[Entry]:
        """Return every file of a commit or tree, also those in its folders. Raises `BadInput` for links."""
        entries = []
        for line in self.read("ls-tree", "-r", "-l", "-z", "--full-tree", commit, limit=_TREE).split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            name = path.decode("utf-8", _ESCAPED)
            mode, kind, blob, size = about.decode().split()
            if kind != "blob" or mode == "120000":
                raise BadInput(f"{name!r} is not a file", where=f"commit {commit}", fix="take another version")
            entries.append(Entry(name, mode, blob, int(size)))
        return entries

    def list_names(self, commit: str) -> set[str]:
        """Return what a commit has at its top, read or not."""
        output = self.read("ls-tree", "-z", "--name-only", "--full-tree", commit)
        return {name.decode("utf-8", _ESCAPED) for name in output.split(b"\0")[:-1]}

    def list_objects(self, commit: str) -> tuple[dict[str, str], set[str]]:
        """Return the objects of a commit: those of its files by path, and all of them, folders too."""
        files, all_ = {}, set()
        for line in self.read("ls-tree", "-r", "-t", "-z", "--full-tree", commit, limit=_TREE).split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            _, kind, id_ = about.decode().split()
            all_.add(id_)
            if kind != "tree":
                files[path.decode("utf-8", _ESCAPED)] = id_
        return files, all_

    def read_blobs(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of blobs by id, or of files as `COMMIT:PATH`, through one git. What is missing, damaged, or
        not a blob, is left out."""
        unique = list(dict.fromkeys(n for n in names if "\n" not in n))
        if not unique:
            return {}
        done = self.run(
            "cat-file", "--batch", "--buffer", stdin="".join(f"{n}\n" for n in unique).encode("utf-8", _ESCAPED)
        )
        if done.status != 0:  # git ends at the first that is damaged
            half = len(unique) // 2
            return self.read_blobs(unique[:half]) | self.read_blobs(unique[half:]) if half else {}
        output = done.output
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
        """Return the ids of files, named as `COMMIT:PATH`, through one git. What is missing, damaged, or not a blob, is
        left out."""
        return {name: id_ for name, (id_, kind, _) in self._identify(names).items() if kind == "blob"}

    def kinds(self, objects: Sequence[str]) -> dict[str, str]:
        """Return the types of objects, through one git. What cannot be read is left out."""
        return {name: kind for name, (_, kind, _) in self._identify(objects).items()}

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the bytes of objects, named as `COMMIT:PATH` too, through one git. What cannot be read is left out."""
        return {name: size for name, (_, _, size) in self._identify(names).items()}

    def _identify(self, names: Sequence[str]) -> dict[str, tuple[str, str, int]]:
        unique = list(dict.fromkeys(names))
        if not unique:
            return {}
        command = ("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", "--buffer")
        done = self.run(*command, stdin="".join(f"{name}\n" for name in unique).encode("utf-8", _ESCAPED))
        if done.status != 0:  # git ends at the first that is damaged
            half = len(unique) // 2
            return self._identify(unique[:half]) | self._identify(unique[half:]) if half else {}
        lines = done.output.decode("utf-8", _ESCAPED).split("\n")[:-1]
        found = {name: line.split() for name, line in zip(unique, lines, strict=True)}
        return {
            name: (words[0], words[1], int(words[2]))
            for name, words in found.items()
            if words[-1] not in ("missing", "ambiguous")
        }

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether `commit` is `of`, or one of its ancestors."""
        return self.run("merge-base", "--is-ancestor", commit, of).status == 0

    def find_merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits, None without any."""
        done = self.run("merge-base", one, other)
        return done.output.decode().split()[0] if done.status == 0 else None

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

    def remove_lost(self, *prefixes: str) -> None:
        """Remove what there is of refs below `prefixes` that git cannot read. For a caller that is writing."""
        for ref in self.lost_refs(*prefixes):
            for root in (self.path, self.path / "logs"):
                (root / ref).unlink(missing_ok=True)

    def _remove_stale_locks(self) -> None:
        """Remove what a killed git left: nobody else does, and every later change would fail."""
        for lock in (self.path / "packed-refs.lock", self.path / "HEAD.lock", *self.path.glob("refs/**/*.lock")):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > _STALE:
                    lock.unlink()

    def _make(self) -> None:
        with temporary_folder(self.path.parent, f".{self.path.name}.") as folder:
            new = BareRepository(folder / "new")
            new.init()
            new.path.rename(self.path)  # in the place of an empty folder, too

    def init(self) -> None:
        """Make what every repository has; of one that is there, what is missing."""
        self.must("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(self.path))
        for key, value in SETTINGS.items():
            self.must("config", key, value)
