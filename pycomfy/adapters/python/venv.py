"""Create virtual environments outside of any image, with uv, from local wheels, without network or index."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from uv import find_uv_bin

from pycomfy.adapters.io.atomic_files import no_space, says_disk_is_full
from pycomfy.adapters.io.process import missing, run
from pycomfy.core.python.wheel_selection import Target
from pycomfy.errors import BuildFailed, NotFound, PycomfyError

_OPTIONS = ("--offline", "--no-config", "--no-python-downloads", "--no-progress")


def find_python(version: str) -> Path:
    """Return this machine's Python of that version, such as "3.11". Raises `NotFound`."""
    done = run([_uv(), "python", "find", *_OPTIONS, "--no-project", "--system", version], cwd=Path("/"), env=_env())
    if done.returncode != 0:
        raise NotFound(
            f"there is no Python {version} on this machine, and the packages are for it",
            where="PATH",
            fix=(
                f"install it: `apt-get install python{version}` or `uv python install {version}`",
                "restore the image",
            ),
        )
    return Path(done.stdout.decode().strip())


class Venv:
    """A virtual environment in `folder`, which may be moved; uv's cache is in `cache`, on the same disk."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder, cache

    def make(self, python: Path) -> None:
        """Create it. Raises `BuildFailed`, `NoSpace`."""
        self._uv("venv", "--quiet", "--relocatable", "--no-project", "--python", python, self.folder)

    def install(self, wheels: Sequence[Path]) -> None:
        """Install these files and nothing else. Raises `BuildFailed`, `NoSpace`."""
        options = ("--no-index", "--no-deps", "--no-build", "--link-mode", "hardlink")
        self._uv("pip", "install", "--quiet", *options, "--python", self.folder / "bin" / "python", *wheels)

    def _uv(self, *command: str | Path) -> None:
        head = ("pip", "install") if command[0] == "pip" else command[:1]
        rest = command[len(head) :]
        done = run([_uv(), *head, *_OPTIONS, "--cache-dir", self.cache, *rest], cwd=self.folder.parent, env=_env())
        if done.returncode != 0:
            raise _failure(done.stderr.decode(errors="replace"), self.folder)


def unpack_wheels(wheels: Sequence[Path], folder: Path, target: Target, cache: Path) -> None:
    """Unpack wheels for `target` into the new folder, as they are below `site-packages`; no code of them runs. uv's
    `cache` is on the same disk. Raises `BuildFailed`, `NoSpace`."""
    fitting: tuple[str, ...] = ("--python-version", target.python_full, "--python-platform", target.uv_platform)
    more = ("--no-index", "--no-deps", "--no-build", "--link-mode", "hardlink", "--python", sys.executable)
    places: tuple[str | Path, ...] = ("--cache-dir", cache, "--target", folder)
    command = [_uv(), "pip", "install", "--quiet", *_OPTIONS, *places, *fitting, *more, *wheels]
    done = run(command, cwd=folder.parent, env=_env())
    if done.returncode != 0:
        raise _failure(done.stderr.decode(errors="replace"), folder)


def _failure(text: str, folder: Path) -> PycomfyError:
    if says_disk_is_full(text):
        return no_space(folder)
    return BuildFailed("uv could not install the wheels", details=text.strip()[-1500:], fix="see uv's message above")


def _env() -> dict[str, str]:
    """Return this process's variables without those that point uv to an index, another cache or a project."""
    return {k: v for k, v in os.environ.items() if not k.upper().startswith(("UV_", "VIRTUAL_ENV", "PYTHON", "PIP_"))}


def _uv() -> str:
    try:
        return find_uv_bin()
    except FileNotFoundError as e:
        raise missing("uv") from e
