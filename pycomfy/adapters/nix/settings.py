"""Call Nix with the same settings for every command, chosen for the machine."""

import grp
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.process import missing, run
from pycomfy.errors import MissingTool

_REFUSED = re.compile("ermission denied|not permitted|ead-only file system|cannot connect to|creating directory")

MAX_LOG = 256 << 20
"""Bytes that one build may print."""


@dataclass(frozen=True)
class NixSettings:
    """`store` is the root folder of another store than the machine's; `jobs` 0 means one per core."""

    sandbox: bool = True
    jobs: int = 0
    store: Path | None = None
    substituters: tuple[str, ...] = ()

    def options(self) -> list[str]:
        """Return the options that every Nix command gets."""
        pairs = {
            "sandbox": "true" if self.sandbox else "false",
            # Only those that were named: each miss costs seconds.
            "substituters": " ".join(self.substituters),
            "max-jobs": str(self.jobs or os.cpu_count() or 1),
            "connect-timeout": "15",
            "download-attempts": "4",
            # Untrusted code may print without end.
            "max-build-log-size": str(MAX_LOG),
        }
        if os.geteuid() == 0 and not has_build_users():
            pairs["build-users-group"] = ""
        options = [part for name, value in pairs.items() for part in ("--option", name, value)]
        return [*options, *(["--store", str(self.store)] if self.store else [])]

    def local_path(self, path: str) -> Path:
        """Return where the files of a store path are on this machine."""
        return Path(path) if self.store is None else self.store / path.lstrip("/")

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        """Return the argument list for `nix-build`, `nix-store` and the like. Raises `MissingTool`."""
        found = shutil.which(program)
        if found is None:
            raise missing("nix")
        return [found, *self.options(), *map(str, arguments)]


def has_build_users() -> bool:
    """Whether the group that Nix's builds run as has members."""
    try:
        return bool(grp.getgrnam("nixbld").gr_mem)
    except KeyError:
        return False


def check_store(settings: NixSettings) -> None:
    """Raise `MissingTool`, with what to do, unless the store can be written."""
    result = run(settings.command("nix-store", "--query", "--hash", "/nix/store/00000000000000000000000000000000-x"))
    text = result.stderr.decode(errors="replace")
    if _REFUSED.search(text):
        raise MissingTool(
            "Nix is installed, but its store cannot be used",
            where=text.strip().splitlines()[-1],
            fix="run as root, start the Nix daemon (`systemctl start nix-daemon`), or give your user the /nix folder",
        )
