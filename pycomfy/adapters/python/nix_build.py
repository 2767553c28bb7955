"""Build a wheel from its source in Nix's sandbox, without network or access to this machine."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.nix.build import BuildTarget, build, evaluate
from pycomfy.adapters.nix.internal_json import Event
from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.adapters.nix.settings import NixSettings, evaluation_options
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.python.build_recipe import BuildRecipe
from pycomfy.errors import BuildFailed

MAX_BYTES = 4 << 30
_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\.whl")


_SYSTEMS: Mapping[PlatformName, str] = {"linux/amd64": "x86_64-linux", "linux/arm64": "aarch64-linux"}


def can_build(settings: NixSettings, platform: PlatformName) -> bool:
    """Return whether this machine's Nix can run programs of `platform`: directly, emulated, or on another machine."""
    # Nix checks the system first, and only then the builder, which does not exist.
    text = f'derivation {{ name = "nothing"; system = "{_SYSTEMS[platform]}"; builder = "/nothing"; }}'
    done = settings.run("nix-build", *evaluation_options(), "--no-out-link", "--expr", text)
    return b"required to build" not in done.stderr


def build_recipe(
    recipe: BuildRecipe, paths: Paths, settings: NixSettings, log: Path, on_event: Callable[[Event], None]
) -> Path:
    """Build `recipe` and return the wheel; its sources must be in the store or fetchable. Raises as `build`."""
    with temporary_folder(paths.cache / "projects", "wheel-") as folder:
        shutil.copytree(nix_folder(), folder / "nix", ignore=shutil.ignore_patterns("__pycache__", "test_*"))
        (folder / "recipe.json").write_text(recipe.render())
        target = BuildTarget(folder, "wheel", recipe.platform, file="nix/recipe.nix")
        (made,) = build(settings, evaluate(settings, target), log, on_event)
    # The builder is ours, but untrusted code ran in it.
    folder = settings.local_path(made)
    wheels = [] if folder.is_symlink() else list(folder.iterdir())
    if len(wheels) != 1 or not _WHEEL.fullmatch(wheels[0].name) or wheels[0].is_symlink() or not wheels[0].is_file():
        raise BuildFailed(f"building {recipe.name} made no wheel", where=made, fix="look at what it made")
    if wheels[0].stat().st_size > MAX_BYTES:
        raise BuildFailed(
            f"the wheel of {recipe.name} has more than {MAX_BYTES >> 30} GiB", where=made, fix="leave it out"
        )
    return wheels[0]
