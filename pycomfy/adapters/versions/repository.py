"""Keep every version of every workflow: a branch per workflow, a commit per version, its tree the project."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pycomfy.adapters.git.runner import find_reason
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.git import ZERO, BareRepository, DamagedRepository
from pycomfy.adapters.versions.image_refs import PREFIX, add_image, drop_images, read_images, select_images
from pycomfy.adapters.versions.lookup import HEADS, find_tip, find_version, list_tags, list_tips, select_tips
from pycomfy.adapters.versions.version import Version, read_branch
from pycomfy.core.versions.reference import Reference, check_tag, check_workflow_name
from pycomfy.errors import BadInput, NotFound, PycomfyError, suggest

if TYPE_CHECKING:
    from pycomfy.core.lockfile.platforms import PlatformName
    from pycomfy.core.versions.built_image import BuiltImage

Report = Callable[[PycomfyError], object]

MAX_BYTES = 256 << 20
"""Of all files of a version."""

MAX_FILE = 64 << 20
"""Of a file that is read to compare versions."""

_MAX_LOOSE = 2  # files in one of 256 folders: with more, some 700 objects lie loose, and are packed


def versions_repository_path(paths: Paths) -> Path:
    """Return the folder of the versions repository, which need not exist."""
    return paths.data / "library.git"


class CommitResult(NamedTuple):
    """`new` is False if the newest version has the same files already."""

    version: Version
    new: bool


class VersionsRepository:
    """The versions repository at `path`, created when the first version is committed. Any number of processes may use
    it at once.

    Raises `NoSpace` for a full disk, `MissingTool` without git.
    """

    def __init__(self, path: Path) -> None:
        self.bare = BareRepository(path)

    @property
    def path(self) -> Path:
        return self.bare.path

    # — reading —

    def names(self) -> list[str]:
        """Return every workflow's name, sorted."""
        return list(self.tips())

    def tips(self) -> dict[str, str]:
        """Return the newest commit of every workflow, sorted by name. Other branches are left out."""
        return list_tips(self.bare)

    def lost_names(self, tips: Collection[str]) -> set[str]:
        """Return the workflows that are not among `tips`, and were not removed: their branch cannot be read."""
        return set(select_tips(dict.fromkeys(self.bare.refs_left(HEADS) - {_branch(name) for name in tips}, "")))

    def lost(self, name: str) -> DamagedRepository:
        """Return the error for a workflow with versions whose branch cannot be read."""
        error = self.bare.damaged(f"the branch {name} cannot be read")
        error.fixes = (*error.fixes, suggest("rm", "forgets its versions", name=name, force=True))
        return error

    def versions(self, name: str) -> list[Version]:
        """Return the versions along a workflow's branch, newest first; none if it does not exist."""
        return [] if find_tip(self.bare, name) is None else read_branch(self.bare, name)

    def find(self, reference: Reference | str) -> Version:
        """Return the version that `reference` names. Raises `NotFound`, or `BadInput` for what cannot name one."""
        return find_version(self.bare, reference)

    def read_files(self, commit: str) -> dict[str, bytes]:
        """Return every file of a version, by path. Raises `BadInput` for links, and for more than 256 MiB."""
        entries = self.bare.list_tree(commit)
        if sum(e.size for e in entries) > MAX_BYTES:
            what = f"its files are larger than {MAX_BYTES >> 20} MiB"
            raise BadInput(what, where=f"commit {commit}", fix="take another version")
        blobs = self.bare.read_blobs([e.blob for e in entries])
        if missing := [e.path for e in entries if e.blob not in blobs]:
            raise self.bare.damaged(f"{missing[0]} of commit {commit[:12]} cannot be read")
        return {e.path: blobs[e.blob] for e in entries}

    def read_some(self, commits: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, bytes]]:
        """Return, by commit, those of the files `names` that it has; for many commits at once. One of more than 64 MiB
        is left out."""
        sizes = self.bare.sizes([f"{commit}:{name}" for commit in commits for name in names])
        blobs = self.bare.read_blobs([name for name, size in sizes.items() if size <= MAX_FILE])
        return {c: {n: blobs[f"{c}:{n}"] for n in names if f"{c}:{n}" in blobs} for c in commits}

    def batches(
        self, versions: Sequence[Version], names: Sequence[str], *, count: int, size: int
    ) -> Iterator[list[Version]]:
        """Yield the versions in batches that can be read at once: of at most `count` versions, and `size` bytes in
        their files `names` unless it is one version."""
        sizes = self.bare.sizes([f"{version.commit}:{name}" for version in versions for name in names])
        batch: list[Version] = []
        total = 0
        for version in versions:
            own = sum(min(sizes.get(f"{version.commit}:{name}", 0), MAX_FILE) for name in names)
            if batch and (len(batch) == count or total + own > size):
                yield batch
                batch, total = [], 0
            batch.append(version)
            total += own
        if batch:
            yield batch

    def tags(self, name: str | None = None) -> dict[str, str]:
        """Return the commit of each tag, by `NAME@tag`, of one workflow or all."""
        return list_tags(self.bare, name)

    def commits(self, report: Report | None = None) -> dict[str, str]:
        """Return the tree of every commit of any branch or tag, newest first. Calls `report` for those that cannot be
        read; without it, raises `DamagedRepository`."""
        if not self.bare.exists:
            return {}
        lost = self.bare.lost_refs(HEADS, "refs/tags")
        errors = [self.bare.damaged(f"{ref} cannot be read") for ref in sorted(lost)]
        done = self.bare.run("log", "--branches", "--tags", "--format=%H %T")
        words = done.output.decode().split()
        if done.status != 0:
            for ref in self.bare.refs(HEADS, "refs/tags"):
                one = self.bare.run("log", "--format=%H %T", ref, "--")
                words += one.output.decode().split()  # up to what is damaged
                if one.status != 0:
                    errors.append(self.bare.damaged(find_reason(one.message)))
        for error in errors:
            if report is None:
                raise error
            report(error)
        return dict(zip(words[::2], words[1::2], strict=True))

    def trees(self, names: Sequence[str]) -> set[str]:
        """Return the trees of every commit of these workflows."""
        branches = [_branch(name) for name in names]
        return set(self.bare.read("log", "--format=%T", *branches, "--").decode().split())

    def images(self, tree: str) -> "dict[PlatformName, BuiltImage]":
        """Return what was built of a version's tree, by platform."""
        return read_images(self.bare, [tree]).get(tree, {})

    def all_images(self, trees: Collection[str]) -> "dict[str, dict[PlatformName, BuiltImage]]":
        """Return what was built of `trees`, by tree and platform."""
        return read_images(self.bare, trees)

    def tips_and_images(self) -> tuple[dict[str, str], set[tuple[str, str]]]:
        """Return the newest commit of every workflow, and tree and platform of every image, by one call of git."""
        refs = self.bare.refs(HEADS, PREFIX)
        return select_tips(refs), select_images(refs)

    # — writing —

    def add_image(self, tree: str, image: "BuiltImage") -> "BuiltImage":
        """Keep what was built of a tree; return the one that is kept, which is an older one of the same digest."""
        return add_image(self.bare, tree, image)

    def branch(self, new: str, start: Version) -> None:
        """Begin the workflow `new` with the history of `start`. Raises `BadInput` if it exists."""
        with self.bare.writing():
            self._refuse_existing(new)
            self.bare.update_refs((_branch(new), start.commit, ZERO))

    def tag(self, tag: str, version: Version, *, force: bool = False) -> None:
        """Call a version `NAME@tag`. Raises `BadInput` if another version has the tag, unless `force`."""
        ref = f"refs/tags/{version.name}/{check_tag(tag)}"
        with self.bare.writing():
            old = self.bare.refs(ref).get(ref)
            if old not in (None, version.commit) and not force:
                fixes = ("take another name", suggest("retry", "moves the tag", force=True))
                raise BadInput(f"{version.name}@{tag} is another version", where=str(self.path), fix=fixes)
            self.bare.update_refs((ref, version.commit, old or ZERO))

    def untag(self, name: str, tag: str) -> str:
        """Remove a tag; return the commit that it stood for. Raises `NotFound` for an unknown workflow or tag."""
        ref = f"refs/tags/{check_workflow_name(name)}/{check_tag(tag)}"
        with self.bare.writing(create=False):
            self.find(Reference(name))
            old = self.bare.refs(ref).get(ref)
            if old is None:
                raise NotFound(f"no tag {name}@{tag}", where=str(self.path), fix=suggest("tag", "lists them"))
            self.bare.update_refs((ref, ZERO, old))
        return old

    def rename(self, old: str, new: str) -> None:
        """Rename a workflow, with its tags. Raises `NotFound`, or `BadInput` if there is a `new` already."""
        with self.bare.writing(create=False):
            tip = self.find(Reference(old)).commit
            self._refuse_existing(new)
            changes = [(_branch(new), tip, ZERO), (_branch(old), ZERO, tip)]
            for ref, object_ in self.bare.refs(f"refs/tags/{old}").items():
                changes += [(f"refs/tags/{new}/{ref.split('/', 3)[3]}", object_, ZERO), (ref, ZERO, object_)]
            self.bare.update_refs(*changes)
            self._point_head(new)

    def remove(self, name: str, *, force: bool = False) -> str:
        """Remove a workflow with its tags, whether it can be read or not; return its newest commit, "" if that is not
        known. Raises `BadInput` for versions that no other workflow has, unless `force`."""
        with self.bare.writing(create=False):
            tip = self.tips().get(name)
            if tip is None and name not in self.lost_names(()):
                self.find(Reference(name))  # which says that it is unknown
            others = [_branch(n) for n in self.names() if n != name]
            # `^` with a branch that cannot be read is an error.
            counted = self.bare.run("rev-list", "--count", "--first-parent", tip or "", "--not", *others, "--")
            lost = int(counted.output) if counted.status == 0 else None
            if lost != 0 and not force:
                count = "versions that cannot be counted, as the versions repository is damaged"
                if lost is not None:
                    count = f"{lost} {'version' if lost == 1 else 'versions'} that no other workflow has"
                fixes = ("export or push them first", suggest("retry", "loses them", force=True))
                raise BadInput(f"{name} has {count}", where=str(self.path), fix=fixes)
            mine = (_branch(name), f"refs/tags/{name}/")
            self.bare.update_refs(*((r, ZERO, o) for r, o in self.bare.refs(*mine).items() if r.startswith(mine)))
            self.bare.remove_lost(*mine)
            with contextlib.suppress(DamagedRepository):  # images of what cannot be read are kept
                drop_images(self.bare, set(self.commits().values()))
        return tip or ""

    def commit(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        message: str,
        created_at: datetime,
        author: str | None = None,
        parents: tuple[str, ...] | None = None,
        besides: Collection[str] = (),
    ) -> CommitResult:
        """Make `files` the newest version of `name`, unless it has the very same already; a change in `besides` alone
        does not count. `author` is "Name <email>", by default whom git's settings name.

        `parents` are by default the newest version's commit; if given, that must be the first of them. Objects come
        first, then the branch points at them: whenever it is ended, the repository is as it was or has the version.
        """
        from pycomfy.adapters.versions.commits import NewCommit, object_id, open_writer

        check_workflow_name(name)
        with self.bare.writing():
            tip = find_tip(self.bare, name)
            there, known = self.bare.list_objects(tip) if tip is not None else ({}, set())
            if parents and tip is not None and parents[0] != tip:
                raise BadInput(f"{name} has a newer version", where=str(self.path), fix=suggest("retry"))
            if tip is not None and parents is None:
                given = {path: object_id(b"blob", data) for path, data in files.items() if path not in besides}
                if given == {path: blob for path, blob in there.items() if path not in besides}:
                    return CommitResult(self.find(Reference(name)), False)
            with open_writer(self.bare) as writer:
                tree = writer.write_tree(files, known)
                before = parents if parents is not None else (tip,) if tip is not None else ()
                made = writer.write_commit(NewCommit(tree, before, message, author, created_at))
            self.bare.update_refs((_branch(name), made, tip or ZERO))
            if tip is None:
                self._point_head(name)
            self._pack()
            return CommitResult(self.find(Reference(name)), True)

    def write_tree(self, files: Mapping[str, bytes]) -> str:
        """Return the tree of `files`, to look for among versions. It is in the repository then, but in no version."""
        from pycomfy.adapters.versions.commits import open_writer

        with self.bare.writing(), open_writer(self.bare) as writer:
            return writer.write_tree(files)

    # — within —

    def _refuse_existing(self, name: str) -> None:
        if find_tip(self.bare, name) is not None:
            fix = "take another name, or rename or remove that one"
            raise BadInput(f"there is a workflow {name} already", where=str(self.path), fix=fix)

    def _point_head(self, name: str) -> None:
        """See that HEAD, which `git clone` checks out, is a workflow."""
        if self.bare.resolve("HEAD") is None:
            self.bare.run("symbolic-ref", "HEAD", _branch(name))

    def _pack(self) -> None:
        """Pack loose objects, now and then: versions differ little, so that packed they take little room."""
        folder = self.path / "objects" / "17"  # as git itself estimates
        if folder.is_dir() and sum(1 for _ in folder.iterdir()) > _MAX_LOOSE:
            self.bare.run("gc", "--quiet")


def _branch(name: str) -> str:
    return f"refs/heads/{name}"
