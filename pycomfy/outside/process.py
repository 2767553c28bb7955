"""Starting other people's programs: an argument list, never a shell; a missing one is an error with a way to get it."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pycomfy.errors import MissingTool

INSTALL = {
    "nix": "apt-get install nix-bin (Debian), or the official Nix installer elsewhere",
    "podman": "apt-get install podman runc (Debian), or install Podman or Docker",
    "skopeo": "apt-get install skopeo",
    "git": "apt-get install git",
    "gpgv": "apt-get install gpgv",
}
"""How to get each program pycomfy may start."""


def missing(program: str) -> MissingTool:
    """The error for a program that is not on PATH."""
    return MissingTool(
        f"{program} is not installed", where="PATH", fix=INSTALL.get(program.split("-")[0], f"install {program}")
    )


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run to the end, output captured; the caller judges the exit status. Raises `MissingTool`."""
    try:
        return subprocess.run(
            [str(c) for c in command], cwd=cwd, env=env, check=False, capture_output=True, input=stdin or b""
        )
    except FileNotFoundError as e:
        if cwd is not None and not cwd.is_dir():
            raise
        raise missing(str(command[0])) from e
