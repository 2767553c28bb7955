"""Mirror untrusted git repositories in the cache, each as a bare one, and find which commit a revision is.

Nothing of theirs is run: no hooks, no filters, no helper transports; `checkout` writes the files of a commit.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pycomfy.adapters.git.environment import find_login, login_environment, login_settings
from pycomfy.adapters.git.runner import GitResult, GitRunner, find_reason
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.clock import blames_time, clock_fix
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.process import Limit, run
from pycomfy.core.lockfile.git_url import GitUrl, parse_git_url
from pycomfy.core.sentences import join_lines
from pycomfy.errors import NetworkError, NotFound, PycomfyError, UnpinnedPack, Unresolved, suggest

COMMIT = re.compile(r"[0-9a-f]{40}")

_SETTINGS = (
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),  # give up below so many bytes a second, for so many seconds
    # Whatever comes is kept as a whole pack or not at all: a fetch that fails leaves no commit without its files.
    ("fetch.unpackLimit", "1"),
)

_FETCH = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--no-recurse-submodules", "--force")


@dataclass(frozen=True)
class GitObjects:
    """The objects of a mirror, read by one `git cat-file --batch` for all of them."""

    repo: Any

    def read(self, object_: str) -> bytes:
        """Return an object's content."""
        return bytes(self.repo.git.get_object_data(object_)[3])

    def write(self, object_: str, to: Path) -> None:
        """Write a blob to a new file."""
        stream = self.repo.git.stream_object_data(object_)[3]
        with to.open("xb") as f:
            while chunk := stream.read(1 << 20):
                f.write(chunk)


