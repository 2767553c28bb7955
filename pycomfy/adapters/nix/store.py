"""The Nix store: which paths it has or should have, and how to add files and trees."""

import base64
import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pycomfy.adapters.io.atomic_files import says_disk_is_full, translate_disk_full
from pycomfy.adapters.io.temp_dirs import scratch_folder, temporary_folder
from pycomfy.adapters.nix.internal_json import no_space_in_store
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.lock_types import TreeHash
from pycomfy.errors import BuildFailed, HashMismatch, NoSpace, NotFound, PycomfyError, suggest

_REFUSED = re.compile(r"annot delete path '([^']+)'")
_MAX_REFUSED = 50


def fixed_path(settings: NixSettings, name: str, tree: TreeHash) -> str:
    """Return the store path of a folder `name` whose NAR has the hash `tree`."""
    hexadecimal = base64.b64decode(tree.removeprefix("sha256-")).hex()
    return _query(settings, "--print-fixed-path", "--recursive", "sha256", hexadecimal, name)


def is_valid(settings: NixSettings, path: str) -> bool:
    """Return whether the store has `path`."""
    return settings.run("nix-store", "--check-validity", path).returncode == 0


def valid_paths(settings: NixSettings, paths: Sequence[str]) -> list[str]:
    """Return those of `paths` that the store has."""
    if not paths:
        return []
    invalid = set(_query(settings, "--check-validity", "--print-invalid", *paths).split())
    return [path for path in paths if path not in invalid]


def add_tree(settings: NixSettings, name: str, tree: TreeHash, make: Callable[[Path], None]) -> str:
    """Return the store path of the folder that `make` fills. It is made only if the store lacks it.

    `make` gets a path that does not exist yet. Raises `HashMismatch` if what it makes does not have the hash `tree`;
    then nothing was added. Raises `NoSpace` for a full disk.
    """
    path = fixed_path(settings, name, tree)
    if is_valid(settings, path):
        return path
    with _temporary_folder() as folder:
        with translate_disk_full(folder / name):
            make(folder / name)
        try:
            made = _query(settings, "--add-fixed", "--recursive", "sha256", folder / name)
        except NoSpace:
            # Nix leaves what it had written: invalid, but on a full disk.
            settings.run("nix-store", "--delete", path)
            raise
    if made != path:
        raise HashMismatch(
            f"{name} is not what the lock says",
            where=f"made {made}, locked {path}",
            fix=suggest("lock", "and look at what changed"),
        )
    return path


def add_file(settings: NixSettings, name: str, sha256: str, file: Path) -> str:
    """Return the store path of a file `name` with the hash `sha256` (hexadecimal). It is copied from `file` only if the
    store lacks it. Raises `NotFound` without `file`, `HashMismatch` if it is another one, `NoSpace` for a full disk."""
    path = _query(settings, "--print-fixed-path", "sha256", sha256, name)
    if is_valid(settings, path):
        return path
    if not file.is_file():
        raise NotFound(f"{name} is gone", where=str(file), fix=("put it back", suggest("lock", "without it")))
    with _temporary_folder() as folder, translate_disk_full(folder):
        # The store takes the file's name, and would add a link as a link.
        named = file if file.name == name and not file.is_symlink() else Path(shutil.copyfile(file, folder / name))
        made = _query(settings, "--add-fixed", "sha256", named)
    if made != path:
        fix = suggest("lock", "if it was changed on purpose")
        raise HashMismatch(f"{name} is not what the lock says", where=str(file), fix=fix)
    return path


def add_gc_root(settings: NixSettings, path: str, link: Path) -> None:
    """Make `link` a link to `path`, so that the garbage collector keeps it."""
    link.parent.mkdir(parents=True, exist_ok=True)
    _query(settings, "--realise", path, "--add-root", link, "--indirect")


def delete_paths(settings: NixSettings, paths: Sequence[str]) -> list[str]:
    """Delete those of `paths` that nothing needs, and return which these were. What a root of the garbage collector or
    another path needs, or a process of Nix's that runs, stays."""
    left = list(paths)
    # Nix deletes one after the other, and ends at the first that it refuses.
    for _ in range(_MAX_REFUSED):
        result = settings.run("nix-store", "--delete", *left)
        refused = _REFUSED.search(result.stderr.decode(errors="replace"))
        if result.returncode == 0 or refused is None or refused[1] not in left:
            break
        left.remove(refused[1])
        if not left:
            break
    still = set(valid_paths(settings, paths))
    return [path for path in paths if path not in still]


def copy_paths(settings: NixSettings, paths: Sequence[str], to: Path) -> int:
    """Copy those of `paths` that the store has to the store under the root folder `to`; return how many these were."""
    valid = valid_paths(settings, paths)
    if valid:
        features = ("--extra-experimental-features", "nix-command")
        result = settings.run("nix", *features, "copy", "--no-check-sigs", "--to", to, *valid)
        if result.returncode != 0:
            raise _failure("nix copy", result.stderr.decode(errors="replace"), to)
    return len(valid)


@contextlib.contextmanager
def empty_store(beside: Path) -> Iterator[Path]:
    """Give the root folder of a new store below `beside`; it is removed in the end."""
    with temporary_folder(beside, ".store-") as folder:
        yield folder


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield Path(folder)


def _query(settings: NixSettings, *arguments: str | Path) -> str:
    result = settings.run("nix-store", *arguments)
    if result.returncode == 0:
        return result.stdout.decode().strip()
    raise _failure(f"nix-store {arguments[0]}", result.stderr.decode(errors="replace"), settings.store)


def _failure(command: str, text: str, store: Path | None) -> PycomfyError:
    if says_disk_is_full(text):
        return no_space_in_store(store)
    return BuildFailed(f"{command} failed", details=text.strip()[-1000:], fix="see Nix's message above")
