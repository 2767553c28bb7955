"""Which programs are installed, and in which version."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.process import INSTALL, run
from pycomfy.adapters.io.time_limit import time_limit
from pycomfy.errors import PycomfyError

_SECONDS = 5.0
_VERSION = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True)
class Program:
    """An installed program. `version` is "" where it does not say one; `error` is why it cannot be started."""

    name: str
    path: Path
    version: str = ""
    error: str = ""


def find_program(name: str, arguments: Sequence[str] = ("--version",), path: Path | None = None) -> Program | None:
    """Return the program `name` (at `path`, else on PATH), with the version that `arguments` make it print; None if it
    is not installed."""
    found = path or shutil.which(name)
    if found is None:
        return None
    try:
        with time_limit(_SECONDS):
            done = run([found, *arguments])
    except (PycomfyError, OSError) as e:
        return Program(name, Path(found), error=str(e))
    text = (done.stdout + b"\n" + done.stderr).decode(errors="replace")
    version = _VERSION.search(text)
    if done.returncode != 0 and version is None:
        lines = text.strip().splitlines() or [f"exit status {done.returncode}"]
        return Program(name, Path(found), error=lines[-1][:500])
    return Program(name, Path(found), version[0] if version else "")


def how_to_install(name: str) -> str:
    """Return how to get a program."""
    uv = "`pip install --force-reinstall uv`, in pycomfy's environment"
    return {**INSTALL, "uv": uv, "diffoscope": "apt-get install diffoscope"}.get(name, f"install {name}")