class GitMirror:
    """A repository and its mirror. `owner` is for errors: the name of the node pack that needs it, or "ComfyUI".

    `url` is what `parse_git_url` accepts; a relative path is relative to the current folder. `cache` holds the mirrors.
    Raises `BadConfig`.
    """

    def __init__(self, url: str, *, owner: str, cache: Path) -> None:
        address = parse_git_url(url, where=owner)
        if address.local and not address.url.startswith("file://"):
            path = os.path.abspath(address.url)  # noqa: PTH100  (Path would keep `..`)
            address = GitUrl(path, address.public, path, local=True)
        self.address = address
        self.owner = owner
        self._remote = address.url if address.local else address.public
        self._login = find_login(address.url)
        self.cache = cache
        self.mirror = self.cache / hashlib.sha256(address.identity.encode(errors="surrogateescape")).hexdigest()[:32]

    def resolve(self, revision: str | None = None) -> str:
        """Return the commit of a branch, tag, or (abbreviated) commit; without one, of the default branch.

        A full commit in the mirror needs no network. Raises `UnpinnedPack`, `NotFound`, `NetworkError`.
        """
        if revision is not None and COMMIT.fullmatch(revision.lower()):
            self.fetch(revision.lower())
            return revision.lower()
        commit = self._find_ref(revision)
        if commit is None and revision is not None and re.fullmatch(r"[0-9a-fA-F]{7,39}", revision):
            self._fetch_all()
            commit = self._find_abbreviated(revision)
        if commit is None:
            raise self._unpinned(
                f"has no branch, tag or commit {revision}" if revision else "has no default branch: it may be empty"
            )
        self.fetch(commit)
        return commit

    def fetch(self, commit: str) -> None:
        """Fetch `commit` with all its files into the mirror. Raises `UnpinnedPack`, `NotFound`, `NetworkError`."""
        with self._locked():
            if self._has(commit):
                return
            # Alone and without history if the server allows that for any commit; else everything.
            done = self._receive("--depth=1", "--", self._remote, f"+{commit}:refs/pycomfy/{commit}")
            if done.status == 0 and self._has(commit):
                return
        self._fetch_all()
        if not self._has(commit):
            raise self._unpinned(f"has no commit {commit}")
        with self._locked():
            self.git("update-ref", f"refs/pycomfy/{commit}", commit)

    def fetch_history(self) -> None:
        """Fetch every commit of all branches and tags into the mirror. Raises `NotFound`, `NetworkError`."""
        self._fetch_all()

    def commit_date(self, commit: str) -> datetime | None:
        """Return when `commit` was committed, in UTC; None for an impossible date."""
        with self.objects() as objects:
            try:
                return datetime.fromtimestamp(objects.repo.commit(commit).committed_date, tz=UTC)
            except (OverflowError, ValueError, OSError):
                return None

    def git(self, *arguments: str, stdin: bytes | None = None, limit: Limit | None = None) -> GitResult:
        """Run a git command on the mirror; the caller judges the exit status, which is `PAST_LIMIT` past the limit."""
        if not (self.mirror / "HEAD").exists():
            with self._locked():
                pass
        return self._runner.run(*arguments, stdin=stdin, limit=limit)

    @contextlib.contextmanager
    def objects(self) -> Iterator[GitObjects]:
        """Open the mirror for reading many objects. One thread at a time. Raises `NetworkError` for one that a fetch
        did not bring."""
        with self._runner.open_repo() as repo:
            try:
                yield GitObjects(repo)
            except ValueError as e:
                if "could not be resolved" not in str(e):
                    raise
                raise NetworkError(
                    f"{self.owner}: the copy of its git repository is not complete",
                    where=str(self.mirror),
                    fix="remove this folder: it is fetched again",
                ) from e

    def _unpinned(self, why: str) -> UnpinnedPack:
        return UnpinnedPack(
            f"{self.owner}: the git repository {why}",
            where=self.address.public,
            fix=suggest("lock", node=f"{self.owner}=COMMIT"),
        )

    def _find_ref(self, revision: str | None) -> str | None:
        """Return the commit of a ref of the remote; None if there is none."""
        names = ["HEAD"] if revision is None else [revision, f"refs/heads/{revision}", f"refs/tags/{revision}"]
        patterns = [*names, *(f"{name}^{{}}" for name in names)]
        done = self.git("ls-remote", "--quiet", "--", self._remote, *patterns)
        if done.status != 0:
            raise self._explain(done.message)
        refs = {}
        for line in done.output.decode(errors="replace").splitlines():
            object_, _, name = line.partition("\t")
            refs[name] = object_
        # An annotated tag is an object of its own; `^{}` is the commit that it tags.
        found = {name: refs.get(f"{name}^{{}}", refs[name]) for name in names if name in refs}
        if len(set(found.values())) > 1:
            raise self._unpinned(f"has both a branch and a tag {revision}; write refs/heads/… or refs/tags/…")
        return next(iter(found.values()), None)

    def _find_abbreviated(self, revision: str) -> str | None:
        done = self.git("rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        found = done.output.decode(errors="replace").strip()
        return found if done.status == 0 and COMMIT.fullmatch(found) else None

    def _fetch_all(self) -> None:
        with self._locked():
            shallow = ["--unshallow"] if (self.mirror / "shallow").exists() else []
            refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
            done = self._receive(*shallow, "--", self._remote, *refs)
            if done.status != 0:
                raise self._explain(done.message)

    def _receive(self, *arguments: str) -> GitResult:
        """Run `git fetch`, while the mirror is locked. If it fails or is ended, its temporary files are removed."""
        complete = False
        try:
            done = self.git("fetch", *_FETCH, *arguments)
            complete = done.status == 0
        finally:
            if not complete:
                for path in (self.mirror / "objects").rglob("tmp_*"):
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        return done

    def _has(self, commit: str) -> bool:
        return self.git("cat-file", "-e", f"{commit}^{{tree}}").status == 0

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time change the mirror, which is created if there is none."""
        with translate_disk_full(self.mirror):
            self.cache.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(self.mirror.with_suffix(".lock")):
                self._make_mirror()
                yield

    def _make_mirror(self) -> None:
        if (self.mirror / "HEAD").exists():
            return
        shutil.rmtree(self.mirror, ignore_errors=True)
        self.cache.mkdir(parents=True, exist_ok=True)
        done = self._runner.run("init", "--quiet", "--bare", "--template=", str(self.mirror))
        if done.status != 0:
            what = f"git cannot make a mirror: {join_lines(done.message)}"
            raise Unresolved(what, where=str(self.mirror), fix="make the folder writable")

    @cached_property
    def _runner(self) -> GitRunner:
        environment = {"GIT_LFS_SKIP_SMUDGE": "1"}
        settings = list(_SETTINGS)
        if self._login is not None:
            environment |= login_environment(self._login)
            settings += login_settings(self._remote)
        if self.address.url.startswith("ssh://") or not (self.address.local or "://" in self.address.url):
            environment |= _ssh_environment()
        return GitRunner(self.mirror, settings, environment)

    def _explain(self, message: str) -> PycomfyError:
        """Return git's message as an error."""
        what = f"{self.owner}: the git repository cannot be read: {find_reason(message)}"
        where = self.address.public
        if owned := re.search(r"dubious ownership in repository at '([^']+)'", message):
            return NetworkError(what, where=where, fix=f"`git config --global --add safe.directory '{owned[1]}'`")
        if re.search(r"not appear to be a git repository|not found|not exported|does not exist|No such file", message):
            if not self.address.local:
                return NotFound(what, where=where, fix="correct the address")
            if not Path(unquote(self.address.url.removeprefix("file://"))).exists():
                return NotFound(f"{self.owner}: there is no such folder", where=where, fix="correct the path")
            fix = ("give the repository's top folder", "for a node pack without git, write path = … instead of git = …")
            return NotFound(what, where=where, fix=fix)
        if re.search(
            r"could not read (Username|Password)|Authentication failed|Permission denied|prompts dis", message
        ):
            fix = ("check the address", "if it is private, give git credentials: a helper, an ssh key or a token")
            return NetworkError(what, where=where, fix=fix)
        advice = clock_fix() if blames_time(message) else "check the network, the proxy and the address"
        return NetworkError(what, where=where, fix=advice)


def _ssh_environment() -> dict[str, str]:
    """Return variables that keep ssh from asking for passwords or host keys; a user's own ssh command is kept."""
    if "GIT_SSH_COMMAND" in os.environ or "GIT_SSH" in os.environ:
        return {}
    own = run(["git", "config", "--get", "core.sshCommand"])
    return {} if own.stdout.strip() else {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
