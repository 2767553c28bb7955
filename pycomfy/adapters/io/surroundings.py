"""What a process gets from the machine it runs on: kernel, locale, limits, and the folders it may use."""

import codecs
import locale
import os
import platform
import re
import resource
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy import __version__

STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Surroundings:
    """`version` is pycomfy's own. `umask` is None where the system does not say; `open_files` is the soft and the hard
    limit, -1 for none. `home` is None if neither `HOME` nor the system knows one; `temporary` is None if no folder for
    temporary files can be written."""

    version: str
    system: str
    machine: str
    release: str
    python: str
    executable: str
    encoding: str
    umask: int | None
    open_files: tuple[int, int]
    user: int
    home: Path | None
    temporary: Path | None


def look_at_surroundings(environment: Mapping[str, str], status: Path = STATUS) -> Surroundings:
    """Return what this process got. Nothing is written, nor changed for a moment, as `os.umask` would."""
    return Surroundings(
        __version__,
        platform.system(),
        platform.machine(),
        platform.release(),
        platform.python_version(),
        sys.executable,
        _encoding(),
        _umask(status),
        resource.getrlimit(resource.RLIMIT_NOFILE),
        os.getuid(),
        _home(environment),
        _temporary(environment),
    )


def _encoding() -> str:
    """Return the encoding of the locale's texts by its usual name: "utf-8"."""
    try:
        return codecs.lookup(locale.getpreferredencoding(False)).name
    except LookupError:
        return locale.getpreferredencoding(False)


def _umask(status: Path) -> int | None:
    try:
        found = re.search(r"^Umask:\s*([0-7]+)$", status.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1], 8) if found else None


def _home(environment: Mapping[str, str]) -> Path | None:
    if given := environment.get("HOME"):
        return Path(given)
    try:
        return Path("~").expanduser()
    except RuntimeError:
        return None


def _temporary(environment: Mapping[str, str]) -> Path | None:
    """Return the folder that Python would take, without trying to write there as `tempfile` does."""
    if tempfile.tempdir is not None:
        return Path(tempfile.tempdir)
    folders = [environment.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")] + ["/tmp", "/var/tmp", "/usr/tmp"]  # noqa: S108
    for folder in filter(None, folders):
        if Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    return None
