"""Read the git repository of a folder as files: its commit, its remote, its objects.

git never runs in it, so nothing starts what its configuration, hooks and filters name. Objects are read through a
repository of our own that borrows them.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.capture.files import read_text
from pycomfy.adapters.git.patches import PatchRepository
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.errors import BadConfig, BadInput

MAX_LINE = 4096
"""Bytes of a file that has one line."""

MAX_REFS = 20_000
MAX_BASES = 500
_HASH = re.compile(r"[0-9a-f]{40}")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")


@dataclass(frozen=True)
class GitFolder:
    """`own` is the folder with HEAD, `common` that with objects and branches; they are two in a linked working tree."""

    folder: Path
    own: Path
    common: Path
    refs: Mapping[str, str] = field(default_factory=dict)

    @property
    def objects(self) -> Path:
        """The folder of its objects."""
        return self.common / "objects"


@dataclass(frozen=True)
class Remote:
    """Where the repository was cloned from; `name` is git's. `url` has no login; `login` says that one was removed."""

    name: str
    url: str
    login: bool = False


def find_git(folder: Path, allowed: Sequence[Path]) -> GitFolder | None:
    """Return the repository of a working copy with `folder` at its top; None if it is not one.

    Raises `BadInput` for a repository outside the folders `allowed`: an untrusted file could point to any of this
    machine.
    """
    path = folder / ".git"
    if not os.path.lexists(path):
        return None
    if path.is_file() and not path.is_symlink():
        text = read_text(path, MAX_LINE).strip()
        if not text.startswith("gitdir: "):
            raise refused(folder, ".git is malformed")
        path = folder / text.removeprefix("gitdir: ")
    own = _within(path, allowed, folder)
    common = own
    if (own / "commondir").is_file():
        common = _within(own / read_text(own / "commondir", MAX_LINE).strip(), allowed, folder)
    _within(common / "objects", allowed, folder)
    return GitFolder(folder, own, common, _read_refs(common))


def read_head(git: GitFolder) -> tuple[str, str | None]:
    """Return the commit that is checked out, and the branch if there is one. Raises `BadInput`."""
    head = read_text(git.own / "HEAD", MAX_LINE).strip()
    branch = None
    for _ in range(5):
        if not head.startswith("ref:"):
            break
        name = head.removeprefix("ref:").strip()
        if not _REF.fullmatch(name) or ".." in name:
            break
        branch = branch or name.removeprefix("refs/heads/")
        head = git.refs.get(name, "")
    if not _HASH.fullmatch(head):
        raise refused(git.folder, "no readable commit is checked out")
    return head, branch


def find_remote(git: GitFolder, branch: str | None, reader: PatchRepository) -> Remote | None:
    """Return the remote that the branch follows, else `origin`, else the only one; None without any of these. Raises
    `BadInput` for an address that git must not be given."""
    settings = read_settings(git, reader)
    urls = {k[len("remote.") : -len(".url")]: v for k, v in settings.items() if re.fullmatch(r"remote\..+\.url", k)}
    names = [settings.get(f"branch.{branch}.remote", ""), "origin", *(urls if len(urls) == 1 else ())]
    name = next((n for n in names if n in urls), None)
    if name is None:
        return None
    url = urls[name]
    try:
        address = parse_git_url(url)
        if address.local and not url.startswith("file://"):
            path = os.path.normpath(git.folder / url)
            address = parse_git_url(path)
    except BadConfig as e:
        raise refused(git.folder, f"the remote cannot be used: {e.what}") from e
    return Remote(name, address.public, address.public != address.url)


def read_settings(git: GitFolder, reader: PatchRepository) -> Mapping[str, str]:
    """Return the repository's configuration as data: the keys of its own file, without those of included files."""
    path = git.common / "config"
    if not path.is_file() or path.stat().st_size > 1 << 20:
        return {}
    status, output, _ = reader.git("config", "--file", str(path), "--no-includes", "-z", "--list")
    if status != 0:
        raise refused(git.folder, "the configuration cannot be read")
    settings: dict[str, str] = {}
    for record in output.decode(errors="replace").split("\0")[:-1]:
        key, _, value = record.partition("\n")
        settings.setdefault(key, value)
    return settings


def borrow(git: GitFolder, reader: PatchRepository) -> None:
    """Let `reader` read the repository's objects. Raises `BadInput`."""
    if "\n" in str(git.objects) or str(git.objects).startswith('"'):
        raise refused(git.folder, "its path has characters that git cannot be given")
    reader.add_alternates([git.objects.resolve()])
    shallow = git.common / "shallow"
    if shallow.is_file():
        known = [line for line in read_text(shallow).split() if _HASH.fullmatch(line)]
        with (reader.folder / "shallow").open("a") as f:
            f.write("".join(line + "\n" for line in known))


def find_published(git: GitFolder, head: str, remote: Remote, reader: PatchRepository) -> tuple[str, int | None]:
    """Return the newest commit up to `head` that the remote is known to have, and how many commits `head` is ahead.

    If nothing is known of the remote's branches, these are `head` and None. Raises `BadInput` if the two have no commit
    in common.
    """
    prefix = f"refs/remotes/{remote.name}/"
    theirs = {h for name, h in git.refs.items() if name.startswith((prefix, "refs/tags/"))}
    names = "".join(f"{h}^{{commit}}\n" for h in sorted(theirs)[:MAX_REFS]).encode()
    listed = reader.must("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=names).decode(errors="replace")
    commits = [line.split()[0] for line in listed.splitlines() if re.fullmatch(r"[0-9a-f]{40} commit", line)]
    if not commits:
        return head, None
    if head in commits:
        return head, 0
    revisions = "".join(f"{line}\n" for line in (head, *(f"^{c}" for c in commits))).encode()
    status, output, message = reader.git("rev-list", "--stdin", stdin=revisions)
    if status != 0:
        raise refused(git.folder, f"the history cannot be read: {message[-200:]}")
    ahead = len(output.split())
    if ahead == 0:
        return head, 0
    status, output, _ = reader.git("merge-base", head, *commits[:MAX_BASES])
    base = output.decode(errors="replace").strip()
    if status != 0 or not _HASH.fullmatch(base):
        raise refused(git.folder, "no commit in common with the remote")
    return base, ahead


def refused(folder: Path, why: str) -> BadInput:
    """Return the error for a repository that cannot be read, or must not be."""
    return BadInput(
        f"the git repository is not used: {why}", where=str(folder), fix=("repair it", "remove its .git folder")
    )


def _within(path: Path, allowed: Sequence[Path], folder: Path) -> Path:
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(os.path.realpath(top)) for top in allowed):
        raise refused(folder, f"it is outside the installation, in {real}")
    if not real.is_dir():
        raise refused(folder, f"no such folder: {real}")
    return real


def _read_refs(common: Path) -> dict[str, str]:
    """Every ref by name, with its commit, or `ref: NAME` for one that points to another."""
    refs: dict[str, str] = {}
    for line in read_text(common / "packed-refs").splitlines():
        value, _, name = line.partition(" ")
        if _HASH.fullmatch(value) and _REF.fullmatch(name):
            refs[name] = value
    for parent, folders, files in os.walk(common / "refs"):
        folders.sort()
        for file in sorted(files):
            path = Path(parent, file)
            value = "" if path.is_symlink() else read_text(path, MAX_LINE).strip()
            if value and len(refs) < MAX_REFS:
                refs[path.relative_to(common).as_posix()] = value
    return refs
