"""The library: every version of every workflow. A branch per workflow, a commit per version, its tree the project."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.commits import NewCommit, object_id, open_writer
from pycomfy.adapters.versions.git import ZERO, BareRepository
from pycomfy.adapters.versions.image_refs import add_image, drop_images, image_keys, read_images
from pycomfy.core.versions.reference import Reference, check_tag, check_workflow_name, format_label, parse_reference
from pycomfy.errors import BadInput, NotFound

if TYPE_CHECKING:
    from pycomfy.core.lockfile.platforms import PlatformName
    from pycomfy.core.versions.built_image import BuiltImage

MAX_BYTES = 256 << 20
_FIELDS = ("%H", "%P", "%T", "%an <%ae>", "%ct", "%B")
_LOOSE = 3  # files in one of 256 folders: then some 700 objects lie loose, and are packed


def versions_repository_path(paths: Paths) -> Path:
    return paths.data / "library.git"


@dataclass(frozen=True)
class Version:
    """A version of a workflow. `number` counts the commits along the branch, from 1; it is None for a commit that came
    in by a merge. `message` is without the newline at its end, `author` "Name <email>", `created_at` UTC, as in
    2025-12-05T09:30:00Z."""

    name: str
    number: int | None
    commit: str
    parents: tuple[str, ...]
    tree: str
    message: str
    author: str
    created_at: str

    @property
    def label(self) -> str:
        """`NAME@3`, or `NAME@` and the commit's first digits."""
        return format_label(self.name, self.number, self.commit)


class CommitResult(NamedTuple):
    """`new` is False if the newest version has the same files already."""

    version: Version
    new: bool


