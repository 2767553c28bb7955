"""Read the Python requirements of node packs from their sources in the Nix store."""

from pathlib import Path

from pycomfy.adapters.nix.store import fixed_path
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.python.requirements import parse_requirements
from pycomfy.core.sources.lock_source import TreeSource
from pycomfy.errors import PycomfyError
from pycomfy.services.workspace import Workspace

_MAX_BYTES = 1 << 20


def read_pack_requirements(workspace: Workspace, lock: Lock) -> dict[str, tuple[str, ...]]:
    """Return the requirements of every node pack that is a tree, by its name. What cannot be read is left out: the lock
    was resolved without it."""
    requirements = {}
    for pack in lock.packs:
        if isinstance(pack.source, TreeSource):
            settings = workspace.nix
            folder = Path(settings.store or "/", fixed_path(settings, pack.name, pack.source.tree).lstrip("/"))
            try:
                parsed = parse_requirements(f"pack {pack.name}", _read_texts(folder))
            except (OSError, PycomfyError):
                continue
            requirements[pack.name] = tuple(one.text for one in parsed.requirements)
    return requirements


def _read_texts(folder: Path) -> dict[str, str]:
    """The files in the folder itself that may list requirements."""
    files = [f for f in folder.iterdir() if f.name == "pyproject.toml" or f.suffix == ".txt"]
    plain = [f for f in files if f.is_file() and not f.is_symlink() and f.stat().st_size <= _MAX_BYTES]
    return {f.name: f.read_text(errors="replace") for f in plain}
