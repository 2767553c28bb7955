"""Find the models of an installation: in its own folder, and in those that `extra_model_paths.yaml` names."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.capture.files import read_text, unreadable
from pycomfy.adapters.models.folder import find_in_folder
from pycomfy.core.capture.extra_model_paths import PACKS, parse_model_paths
from pycomfy.core.requirements.model_files import FOLDER_ALIASES

PATHS_FILE = "extra_model_paths.yaml"


@dataclass(frozen=True)
class ModelFolders:
    """The folders with models: ComfyUI's `own`, and the `extra` ones by model folder, which it searches first. `packs`
    are further folders of node packs."""

    own: Path
    extra: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    packs: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def find(self, folder: str | None, name: str) -> tuple[str, Path] | None:
        """Return the model folder and the file of a model, None if there is none; without `folder` the file of that
        name in any model folder, if it is the only one."""
        if folder is not None:
            path = next((p for top in self._tops(folder) if _is_file(p := top / name)), None)
            return None if path is None else (folder, path)
        folders = dict.fromkeys([*self.extra, *map(_current, _names(self.own))])
        found = [at for one in folders if (at := self.find(one, name)) is not None]
        return found[0] if len({os.path.realpath(path) for _, path in found}) == 1 else None

    def list_models(self) -> Iterator[tuple[str, str, Path]]:
        """Yield model folder, name and file of every model, the first for each name. Raises `BadInput` for a folder
        that cannot be read."""
        seen: set[tuple[str, str]] = set()
        for folder in dict.fromkeys([*self.extra, *map(_current, _names(self.own))]):
            for top in self._tops(folder):
                for name, path in find_in_folder(top) if top.is_dir() else ():
                    if (folder, name) not in seen:
                        seen.add((folder, name))
                        yield folder, name, path

    def _tops(self, folder: str) -> list[Path]:
        old = [alias for alias, name in FOLDER_ALIASES.items() if name == folder]
        return [*self.extra.get(folder, ()), *(self.own / name for name in (folder, *old))]


def find_model_folders(root: Path, base: Path) -> ModelFolders:
    """Return the folders of the ComfyUI in `root`, with its user's files in `base`."""
    text = read_text(root / PATHS_FILE, 1 << 18)
    try:
        configured = parse_model_paths(text)
    except ValueError as e:
        return ModelFolders(base / "models", notes=(f"{PATHS_FILE} cannot be read: {e}",))
    paths = {key: tuple(_absolute(root, p) for p in values) for key, values in configured.items()}
    packs = paths.pop(PACKS, ())
    missing = [str(p) for tops in paths.values() for p in tops if not p.is_dir()]
    notes = (f"{PATHS_FILE} names folders that do not exist: {', '.join(missing[:5])}",) if missing else ()
    return ModelFolders(base / "models", {k: v for k, v in paths.items() if k}, packs, notes)


def _absolute(root: Path, path: str) -> Path:
    try:
        return Path(os.path.normpath(root / Path(path).expanduser()))
    except RuntimeError:  # a user that this machine does not have
        return root / path


def _current(folder: str) -> str:
    return FOLDER_ALIASES.get(folder, folder)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(p.name for p in folder.iterdir() if p.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        raise unreadable(folder, e) from e


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
