"""Commits of git repositories as sources."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pycomfy.adapters.git.checkout import CheckoutResult, read_tree, write_tree
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.git.patches import apply_patch, read_patch
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.sources.adapter import PinnedSource, SourceContext, TreeAdapter
from pycomfy.adapters.sources.text_files import Selection, decode_text, read_texts, scratch_folder
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.errors import PycomfyError

Spec = TypeVar("Spec", bound=SourceSpec)


@dataclass(frozen=True)
class PinnedCommit(PinnedSource):
    """A pinned commit."""

    source: GitSource


class CommitAdapter(TreeAdapter[Spec, GitSource]):
    """A kind that is pinned to a commit, however pycomfy.toml names that."""

    source_type = GitSource

    def materialise(self, source: GitSource, out: Path, context: SourceContext) -> None:
        repository = _mirror(source.url, context)
        repository.fetch(source.commit)
        write_tree(repository, source.commit, out, lfs=source.lfs, submodules=source.submodules)
        if source.patch is not None:
            apply_patch(source.patch, out, context.owner)


class GitAdapter(CommitAdapter[GitSpec]):
    """A commit that pycomfy.toml names by its repository."""

    spec_type = GitSpec

    def pin(self, spec: GitSpec, context: SourceContext) -> PinnedSource:
        return pin_commit(spec, context)

    def newer_commit(self, spec: GitSpec, source: GitSource, context: SourceContext) -> str | None:
        """As of a repository on this machine; no request is sent to another one."""
        if not parse_git_url(spec.git).local:
            return None
        try:
            commit = _mirror(spec.git, context).resolve(spec.rev)
        except PycomfyError:
            return None
        return commit if commit != source.commit else None


def pin_commit(spec: GitSpec, context: SourceContext) -> PinnedCommit:
    """Return the commit that `spec` names. Raises `NotFound`, `UnpinnedPack`, `NetworkError`, `BadInput`."""
    repository = _mirror(spec.git, context)
    commit = repository.resolve(spec.rev)
    patch = read_patch(context.base / spec.patch, context.owner) if spec.patch is not None else None
    selection = Selection()
    if patch is None:
        tree, found = _hash_commit(repository, commit, context.paths, spec)
        files = {path: decode_text(data) for path, data in read_tree(repository, commit, selection).items()}
    else:
        with scratch_folder(context.paths) as folder:
            found = write_tree(repository, commit, folder, lfs=spec.lfs, submodules=spec.submodules)
            apply_patch(patch, folder, repository.owner)
            tree = nar_writer.hash_path(folder)
            files = read_texts(folder, selection)
    source = GitSource(
        url=parse_git_url(spec.git).public,
        commit=commit,
        tree=tree,
        submodules=found.submodules,
        lfs=found.lfs,
        patch=patch,
    )
    return PinnedCommit(
        source,
        files,
        repository.commit_date(commit),
        has_more_files=found.submodules,
        scripts=selection.scripts or found.submodules,
    )


def join_address(url: str, base: Path) -> str:
    """Return the address that git is given: a relative path is relative to `base`."""
    address = parse_git_url(url)
    return str(base.absolute() / url) if address.local and not url.startswith("file://") else url


def _mirror(url: str, context: SourceContext) -> GitMirror:
    return GitMirror(join_address(url, context.base), owner=context.owner, cache=context.paths.cache / "git")


def _hash_commit(repository: GitMirror, commit: str, paths: Paths, spec: GitSpec) -> tuple[str, CheckoutResult]:
    """The hash of a commit's tree, and what is in it. A commit never changes, so it is hashed once."""
    without = ("" if spec.lfs else "-pointers") + ("" if spec.submodules else "-alone")
    known = paths.cache / "trees" / f"{commit}{without}.json"
    try:
        value = json.loads(known.read_bytes())
        return str(value["tree"]), CheckoutResult(bool(value["submodules"]), bool(value["lfs"]))
    except (OSError, ValueError, TypeError, KeyError):
        pass
    with scratch_folder(paths) as folder:
        found = write_tree(repository, commit, folder, lfs=spec.lfs, submodules=spec.submodules)
        tree = nar_writer.hash_path(folder)
    write_file(known, json.dumps({"tree": tree, **found._asdict()}))
    return tree, found
