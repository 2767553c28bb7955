"""Paths in the Nix store: which there should be, which there are, and putting trees there."""

import base64
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pycomfy.adapters.io.atomic_files import says_disk_is_full, translate_disk_full
from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.nix.internal_json import no_space_for
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.lock_types import TreeHash
from pycomfy.errors import BuildFailed, HashMismatch, NoSpace, NotFound, PycomfyError


def fixed_path(settings: NixSettings, name: str, tree: TreeHash) -> str:
    """The store path of a folder `name` whose NAR has the hash `tree`."""
    hexadecimal = base64.b64decode(tree.removeprefix("sha256-")).hex()
    return _query(settings, "--print-fixed-path", "--recursive", "sha256", hexadecimal, name)


def is_valid(settings: NixSettings, path: str) -> bool:
    """Whether the store has `path`."""
    return run(settings.command("nix-store", "--check-validity", path)).returncode == 0


def valid_paths(settings: NixSettings, paths: Sequence[str]) -> list[str]:
    """Those of `paths` that the store has."""
    if not paths:
        return []
    invalid = set(_query(settings, "--check-validity", "--print-invalid", *paths).split())
    return [path for path in paths if path not in invalid]


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
        with translate_disk_full(place):
            make(place)
        try:
            made = _query(settings, "--add-fixed", "--recursive", "sha256", place)
        except NoSpace:
            # Nix leaves what it had written: not valid, but on a disk that is full.
            run(settings.command("nix-store", "--delete", path))
            raise
    if made != path:
        raise HashMismatch(
            f"{name} is not what the lock says",
            where=f"made {made}, locked {path}",
            fix="run `pycomfy lock` again, and look at what changed",
        )
    return path


def add_file(settings: NixSettings, name: str, sha256: str, file: Path) -> str:
    """The store path of a file `name` with the hash `sha256` (hexadecimal), copied from `file` only if the store lacks
    it. Raises `NotFound` without it, `HashMismatch` if it is another, `NoSpace` for a full disk."""
    path = _query(settings, "--print-fixed-path", "sha256", sha256, name)
    if is_valid(settings, path):
        return path
    if not file.is_file():
        raise NotFound(f"{name} is gone", where=str(file), fix="put it back, or run `pycomfy lock` again")
    with _workplace() as folder, translate_disk_full(folder):
        # The store calls it as the file is called, and a link would be added as a link.
        place = file if file.name == name and not file.is_symlink() else Path(shutil.copyfile(file, folder / name))
        made = _query(settings, "--add-fixed", "sha256", place)
    if made != path:
        raise HashMismatch(
            f"{name} is not what the lock says", where=str(file), fix="run `pycomfy lock` again, if it was changed"
        )
    return path


def output_paths(settings: NixSettings, project: Path, attribute: str, platform: str) -> list[str]:
    """The store paths that an attribute of a project's `default.nix` will have, built or not."""
    command = settings.command("nix-instantiate", project, "--attr", attribute, "--argstr", "platform", platform)
    result = run(command)
    if result.returncode != 0:
        raise BuildFailed(
            f"Nix cannot evaluate {attribute}", where=result.stderr.decode(errors="replace").strip(), fix="see above"
        )
    return _query(settings, "--query", "--outputs", *result.stdout.decode().split()).split()


def keep(settings: NixSettings, path: str, link: Path) -> None:
    """Make `link` a link to `path`, and a root that the garbage collector respects."""
    link.parent.mkdir(parents=True, exist_ok=True)
    _query(settings, "--realise", path, "--add-root", link, "--indirect")


def copy_paths(settings: NixSettings, paths: Sequence[str], to: Path) -> int:
    """Copy those of `paths` that the store has to the store under the root folder `to`; how many these were."""
    there = valid_paths(settings, paths)
    if there:
        features = ("--extra-experimental-features", "nix-command")
        command = settings.command("nix", *features, "copy", "--no-check-sigs", "--to", to, *there)
        result = run(command)
        if result.returncode != 0:
            raise _failure("nix copy", result.stderr.decode(errors="replace"), to)
    return len(there)


@contextlib.contextmanager
def empty_store(beside: Path) -> Iterator[Path]:
    """The root folder of a new store below `beside`; it is removed in the end."""
    with temporary_folder(beside, ".store-") as folder:
        yield folder


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
    raise _failure(f"nix-store {arguments[0]}", result.stderr.decode(errors="replace"), settings.store)


def _failure(command: str, text: str, store: Path | None) -> PycomfyError:
    if says_disk_is_full(text):
        return no_space_for(store)
    return BuildFailed(f"{command} failed", where=text.strip()[-1000:], fix="what Nix says above")
