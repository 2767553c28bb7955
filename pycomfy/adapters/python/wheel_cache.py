"""Keep built wheels by what they were made of, so that none is built twice."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.download import keep_file, kept_path
from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.build_recipe import BuildRecipe, SourcePackage, is_universal

_BUILDERS = ("archive", "build_wheel", "enclosure", "git_tree", "hooks", "inflate", "member", "rewrap", "wheel")
"""The builders that the bytes of a wheel depend on, besides its recipe."""


@dataclass(frozen=True)
class BuildHints:
    """What a build turned out to need when it ran: build requirements, and whether a compiler."""

    requires: tuple[str, ...] = ()
    compiler: bool = False


@dataclass(frozen=True)
class BuiltWheel:
    """A built wheel and its file. It is a `fallback` if its build looked for a compiler and did without."""

    wheel: Wheel
    file: Path
    fallback: bool = False


class WheelCache:
    """The built wheels in the folder `cache`. Whatever is damaged there counts as missing."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def find(self, recipe: BuildRecipe) -> BuiltWheel | None:
        """Return the wheel of a recipe if it was built before; None otherwise. A wheel without anything compiled is
        found, too, if it was built in a root filesystem with other packages."""
        exact, universal = self._paths(recipe)
        return _read(exact, recipe, self.cache) or _read(universal, recipe, self.cache)

    def keep(self, recipe: BuildRecipe, built: Path, *, fallback: bool = False) -> BuiltWheel:
        """Keep the wheel that a recipe made. Raises `NoSpace`."""
        file, sha256 = keep_file(built, self.cache)
        wheel = _describe(recipe, built.name, sha256, file.stat().st_size)
        value = {"filename": wheel.filename, "sha256": sha256, "size": wheel.size, "fallback": fallback}
        exact, universal = self._paths(recipe)
        for path in (exact, universal) if is_universal(wheel) and not fallback else (exact,):
            write_file(path, json.dumps(value))
        return BuiltWheel(wheel, file, fallback)

    def read_hints(self, source: SourcePackage, python: str) -> BuildHints:
        """Return what building this source turned out to need, with that Python."""
        try:
            value = json.loads(self._hints_path(source, python).read_bytes())
            return BuildHints(tuple(str(text) for text in value["requires"]), value["compiler"] is True)
        except (OSError, ValueError, TypeError, KeyError):
            return BuildHints()

    def write_hints(self, source: SourcePackage, python: str, hints: BuildHints) -> None:
        """Remember what building this source needs. Raises `NoSpace`."""
        value = {"requires": hints.requires, "compiler": hints.compiler}
        write_file(self._hints_path(source, python), json.dumps(value))

    def _paths(self, recipe: BuildRecipe) -> tuple[Path, Path]:
        builders = hashlib.sha256()
        for name in _BUILDERS:
            builders.update((nix_folder() / "builders" / f"{name}.py").read_bytes())
        programs, folder = builders.hexdigest(), self.cache / "wheels"
        return folder / f"{recipe.key(programs)}.json", folder / f"{recipe.key(programs, universal=True)}.json"

    def _hints_path(self, source: SourcePackage, python: str) -> Path:
        return self.cache / "wheels" / f"{source.key()}.{python}.hints.json"


def _read(memo: Path, recipe: BuildRecipe, cache: Path) -> BuiltWheel | None:
    try:
        value = json.loads(memo.read_bytes())
        wheel = _describe(recipe, str(value["filename"]), str(value["sha256"]), int(value["size"]))
        file = kept_path(wheel.sha256, cache)
        return BuiltWheel(wheel, file, value["fallback"] is True) if file.stat().st_size == wheel.size else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _describe(recipe: BuildRecipe, filename: str, sha256: str, size: int) -> Wheel:
    """Return the wheel of a recipe. Raises `ValueError` for a name that no wheel can have."""
    name, version, _, _ = parse_wheel_filename(filename)
    return Wheel(
        name=name,
        version=str(version),
        filename=filename,
        url=recipe.build.source.url,
        sha256=sha256,
        size=size,
        built=recipe.build,
    )
