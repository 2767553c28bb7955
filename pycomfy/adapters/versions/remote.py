"""Share versions through another git repository: send them there, and receive what is there."""

import contextlib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.clock import blames_time, clock_fix
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.temp_dirs import scratch_folder, temporary_folder
from pycomfy.adapters.versions.git import BareRepository
from pycomfy.adapters.versions.image_refs import PREFIX
from pycomfy.core.lockfile.git_url import GitUrl, parse_git_url, without_password
from pycomfy.errors import BadInput, NetworkError, NotFound, PycomfyError
from pycomfy.operation import is_dry_run, shield

INCOMING = "refs/incoming"
MAX_BYTES = 256 << 20  # of one file

_SHARED = ("heads", "tags", "images")


@dataclass(frozen=True)
class Sent:
    """What became of a ref: `state` is "new", "updated", "same" or "refused"; `why` is git's reason."""

    ref: str
    state: str
    why: str


def find_remote(bare: BareRepository, remote: str) -> GitUrl:
    """Return the address of a remote: an address itself, or the name of one of the repository's remotes. Raises
    `BadConfig`."""
    if bare.exists and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", remote):
        status, url, _ = bare.run("config", "--get", f"remote.{remote}.url")
        if status == 0:
            return parse_git_url(url.decode().strip(), where=f"the remote {remote}")
    address = parse_git_url(remote, where="REMOTE")
    if address.local and not address.url.startswith("file://"):
        path = str(Path(address.url).expanduser().absolute())
        return GitUrl(path, address.public, path, local=True)
    return address


def send(bare: BareRepository, address: GitUrl, refs: Sequence[str]) -> list[Sent]:
    """Send `refs`; nothing there is overwritten. Return what became of each; in a dry run, what would. Raises
    `NetworkError`, `NotFound`."""
    dry = ("--dry-run",) if is_dry_run() else ()
    status, output, message = bare.run("push", "--porcelain", *dry, "--", address.url, *(f"{r}:{r}" for r in refs))
    words = {" ": "updated", "+": "updated", "*": "new", "=": "same", "!": "refused", "-": "updated"}
    sent = []
    for line in output.decode(errors="replace").splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[0] in words:
            sent.append(Sent(parts[1].partition(":")[2], words[parts[0]], parts[2]))
    if status != 0 and not any(s.state == "refused" for s in sent):
        raise _explain(address, message, create=True)
    reported = {s.ref for s in sent}
    return [*sent, *(Sent(ref, "same", "") for ref in refs if ref not in reported)]


def fetch_objects(bare: BareRepository, address: GitUrl) -> dict[str, str]:
    """Take in every object that the other repository has, also those that git would take to be here; return what it
    has, as `received` does. Raises as that."""
    with temporary_folder(bare.path.parent, f".{bare.path.name}.") as folder, translate_disk_full(bare.path):
        new = BareRepository(folder / "new")
        new.init()
        _fetch(new, address)
        packs = new.path / "objects" / "pack"
        for file in sorted(packs.glob("pack-*"), key=lambda f: f.suffix == ".idx"):  # which makes git see the pack
            file.replace(bare.path / "objects" / "pack" / file.name)
        return new.refs(INCOMING)


@contextlib.contextmanager
def received(bare: BareRepository, address: GitUrl, *, damaged: bool = False) -> Iterator[dict[str, str]]:
    """Fetch what the other repository has, below `refs/incoming` for as long as the block runs: object by ref. git
    itself fetches nothing into a repository that is `damaged`.

    Raises `NetworkError`, `NotFound`; `BadInput` for a file of more than 256 MiB.
    """
    with bare.writing():
        pass  # there is a repository from here on
    with exclusive_lock(bare.path.with_suffix(".pull.lock")):
        try:
            if damaged:
                for ref, object_ in fetch_objects(bare, address).items():
                    bare.must("update-ref", ref, object_)
            else:
                _fetch(bare, address)
            yield bare.refs(INCOMING)
        finally:
            with shield():
                gone = "".join(f"delete {ref}\n" for ref in bare.refs(INCOMING))
                bare.run("update-ref", "--stdin", stdin=gone.encode("utf-8", "surrogateescape"))


def merge_text(
    bare: BareRepository, base: bytes, ours: bytes, theirs: bytes, *, prefer: str | None = None
) -> bytes | None:
    """Merge a file as git does; return None for a conflict. `prefer` "ours" or "theirs" settles conflicts."""
    with scratch_folder() as folder:
        paths = []
        for name, data in (("ours", ours), ("base", base), ("theirs", theirs)):
            path = Path(folder) / name
            path.write_bytes(data)
            paths.append(str(path))
        options = [f"--{prefer}"] if prefer in ("ours", "theirs") else []
        status, output, _ = bare.run("merge-file", "--stdout", "--quiet", *options, *paths)
    return output if status == 0 else None


def image_refs(bare: BareRepository, trees: set[str]) -> list[str]:
    """Return the refs to the images of `trees`."""
    return [ref for ref in bare.refs(PREFIX) if ref.split("/")[2] in trees]


def _fetch(bare: BareRepository, address: GitUrl) -> None:
    specs = [f"+refs/{kind}/*:{INCOMING}/{kind}/*" for kind in _SHARED]
    options = ("--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-auto-gc")
    status, _, message = bare.run("fetch", *options, "--", address.url, *specs)
    if status != 0:
        raise _explain(address, message, create=False)
    _refuse_large(bare, address)


def _refuse_large(bare: BareRepository, address: GitUrl) -> None:
    """Raise `BadInput` for a file that is too large: files are read into memory later on."""
    new = bare.must("rev-list", "--objects", "--no-object-names", f"--glob={INCOMING}/*", "--not", "--branches")
    sizes = bare.must("cat-file", "--batch-check=%(objectsize)", stdin=new).split()
    if any(int(size) > MAX_BYTES for size in sizes if size.isdigit()):
        what = f"it has a file larger than {MAX_BYTES >> 20} MiB, which no version of a workflow has"
        raise BadInput(what, where=address.public, fix="pull from a versions repository of pycomfy")


def _explain(address: GitUrl, message: str, *, create: bool) -> PycomfyError:
    """The error for git's message; `create`: whether a repository that is missing may be created."""
    lines = [re.sub(r"^(fatal|error|remote): ", "", line).strip() for line in message.splitlines() if line.strip()]
    text = re.sub(r"\S+://\S+", lambda m: without_password(m[0]), lines[0] if lines else "git failed")
    if re.search(r"not appear to be a git repository|not found|does not exist|No such file", message):
        fix = "correct the address"
        if create:
            init = f"git init --bare {shlex.quote(address.public)}"
            fix = init if address.local else "correct the address, or make the repository"
        return NotFound(f"no git repository: {text}", where=address.public, fix=fix)
    if "dubious ownership" in message:
        fix = f"git config --global --add safe.directory {shlex.quote(address.url)}"
        return NetworkError(text, where=address.public, fix=fix)
    fix = clock_fix() if blames_time(message) else "check the network, the address and your rights"
    return NetworkError(f"git cannot share with it: {text}", where=address.public, fix=fix)
