"""The Nix of other Debian releases, run from their pinned packages: nothing is installed."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.debian import packages as debian
from pycomfy.adapters.debian import rootfs
from pycomfy.adapters.debian.mirrors import find_mirrors
from pycomfy.adapters.io.download import File, fetch_all
from pycomfy.adapters.io.paths import find_paths

_LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class Nix:
    """One Nix. `tree` has its Debian packages, unpacked; None is the machine's own."""

    version: str
    tree: Path | None = None

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        """Return the argument list that runs `program`."""
        if self.tree is None:
            found = shutil.which(program)
            assert found is not None
            return [found, *map(str, arguments)]
        loader = self.tree / _LIBRARIES / "ld-linux-x86-64.so.2"
        libraries = f"{self.tree / _LIBRARIES}:{self.tree / 'usr/lib'}"
        start = [str(loader), "--argv0", program, "--library-path", libraries, str(self.tree / "usr/bin/nix")]
        # Its hook for building on other machines is the program that runs, which is the loader here.
        return [*start, "--option", "build-hook", "", *map(str, arguments)]


def own_nix() -> Nix:
    """Return the Nix of this machine."""
    done = subprocess.run(["nix-store", "--version"], check=True, capture_output=True, text=True)
    return Nix(done.stdout.split()[-1])


def debian_nix(suite: str) -> Nix:
    """Return the Nix of a Debian release, unpacked into the cache. Raises as `choose_with_dependencies`."""
    paths = find_paths()
    mirror = find_mirrors(None, None, suite="trixie", environment=os.environ).main
    folder = f"{mirror}/dists/{suite}"
    release = debian._read_release(folder, suite, None)
    releases = debian.DebianReleases((mirror,), (debian.Suite(0, suite, folder, release),), False)
    names = ("base-files", "base-passwd", "libc6", "nix-bin")
    packages = debian.choose_with_dependencies(names, suite, "linux/amd64", paths, releases)
    version = next(p.version for p in packages if p.name == "nix-bin")
    tree = paths.cache / "nix-of-debian" / version
    if not tree.is_dir():
        files = fetch_all(
            [File(f"{mirror}/{p.path}", p.sha256, p.name, p.size) for p in packages], cache=paths.cache, title="Nix"
        )
        new = tree.with_name(f"{version}.{os.getpid()}")
        new.parent.mkdir(parents=True, exist_ok=True)
        rootfs._unpack(packages, files, new, "Unpack Nix")
        new.rename(tree)
    return Nix(version.split("+")[0].split("-")[0], tree)