class VersionsRepository:
    """The library at `path`, made when the first version is committed. Any number of processes may use it at once.

    Raises `NoSpace` for a full disk, `MissingTool` without git.
    """

    def __init__(self, path: Path) -> None:
        self.bare = BareRepository(path)

    @property
    def path(self) -> Path:
        return self.bare.path

    # — reading —

    def names(self) -> list[str]:
        """Every workflow's name, sorted."""
        return list(self.tips())

    def tips(self) -> dict[str, str]:
        """The newest commit of every workflow, by its name. Branches whose names are no workflow's are left out."""
        tips = {}
        for ref, commit in self.bare.refs("refs/heads").items():
            with contextlib.suppress(BadInput):
                tips[check_workflow_name(ref.removeprefix("refs/heads/"))] = commit
        return tips

    def versions(self, name: str) -> list[Version]:
        """The versions along a workflow's branch, newest first; empty for one that does not exist."""
        if self._tip(name) is None:
            return []
        return self._log(name, _branch(name), "--first-parent")

    def find(self, reference: Reference | str) -> Version:
        """The version that `reference` names. Raises `NotFound`, or `BadInput` for what names none."""
        wanted = parse_reference(reference) if isinstance(reference, str) else reference
        if self._tip(wanted.name) is None:
            known = ", ".join(self.names()[:20]) or "none yet"
            raise NotFound(f'no workflow "{wanted.name}"', where=str(self.path), fix=f"there are: {known}")
        if wanted.version is not None:
            return self._numbered(wanted)
        if wanted.revision is not None:
            return self._revision(wanted, wanted.revision)
        branch = _branch(wanted.name)
        count = int(self.bare.must("rev-list", "--count", "--first-parent", branch))
        return self._log(wanted.name, branch, "-1", newest=count)[0]

    def read_files(self, commit: str) -> dict[str, bytes]:
        """Every file of a version, by its path. Raises `BadInput` for what is no project: symlinks, too much."""
        entries = self.bare.list_tree(commit)
        if sum(e.size for e in entries) > MAX_BYTES:
            raise BadInput(
                f"its files are larger than {MAX_BYTES >> 20} MiB",
                where=f"commit {commit}",
                fix="take another version",
            )
        blobs = self.bare.read_blobs([e.blob for e in entries])
        if missing := [e.path for e in entries if e.blob not in blobs]:
            fix = "pull it from another library"
            raise BadInput(f"the library is damaged: {missing[0]} is missing", where=f"commit {commit}", fix=fix)
        return {e.path: blobs[e.blob] for e in entries}

    def read_some(self, commits: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, bytes]]:
        """By commit, those of the files `names` that it has; for many commits at once."""
        blobs = self.bare.read_blobs([f"{commit}:{name}" for commit in commits for name in names])
        return {c: {n: blobs[f"{c}:{n}"] for n in names if f"{c}:{n}" in blobs} for c in commits}

    def tags(self, name: str | None = None) -> dict[str, str]:
        """The commit of each tag, by `NAME@tag`, of one workflow or all."""
        prefix = "refs/tags/" if name is None else f"refs/tags/{name}/"
        found = {}
        for ref in self.bare.refs(prefix.rstrip("/")):
            workflow, _, tag = ref.removeprefix("refs/tags/").partition("/")
            commit = self.bare.resolve(ref)
            if commit is not None and tag and "/" not in tag:
                found[f"{workflow}@{tag}"] = commit
        return found

    def images(self, tree: str) -> "dict[PlatformName, BuiltImage]":
        """What was built of a version's tree, by platform."""
        return read_images(self.bare, [tree]).get(tree, {})

    def all_images(self, trees: Collection[str]) -> "dict[str, dict[PlatformName, BuiltImage]]":
        """What was built of `trees`, by tree and platform."""
        return read_images(self.bare, trees)

    def image_keys(self) -> set[tuple[str, str]]:
        """Tree and platform of everything that was built."""
        return image_keys(self.bare)

    # — writing —

    def add_image(self, tree: str, image: "BuiltImage") -> "BuiltImage":
        """Keep what was built of a tree; the one that is kept, which is an older one of the same digest."""
        return add_image(self.bare, tree, image)

    def branch(self, new: str, start: Version) -> None:
        """Begin the workflow `new` with the history of `start`. Raises `BadInput` if it exists."""
        with self.bare.writing():
            self._refuse_existing(new)
            self.bare.update_refs((_branch(new), start.commit, ZERO))

    def tag(self, tag: str, version: Version, *, force: bool = False) -> None:
        """Call a version `NAME@tag`. Raises `BadInput` if another one is called so, unless `force`."""
        ref = f"refs/tags/{version.name}/{check_tag(tag)}"
        with self.bare.writing():
            old = self.bare.refs(ref).get(ref)
            if old not in (None, version.commit) and not force:
                fix = "take another name, or give --force"
                raise BadInput(f"{version.name}@{tag} is another version", where=str(self.path), fix=fix)
            self.bare.update_refs((ref, version.commit, old or ZERO))

    def untag(self, name: str, tag: str) -> str:
        """Remove a tag; the commit it stood for. Raises `NotFound`."""
        ref = f"refs/tags/{check_workflow_name(name)}/{check_tag(tag)}"
        with self.bare.writing():
            old = self.bare.refs(ref).get(ref)
            if old is None:
                raise NotFound(f"no tag {name}@{tag}", where=str(self.path), fix="`pycomfy tag` lists them")
            self.bare.update_refs((ref, ZERO, old))
        return old

    def rename(self, old: str, new: str) -> None:
        """Rename a workflow, with its tags. Raises `NotFound`, or `BadInput` if there is a `new` already."""
        with self.bare.writing():
            tip = self.find(Reference(old)).commit
            self._refuse_existing(new)
            changes = [(_branch(new), tip, ZERO), (_branch(old), ZERO, tip)]
            for ref, object_ in self.bare.refs(f"refs/tags/{old}").items():
                changes += [(f"refs/tags/{new}/{ref.split('/', 3)[3]}", object_, ZERO), (ref, ZERO, object_)]
            self.bare.update_refs(*changes)
            self._point_head(new)

    def remove(self, name: str, *, force: bool = False) -> str:
        """Remove a workflow with its tags; its newest commit. Raises `BadInput` for versions that no other workflow
        has, unless `force`."""
        with self.bare.writing():
            tip = self.find(Reference(name)).commit
            others = [_branch(n) for n in self.names() if n != name]
            lost = int(self.bare.must("rev-list", "--count", "--first-parent", tip, "--not", *others))
            if lost and not force:
                what = f"{name} has {lost} {'version' if lost == 1 else 'versions'} that no other workflow has"
                raise BadInput(
                    what, where=str(self.path), fix="give --force to lose them, or export or push them first"
                )
            tags = self.bare.refs(f"refs/tags/{name}")
            self.bare.update_refs((_branch(name), ZERO, tip), *((ref, ZERO, o) for ref, o in tags.items()))
            trees = self.bare.must("log", "--branches", "--tags", "--format=%T").decode().split()
            drop_images(self.bare, set(trees))
        return tip

    def commit(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        message: str,
        author: str | None = None,
        parents: tuple[str, ...] | None = None,
        besides: Collection[str] = (),
    ) -> CommitResult:
        """Make `files` the newest version of `name`, unless it has the very same already; a change in `besides` alone
        is none.

        `parents` are the newest version's commit, if not given; given, the first of them must be. Objects come first,
        then the branch points at them: whenever it is ended, the library is as it was or has the version.
        """
        check_workflow_name(name)
        with self.bare.writing():
            tip = self._tip(name)
            there, known = self.bare.list_objects(tip) if tip is not None else ({}, set())
            if parents and tip is not None and parents[0] != tip:
                raise BadInput(f"{name} has a newer version", where=str(self.path), fix="do it again")
            if tip is not None and parents is None and _same(there, files, besides):
                return CommitResult(self.find(Reference(name)), False)
            with open_writer(self.bare) as writer:
                tree = writer.write_tree(files, known)
                before = parents if parents is not None else (tip,) if tip is not None else ()
                now = datetime.now(UTC).replace(microsecond=0)
                made = writer.write_commit(NewCommit(tree, before, message, author, now))
            self.bare.update_refs((_branch(name), made, tip or ZERO))
            if tip is None:
                self._point_head(name)
            self._settle()
            return CommitResult(self.find(Reference(name)), True)

    def write_tree(self, files: Mapping[str, bytes]) -> str:
        """The tree that `files` are, to look for among versions; it is in the library then, but in no version yet."""
        with self.bare.writing(), open_writer(self.bare) as writer:
            return writer.write_tree(files)

    # — within —

    def _refuse_existing(self, name: str) -> None:
        if self._tip(name) is not None:
            fix = "take another name, or rename or remove that one"
            raise BadInput(f"there is a workflow {name} already", where=str(self.path), fix=fix)

    def _tip(self, name: str) -> str | None:
        return self.bare.resolve(_branch(check_workflow_name(name)))

    def _numbered(self, wanted: Reference) -> Version:
        commits = self.bare.must("rev-list", "--first-parent", "--reverse", _branch(wanted.name)).decode().split()
        number = wanted.version or 0
        if number <= len(commits):
            return self._log(wanted.name, commits[number - 1], "-1", newest=number)[0]
        if number >= 1000:  # a commit may be abbreviated to digits alone
            with contextlib.suppress(NotFound):
                return self._revision(wanted, str(number))
        there = f"the versions 1 to {len(commits)}" if len(commits) > 1 else "version 1 alone"
        raise NotFound(f"no version {wanted}", where=str(self.path), fix=f"{wanted.name} has {there}")

    def _revision(self, wanted: Reference, revision: str) -> Version:
        commit = self.bare.resolve(f"refs/tags/{wanted.name}/{check_tag(revision)}") if not revision.isdigit() else None
        if commit is None and 4 <= len(revision) <= 40 and set(revision.lower()) <= set("0123456789abcdef"):
            commit = self.bare.resolve(revision.lower())
            if commit is not None and self.bare.run("merge-base", "--is-ancestor", commit, _branch(wanted.name))[0]:
                commit = None
        if commit is None:
            tags = ", ".join(t.partition("@")[2] for t in self.tags(wanted.name)) or "none"
            fix = f"`pycomfy log {wanted.name}` lists its versions; tags are: {tags}"
            raise NotFound(f"no version {wanted}", where=str(self.path), fix=fix)
        along = self.bare.must("rev-list", "--first-parent", _branch(wanted.name)).decode().split()
        number = len(along) - along.index(commit) if commit in along else None
        return self._log(wanted.name, commit, "-1", newest=number)[0]

    def _log(self, name: str, *arguments: str, newest: int | None = -1) -> list[Version]:
        """Commits as versions; `newest` is the first one's number, -1 if it is to be counted, None if it has none."""
        form = "--format=" + "%x00".join(_FIELDS)
        command = ("log", "-z", "--no-mailmap", "--no-color", "--encoding=UTF-8", form, "--end-of-options")
        options = [a for a in arguments if a.startswith("-")]
        revisions = [a for a in arguments if not a.startswith("-")]
        text = self.bare.must(*command[:-1], *options, command[-1], *revisions).decode(errors="replace")
        parts = text.split("\0")
        rows = [parts[i : i + len(_FIELDS)] for i in range(0, len(parts) - len(_FIELDS) + 1, len(_FIELDS))]
        first = len(rows) if newest == -1 else newest
        return [_version(name, None if first is None else first - i, row) for i, row in enumerate(rows)]

    def _point_head(self, name: str) -> None:
        """See that HEAD, which `git clone` checks out, is a workflow."""
        if self.bare.resolve("HEAD") is None:
            self.bare.run("symbolic-ref", "HEAD", _branch(name))

    def _settle(self) -> None:
        """Pack what lies loose, now and then: versions differ little, so that packed they take little room."""
        folder = self.path / "objects" / "17"  # as git itself estimates
        if folder.is_dir() and sum(1 for _ in folder.iterdir()) >= _LOOSE:
            self.bare.run("gc", "--quiet")


def _same(there: Mapping[str, str], files: Mapping[str, bytes], besides: Collection[str]) -> bool:
    mine = {path: object_id(b"blob", data) for path, data in files.items() if path not in besides}
    return mine == {path: blob for path, blob in there.items() if path not in besides}


def _branch(name: str) -> str:
    return f"refs/heads/{name}"


def _version(name: str, number: int | None, row: Sequence[str]) -> Version:
    commit, parents, tree, author, when, message = row
    try:
        at = datetime.fromtimestamp(int(when), tz=UTC)
    except (ValueError, OverflowError, OSError):
        at = datetime.fromtimestamp(0, tz=UTC)
    return Version(
        name, number, commit, tuple(parents.split()), tree, message.strip("\n"), author, f"{at:%Y-%m-%dT%H:%M:%SZ}"
    )
