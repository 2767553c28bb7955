"""Run git on a repository of pycomfy's own, whoever wrote what is in it.

Nothing of the repository is run: no hooks, no filters, no helper programs; git asks nothing on the terminal.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pycomfy.adapters.git.environment import git_environment, load_gitpython
from pycomfy.adapters.io.atomic_files import explain_full_disk, says_disk_is_full, translate_disk_full
from pycomfy.adapters.io.process import Limit, PastLimit, run
from pycomfy.core.lockfile.git_url import without_password
from pycomfy.core.sentences import join_lines
from pycomfy.errors import BadInput

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "gc.autoDetach": "false",
    "maintenance.auto": "false",
    "log.showSignature": "false",
    "protocol.allow": "never",
    # http only for a user's own `insteadOf`: `parse_git_url` refuses addresses with it.
    **{f"protocol.{name}.allow": "always" for name in ("https", "http", "ssh", "git", "file")},
    "protocol.ext.allow": "never",
}

_ISOLATED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}


_WRITE_AT_ONCE = {"GIT_FLUSH": "0"}
"""Else git writes each of a thousand commits apart to a pipe, and wakes who reads as often."""

_NO_REASON = ("Please make sure", "and the repository")
"""How lines begin in which git gives general advice."""

_NOT_WRITTEN = re.compile(
    r"(failed to|could not|couldn't|unable to|cannot) write [^:\n]*$"
    r"|unable to create directory for .*: No such file or directory$",
    re.MULTILINE,
)
"""What git says where a disk is full, without saying that: it could open the file, and not write to it; or it could not
make folders, and says why it then found none."""

PAST_LIMIT = 124
"""The exit status of a command that was ended because it was past its limit."""


class GitRefused(BadInput):
    """git failed; `what` has its message."""


def find_reason(message: str) -> str:
    """Return the first line of git's message that has a reason, without passwords; "" if there is none."""
    lines = [re.sub(r"^(fatal|error|remote): ", "", line).strip() for line in message.splitlines()]
    reason = next((line for line in lines if line and not line.startswith(_NO_REASON)), "")
    return re.sub(r"\S+://\S+", lambda m: without_password(m[0]), reason)


class GitResult(NamedTuple):
    """A git command's exit status, what it printed, and its message without the newline at its end."""

    status: int
    output: bytes
    message: str


class GitRunner:
    """git for the bare repository at `path`, which need not exist yet.

    `settings` are git's own, and come before those of the repository and the user; `environment` is added to pycomfy's.
    With `isolated`, neither the configuration of the user and the machine nor variables of git's are read.
    """

    def __init__(
        self,
        path: Path,
        settings: Iterable[tuple[str, str]] = (),
        environment: Mapping[str, str] | None = None,
        *,
        isolated: bool = False,
    ) -> None:
        self.path = path
        self._settings = (*_SETTINGS.items(), ("safe.directory", str(path)), *settings)
        self._environment = dict(environment or {})
        self._isolated = isolated

    def run(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        limit: Limit | None = None,
    ) -> GitResult:
        """Run a git command to its end; the caller judges the exit status, which is `PAST_LIMIT` past the limit. It
        runs in the folder `cwd`, by default in the repository, or beside it before it exists.

        Raises `NoSpace` for a full disk, `MissingTool` without git, and `Cancelled`; then git is ended first.
        """
        options = [part for key, value in self._settings for part in ("-c", f"{key}={value}")]
        command = ["git", "--no-pager", *options, *arguments]
        folder = cwd or (self.path if self.path.is_dir() else self.path.parent)
        variables = self._variables() | _WRITE_AT_ONCE | dict(environment or {})
        with translate_disk_full(self.path):
            try:
                done = run(command, cwd=folder, env=variables, stdin=stdin, limit=limit)
            except PastLimit as e:
                return GitResult(PAST_LIMIT, b"", str(e))
        message = done.stderr.decode(errors="replace").strip()
        if done.returncode != 0:
            self._check_space(message)
        return GitResult(done.returncode, done.stdout, message)

    def must(self, *arguments: str, stdin: bytes | None = None, environment: Mapping[str, str] | None = None) -> bytes:
        """Return what a git command prints. Raises `GitRefused` if it fails, else as `run`."""
        done = self.run(*arguments, stdin=stdin, environment=environment)
        if done.status != 0:
            what = f"git {arguments[0]}: {join_lines(done.message[-1000:])}"
            raise GitRefused(what, where=str(self.path), fix="see what git says")
        return done.output

    @contextlib.contextmanager
    def open_repo(self) -> Iterator[Any]:
        """Open the repository, which must exist, with GitPython: for many objects, which one git then reads or writes.
        One thread at a time. Raises `MissingTool` without git, `NoSpace` for a full disk."""
        variables = {**git_environment(self.path), **self._environment, "GIT_CONFIG_COUNT": str(len(self._settings))}
        for number, (key, value) in enumerate(self._settings):
            variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        git = load_gitpython()
        with git.Repo(self.path) as repo:
            repo.git.update_environment(**variables)
            try:
                yield repo
            except git.GitCommandError as e:
                self._check_space(str(e.stderr))
                raise

    def _check_space(self, message: str) -> None:
        """Raise `NoSpace` if git failed with this message because the disk is full."""
        if says_disk_is_full(message) or _NOT_WRITTEN.search(message):
            raise explain_full_disk(message, self.path)

    def _variables(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not (self._isolated and k.startswith("GIT_"))}
        return inherited | git_environment(self.path) | (_ISOLATED if self._isolated else {}) | self._environment
