"""The git repository that a folder is a working copy of: its commit, its remote, its objects, read as files.

git never runs in it: what its configuration, its hooks and its filters would start is started by nobody. Objects are
read through a repository of our own that borrows them.
"""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.git.patches import PatchRepository
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.errors import BadConfig, BadInput

MAX_TEXT = 32 << 20
MAX_REFS = 20_000
MAX_BASES = 500
_HASH = re.compile(r"[0-9a-f]{40}")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")


@dataclass(frozen=True)
class GitFolder:
    """`own` is where HEAD is, `common` where objects and branches are: the same, but in a linked working tree."""

    folder: Path
    own: Path
    common: Path
    refs: Mapping[str, str] = field(default_factory=dict)

    @property
    def objects(self) -> Path:
        return self.common / "objects"


@dataclass(frozen=True)
class Remote:
    """Where the repository came from; `name` is git's. `url` has no login, `login` tells that one was dropped."""

    name: str
    url: str
    login: bool = False


def find_git(folder: Path, inside: Sequence[Path]) -> GitFolder | None:
    """The repository of a working copy whose top is `folder`; None if it is none.

    Raises `BadInput` for one that lies outside of the folders `inside`, where a stranger's file could point to any
    repository of this machine.
    """
    place = folder / ".git"
    if not os.path.lexists(place):
        return None
    if place.is_file() and not place.is_symlink():
        said = read_small(place, 4096).strip()
        if not said.startswith("gitdir: "):
            raise refused(folder, "its .git is no repository")
        place = folder / said.removeprefix("gitdir: ")
    own = _within(place, inside, folder)
    common = own
    if (own / "commondir").is_file():
        common = _within(own / read_small(own / "commondir", 4096).strip(), inside, folder)
    _within(common / "objects", inside, folder)
    return GitFolder(folder, own, common, _read_refs(common))


def read_head(git: GitFolder) -> tuple[str, str | None]:
    """The commit that is checked out, and the branch. Raises `BadInput`."""
    said = read_small(git.own / "HEAD", 4096).strip()
    branch = None
    for _ in range(5):
        if not said.startswith("ref:"):
            break
        name = said.removeprefix("ref:").strip()
        if not _REF.fullmatch(name) or ".." in name:
            break
        branch = branch or name.removeprefix("refs/heads/")
        said = git.refs.get(name, "")
    if not _HASH.fullmatch(said):
        raise refused(git.folder, "no commit is checked out that can be read")
    return said, branch


def find_remote(git: GitFolder, branch: str | None, shop: PatchRepository) -> Remote | None:
    """The remote that the branch follows, else `origin`, else the only one; None without one that can be named."""
    settings = read_settings(git, shop)
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
        raise refused(git.folder, f"its remote cannot be used: {e.what}") from e
    return Remote(name, address.public, address.public != address.url)


def read_settings(git: GitFolder, shop: PatchRepository) -> Mapping[str, str]:
    """The repository's configuration as data: what stands in its file, without what that includes."""
    path = git.common / "config"
    if not path.is_file() or path.stat().st_size > 1 << 20:
        return {}
    status, output, _ = shop.git("config", "--file", str(path), "--no-includes", "-z", "--list")
    if status != 0:
        raise refused(git.folder, "its configuration cannot be read")
    settings: dict[str, str] = {}
    for record in output.decode(errors="replace").split("\0")[:-1]:
        key, _, value = record.partition("\n")
        settings.setdefault(key, value)
    return settings


def borrow(git: GitFolder, shop: PatchRepository) -> None:
    """Let `shop` read the repository's objects. Raises `BadInput`."""
    if "\n" in str(git.objects) or str(git.objects).startswith('"'):
        raise refused(git.folder, "its path cannot be written down")
    shop.lend([git.objects.resolve()])
    shallow = git.common / "shallow"
    if shallow.is_file():
        known = [line for line in read_small(shallow).split() if _HASH.fullmatch(line)]
        with (shop.folder / "shallow").open("a") as f:
            f.write("".join(line + "\n" for line in known))


def find_published(git: GitFolder, head: str, remote: Remote, shop: PatchRepository) -> tuple[str, int | None]:
    """The newest commit up to `head` that the remote is known to have, and how many commits `head` is ahead of it.

    Where nothing is known of the remote's branches it is `head` itself, ahead by None. Raises `BadInput` if they have
    no commit in common.
    """
    prefix = f"refs/remotes/{remote.name}/"
    theirs = {h for name, h in git.refs.items() if name.startswith((prefix, "refs/tags/"))}
    asked = "".join(f"{h}^{{commit}}\n" for h in sorted(theirs)[:MAX_REFS]).encode()
    listed = shop.must("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked).decode(errors="replace")
    commits = [line.split()[0] for line in listed.splitlines() if re.fullmatch(r"[0-9a-f]{40} commit", line)]
    if not commits:
        return head, None
    if head in commits:
        return head, 0
    revisions = "".join(f"{line}\n" for line in (head, *(f"^{c}" for c in commits))).encode()
    status, output, message = shop.git("rev-list", "--stdin", stdin=revisions)
    if status != 0:
        raise refused(git.folder, f"its history cannot be read: {message[-200:]}")
    ahead = len(output.split())
    if ahead == 0:
        return head, 0
    status, output, _ = shop.git("merge-base", head, *commits[:MAX_BASES])
    base = output.decode(errors="replace").strip()
    if status != 0 or not _HASH.fullmatch(base):
        raise refused(git.folder, "its commits have nothing in common with those of its remote")
    return base, ahead


def read_small(path: Path, limit: int = MAX_TEXT) -> str:
    """A text file of the installation; empty if it cannot be read, is no file, or is larger than `limit` bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as f:
            about = os.fstat(f.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
                return ""
            return f.read(limit + 1).decode("utf-8-sig", errors="replace")
    except (OSError, ValueError):
        return ""


def refused(folder: Path, why: str) -> BadInput:
    return BadInput(
        f"the git repository is not used: {why}", where=str(folder), fix="mend it, or capture it as a folder"
    )


def _within(place: Path, inside: Sequence[Path], folder: Path) -> Path:
    real = Path(os.path.realpath(place))
    if not any(real.is_relative_to(os.path.realpath(top)) for top in inside):
        raise refused(folder, f"it lies elsewhere, in {real}")
    if not real.is_dir():
        raise refused(folder, f"there is no folder {real}")
    return real


def _read_refs(common: Path) -> dict[str, str]:
    """Every ref by name; one that stands for another has that as its value, as `ref: …`."""
    refs: dict[str, str] = {}
    for line in read_small(common / "packed-refs").splitlines():
        value, _, name = line.partition(" ")
        if _HASH.fullmatch(value) and _REF.fullmatch(name):
            refs[name] = value
    for parent, folders, files in os.walk(common / "refs"):
        folders.sort()
        for file in sorted(files):
            path = Path(parent, file)
            value = "" if path.is_symlink() else read_small(path, 4096).strip()
            if value and len(refs) < MAX_REFS:
                refs[path.relative_to(common).as_posix()] = value
    return refs
