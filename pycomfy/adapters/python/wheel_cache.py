"""Wheels that were built before: kept by what they were made of, so that none is built twice."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.download import keep_file, kept_path
from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.build_recipe import BuildRecipe, SourcePackage

_BUILDERS = ("archive", "build_wheel", "enclosure", "git_tree", "hooks", "inflate", "member", "rewrap", "wheel")
"""What the bytes of a built wheel depend on, besides its recipe."""


@dataclass(frozen=True)
class BuildHints:
    """What a build turned out to need when it ran."""

    requires: tuple[str, ...] = ()
    compiler: bool = False


@dataclass(frozen=True)
class BuiltWheel:
    """A wheel that was built, and its file. It is `halved` if a compiler was looked for and not there, and the wheel
    does without."""

    wheel: Wheel
    file: Path
    halved: bool = False


class WheelCache:
    """Those in the folder `cache`. What is damaged or strange there is as if it were not."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def find(self, recipe: BuildRecipe) -> BuiltWheel | None:
        """The wheel of a recipe, if it was built before."""
        try:
            value = json.loads(self._place(recipe).read_bytes())
            wheel = _describe(recipe, str(value["filename"]), str(value["sha256"]), int(value["size"]))
            file = kept_path(wheel.sha256, self.cache)
            return BuiltWheel(wheel, file, value["halved"] is True) if file.stat().st_size == wheel.size else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def keep(self, recipe: BuildRecipe, made: Path, *, halved: bool = False) -> BuiltWheel:
        """Remember what came of a recipe. Raises `NoSpace`."""
        file, sha256 = keep_file(made, self.cache)
        wheel = _describe(recipe, made.name, sha256, file.stat().st_size)
        value = {"filename": wheel.filename, "sha256": sha256, "size": wheel.size, "halved": halved}
        write_file(self._place(recipe), json.dumps(value))
        return BuiltWheel(wheel, file, halved)

    def read_hints(self, unbuilt: SourcePackage, python: str) -> BuildHints:
        """What building this source turned out to need, with that Python."""
        try:
            value = json.loads(self._hints(unbuilt, python).read_bytes())
            return BuildHints(tuple(str(text) for text in value["requires"]), value["compiler"] is True)
        except (OSError, ValueError, TypeError, KeyError):
            return BuildHints()

    def write_hints(self, unbuilt: SourcePackage, python: str, hints: BuildHints) -> None:
        """Remember that. Raises `NoSpace`."""
        write_file(self._hints(unbuilt, python), json.dumps({"requires": hints.requires, "compiler": hints.compiler}))

    def _place(self, recipe: BuildRecipe) -> Path:
        builders = hashlib.sha256()
        for name in _BUILDERS:
            builders.update((nix_folder() / "builders" / f"{name}.py").read_bytes())
        return self.cache / "wheels" / f"{recipe.key(builders.hexdigest())}.json"

    def _hints(self, unbuilt: SourcePackage, python: str) -> Path:
        return self.cache / "wheels" / f"{unbuilt.key()}.{python}.hints.json"


def _describe(recipe: BuildRecipe, filename: str, sha256: str, size: int) -> Wheel:
    """The wheel of a recipe. Raises `ValueError` for a name that no wheel has."""
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
