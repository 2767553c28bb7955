"""A commit of a git repository."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import StringConstraints

from pycomfy.core.lockfile.config_types import GitAddress, LocalPath, Revision
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.lockfile.lock_types import Commit
from pycomfy.core.sources.lock_source import (
    SHORT,
    LockSource,
    PythonFile,
    RepositoryCommit,
    TreeSource,
)
from pycomfy.core.sources.source_spec import SourceSpec

_ARCHIVES = ("https://github.com/", "https://gitlab.com/", "https://codeberg.org/")
"""Forges that serve the archive of a commit to everybody, which `nix/builders/git_tree.py` fetches."""

MAX_PATCH = 1 << 20
"""Characters of a patch. What is more is a tree of its own rather than a change."""


class GitSpec(SourceSpec):
    """A git repository: a URL, or a path relative to pycomfy.toml. `rev`: branch, tag or commit; `patch`: the path of
    a patch that is applied to its files. Without `lfs`, pointers stay where large files should be; without
    `submodules`, their folders stay empty."""

    key: ClassVar[str] = "git"
    for_comfyui: ClassVar[bool] = True

    git: GitAddress
    rev: Revision | None = None
    patch: LocalPath | None = None
    lfs: bool = True
    submodules: bool = True

    @property
    def repository_url(self) -> str | None:
        return self.git

    def at_revision(self, revision: str) -> Self | None:
        return self.model_copy(update={"rev": revision})

    def held_at(self, source: LockSource) -> Self:
        if (held := source.repository) is None:
            return self
        same = parse_git_url(self.git).identity == parse_git_url(held.url).identity
        return self.model_copy(update={"rev": held.commit}) if same else self


class GitSource(TreeSource):
    """A commit of a git repository. `tree` hashes the checked-out files, submodules included, without `.git`; with
    `lfs` the large files (LFS) are in it, not their pointers.

    `patch` is what was changed in them, in git's format; `tree` is then of the changed files.
    """

    optional = frozenset({"patch", "lfs"})
    kind: Literal["git"] = "git"
    url: str
    commit: Commit
    submodules: bool = False
    lfs: bool = False
    patch: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATCH)] | None = None

    @property
    def address(self) -> str:
        return self.url

    @property
    def local_path(self) -> str | None:
        return self.url if parse_git_url(self.url).local else None

    @property
    def manual_origin(self) -> str | None:
        if self.patch is None and self.local_path is None and not self.submodules:
            return None
        whole = ", with its submodules" if self.submodules else ""
        patched = ", with the patch that the lock has" if self.patch is not None else ""
        return f"the git repository {self.url} at {self.commit}{whole}{patched}"

    @property
    def travels(self) -> bool:
        return self.manual_origin is not None or not self.url.startswith(_ARCHIVES)

    @property
    def repository(self) -> RepositoryCommit:
        return RepositoryCommit(self.url, self.commit, self.patch)

    @property
    def portable(self) -> RepositoryCommit | PythonFile | str:
        return self.repository if self.local_path is None else "a repository on this machine"

    def relocated(self, move: Callable[[str], str]) -> Self:
        if self.local_path is None or self.url.startswith("file://"):
            return self
        return self.model_copy(update={"url": move(self.url)})

    def describe(self) -> str:
        return f"{self.url} at {self.commit[:10]}" + (", patched" if self.patch is not None else "")

    @property
    def origin(self) -> str:
        return f"{self.url} at {self.commit}"

    @property
    def pin(self) -> str:
        patched = f", patched: {self.short_hash}" if self.patch is not None else ""
        return f"{self.commit[:SHORT]} of {self.url}{patched}"

    def config_keys(self, name: str, given: SourceSpec | None) -> dict[str, Any]:
        keys: dict[str, Any] = {"git": self.url, "rev": self.commit}
        if self.patch is not None:
            keys["patch"] = _patch_path(name)
        if isinstance(given, GitSpec) and not given.lfs:
            keys["lfs"] = False
        if isinstance(given, GitSpec) and not given.submodules:
            keys["submodules"] = False
        return keys

    def config_files(self, name: str) -> dict[str, bytes]:
        return {_patch_path(name): self.patch.encode()} if self.patch is not None else {}


def _patch_path(name: str) -> str:
    return f"patches/{name}.patch"
