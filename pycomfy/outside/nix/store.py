"""Paths in the Nix store: which there should be, which there are, and putting trees there."""

import base64
import contextlib
import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pycomfy.errors import BuildFailed, HashMismatch, NoSpace
from pycomfy.flow.lock.model import TreeHash
from pycomfy.outside.files import full_disk_is_an_error
from pycomfy.outside.nix.settings import NixSettings
from pycomfy.outside.process import run


def fixed_path(settings: NixSettings, name: str, tree: TreeHash) -> str:
    """The store path of a folder `name` whose NAR has the hash `tree`."""
    hexadecimal = base64.b64decode(tree.removeprefix("sha256-")).hex()
    return _query(settings, "--print-fixed-path", "--recursive", "sha256", hexadecimal, name)


def is_valid(settings: NixSettings, path: str) -> bool:
    """Whether the store has `path`."""
    return run(settings.command("nix-store", "--check-validity", path)).returncode == 0


def add_tree(settings: NixSettings, name: str, tree: TreeHash, make: Callable[[Path], None]) -> str:
    """The store path of the folder that `make` fills, made only if the store lacks it.

    `make` gets a path that does not exist yet. Raises `HashMismatch` if what it makes does not have the hash `tree`;
    then nothing was added. Raises `NoSpace` for a full disk.
    """
    path = fixed_path(settings, name, tree)
    if is_valid(settings, path):
        return path
    with _workplace() as folder:
        place = folder / name
        with full_disk_is_an_error(place):
            make(place)
        made = _query(settings, "--add-fixed", "--recursive", "sha256", place)
    if made != path:
        raise HashMismatch(
            f"{name} is not what the lock says",
            where=f"made {made}, locked {path}",
            fix="run `pycomfy lock` again, and look at what changed",
        )
    return path


def closure_size(settings: NixSettings, path: str) -> int:
    """Bytes of `path` and all that it refers to."""
    paths = _query(settings, "--query", "--requisites", path).split()
    return sum(int(s) for s in _query(settings, "--query", "--size", *paths).split())


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pycomfy-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _query(settings: NixSettings, *arguments: str | Path) -> str:
    result = run(settings.command("nix-store", *arguments))
    if result.returncode == 0:
        return result.stdout.decode().strip()
    text = result.stderr.decode(errors="replace").strip()
    if "No space left on device" in text:
        with full_disk_is_an_error(Path("/nix/store")):
            raise OSError(errno.ENOSPC, text)
        raise NoSpace(text)  # unreachable; for the type checker
    raise BuildFailed(f"nix-store {arguments[0]} failed", where=text.splitlines()[-1] if text else "", fix="see above")
