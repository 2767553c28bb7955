"""Ask what is in the Nix store, how large it is, and what the garbage collector's roots keep there."""

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.core.nix.store_path import is_store_path
from pycomfy.errors import BuildFailed

_STORE = "/nix/store"
_BATCH = 5000  # paths in one command line
_ROOT = re.compile(r"(?P<link>.*) -> (?P<path>/nix/store/[^/]+)")


def list_store(settings: NixSettings) -> list[str]:
    """Return every path in the store, valid or not; none where there is no store."""
    try:
        with os.scandir(settings.local_path(_STORE)) as entries:
            return sorted(path for entry in entries if is_store_path(path := f"{_STORE}/{entry.name}"))
    except FileNotFoundError:
        return []


def read_sizes(settings: NixSettings, paths: Collection[str]) -> dict[str, int]:
    """Return the bytes of those of `paths` that are valid, as Nix's database has them: of the files, without what is
    hard-linked to others."""
    sizes: dict[str, int] = {}
    for batch in _batches(sorted(paths)):
        valid = valid_paths(settings, batch)
        if valid:
            sizes.update(zip(valid, map(int, _ask(settings, "--query", "--size", *valid)), strict=True))
    return sizes


def list_live(settings: NixSettings, without: Collection[Path] = ()) -> set[str]:
    """Return the paths that the collector's roots keep; the links `without` count as if they were removed."""
    matches = filter(None, map(_ROOT.fullmatch, _ask(settings, "--gc", "--print-roots")))
    links = {str(link) for link in without}
    roots = sorted({match["path"] for match in matches if match["link"] not in links})
    live: set[str] = set()
    for batch in _batches(roots):
        live.update(_ask(settings, "--query", "--requisites", *valid_paths(settings, batch)))
    return live


def _batches(paths: Sequence[str]) -> list[Sequence[str]]:
    return [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]


def _ask(settings: NixSettings, *arguments: str) -> list[str]:
    done = settings.run("nix-store", *arguments)
    if done.returncode != 0:
        message = done.stderr.decode(errors="replace").strip()[-1000:]
        raise BuildFailed(f"nix-store {arguments[0]} failed", details=message, fix="see Nix's message above")
    return done.stdout.decode(errors="surrogateescape").splitlines()
