"""Run commands as on a machine of their own: an empty Nix store, home folder and Podman, on this machine's disk."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_ENTER = """\
set -e
for name in libpod pycomfy; do
    mkdir -p -m 700 "/run/$name" "$0/run/$name"
    mount --bind "$0/run/$name" "/run/$name"
done
mount --bind "$0/nix" /nix
mount --bind "$0/tmp" /var/tmp
exec "$@"
"""

_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{0}/engine"
runroot = "{0}/run/containers"
"""


@dataclass(frozen=True)
class Place:
    """`folder` is its disk: `nix` is mounted over /nix, `home` is the user's, `engine` has what Podman stores,
    and `tmp`, over /var/tmp, the copies that it makes before."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("nix", "home", "run", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "storage.conf").write_text(_STORAGE.format(self.folder))

    @property
    def data(self) -> Path:
        """Pycomfy's data folder: versions, database and archive."""
        return self.folder / "home/.local/share/pycomfy"

    @property
    def environment(self) -> dict[str, str]:
        """The user's variables; what is set here for pycomfy and for folders is not among them. No build leaves a
        ComfyUI in reserve, whose start would slow down what is measured next."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYCOMFY_", "XDG_"))}
        storage = str(self.folder / "storage.conf")
        kept["PYCOMFY_RESERVE"] = "0"
        return {**kept, "HOME": str(self.folder / "home"), "CONTAINERS_STORAGE_CONF": storage}

    def command(self, *words: str | Path, offline: bool = False) -> list[str]:
        """Return the argument list that starts a command there, without a network if `offline`. The process keeps its
        id: a signal reaches the command itself."""
        network = ["--net"] if offline else []
        return ["unshare", *network, "--mount", "sh", "-c", _ENTER, str(self.folder), *map(str, words)]

    def run(self, *words: str | Path, offline: bool = False) -> str:
        """Run a command to its end, and return what it printed. Raises `AssertionError` if it fails."""
        command = self.command(*words, offline=offline)
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, words))}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    def empty_store(self) -> None:
        remove(self.folder / "nix")
        (self.folder / "nix").mkdir()

    def used(self) -> int:
        """Bytes on the disk of all that a user has after a build: Nix store, pycomfy's data, Podman's storage. What is
        linked several times counts once; caches do not count."""
        parts = [part for part in (self.folder / "nix", self.data, self.folder / "engine") if part.exists()]
        command: Sequence[str | Path] = ["du", "-scB1", *parts]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(done.stdout.splitlines()[-1].split()[0])


def remove(folder: Path) -> None:
    """Remove a folder in which others may have left what cannot be written."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def timed(what: str, action: Callable[[], object]) -> float:
    """Return the seconds that it takes. What is measured is on standard error before it begins, and its time after."""
    print(f"{time.strftime('%H:%M:%S')} {what} …", file=sys.stderr, flush=True)
    began = time.monotonic()
    action()
    seconds = time.monotonic() - began
    print(f"{time.strftime('%H:%M:%S')} {what}: {seconds:.2f} s", file=sys.stderr, flush=True)
    return seconds


def forget_pages() -> None:
    """Write to the disk what is only in memory, and let the kernel read all files from the disk again."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")
