"""A pinned source, as the lock has it: what every kind must have, and the two shapes that there are."""

import base64
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.lockfile.lock_types import FileName, LockSection, Sha256, TreeHash
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.sources.source_spec import SourceSpec

SHORT = 12
"""Digits of a hash that people are shown."""


@dataclass(frozen=True)
class RepositoryCommit:
    """A commit of the git repository at `url`, with the changes `patch` to its files, in git's format, if there are
    any."""

    url: str
    commit: str
    patch: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the repository is on this machine, so that others cannot fetch it."""
        return parse_git_url(self.url).local


@dataclass(frozen=True)
class PythonFile:
    """One Python file at a URL; `sha256` in hexadecimal."""

    name: str
    url: str
    sha256: str


class LockSource(LockSection):
    """A pinned source. `kind` says in the lock which one it is; each kind is a subclass of `TreeSource` or
    `FileSource`, with `kind` as a `Literal` that has a default.

    What is not abstract has an answer that is right for a kind which nothing more is known of.
    """

    kind: str

    # — content —

    @property
    @abstractmethod
    def content_hash(self) -> str:
        """Its SHA-256: of a file in hexadecimal, of a tree as SRI."""

    @abstractmethod
    def fixed_output(self, name: str) -> FixedOutput:
        """Return what it is in a Nix store, under the `name` of who needs it. `nix/fetch.nix` must agree."""

    @property
    def download_size(self) -> int | None:
        """Bytes to download, if that is known."""
        return None

    # — origin —

    @property
    @abstractmethod
    def address(self) -> str:
        """The URL or path that it comes from."""

    @property
    def local_path(self) -> str | None:
        """The path on somebody's machine that it comes from; None for what comes from the network."""
        return None

    @property
    def manual_origin(self) -> str | None:
        """What somebody without pycomfy has to put into the Nix store by hand, in words; None for what Nix fetches."""
        return None

    @property
    def travels(self) -> bool:
        """Whether its files are in the project: because Nix cannot fetch them, or that is not certain."""
        return self.manual_origin is not None

    @property
    def repository(self) -> RepositoryCommit | None:
        """The commit of a git repository that it is; None for all else."""
        return None

    @property
    def portable(self) -> RepositoryCommit | PythonFile | str:
        """What the files of other tools can name: a commit that they can fetch, or a Python file. For all else, what it
        comes from, in words that follow "it comes from"."""
        return f"{self.describe()}, which only pycomfy knows"

    def relocated(self, move: Callable[[str], str]) -> Self:
        """Return it as a lock in another folder names it. `move` changes a path that is relative to this lock's folder,
        and leaves an absolute one."""
        return self

    # — words —

    @abstractmethod
    def describe(self) -> str:
        """Return where it comes from, in a few words."""

    @property
    def origin(self) -> str:
        """Where it comes from, so that it can be looked for."""
        return self.describe()

    @property
    def pin(self) -> str:
        """What it is pinned to, short, and where it is from: two differ if either does."""
        return f"{self.short_hash} of {self.address}"

    @property
    def short_hash(self) -> str:
        return self.content_hash.removeprefix("sha256-")[:SHORT]

    # — pycomfy.toml —

    @abstractmethod
    def config_keys(self, name: str, given: SourceSpec | None) -> dict[str, Any]:
        """Return the keys of pycomfy.toml that name this very source, for the node pack `name`. `given` is what
        pycomfy.toml said when it was pinned, if that is known."""

    def config_files(self, name: str) -> dict[str, bytes]:
        """Return the files that these keys name, by path relative to pycomfy.toml."""
        return {}


class TreeSource(LockSource):
    """A source that is a folder. pycomfy makes it, if Nix cannot, and puts it into the store."""

    tree: TreeHash

    @property
    def content_hash(self) -> str:
        return self.tree

    def fixed_output(self, name: str) -> FixedOutput:
        return FixedOutput(name, base64.b64decode(self.tree.removeprefix("sha256-")), True)


class FileSource(LockSource):
    """A source that is one file, which Nix fetches from `url` and the store calls `name`."""

    url: str
    sha256: Sha256
    name: FileName

    @property
    def content_hash(self) -> str:
        return self.sha256

    @property
    def address(self) -> str:
        return self.url

    @property
    def origin(self) -> str:
        return self.url

    def fixed_output(self, name: str) -> FixedOutput:
        return FixedOutput(self.name, bytes.fromhex(self.sha256), False)
