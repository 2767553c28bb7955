"""Get the program that opens Debian's packages for somebody who has Nix alone. pycomfy itself needs none."""

import tarfile
from pathlib import Path

from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.download import fetch
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.nix.bootstrap import PROGRAM_FILES, Bootstrap
from pycomfy.errors import HashMismatch

_MAX_BYTES = 64 << 20  # of one file


def make_program(bootstrap: Bootstrap, platform: PlatformName, out: Path, cache: Path) -> None:
    """Make the folder `out` of the program for a platform. The package is fetched to `cache`, which nobody need keep:
    it is ten times as large. The folder is not hashed: whoever keeps it compares. Raises `NetworkError`,
    `HashMismatch`, `NoSpace`."""
    package = fetch(bootstrap.url, bootstrap.sha256, name=bootstrap.name, size=bootstrap.size, cache=cache)
    folder = f"package/{bootstrap.programs[platform].folder}"
    with translate_disk_full(out):
        out.mkdir()
        try:
            with tarfile.open(package) as tar:
                for name in PROGRAM_FILES:
                    file = tar.extractfile(f"{folder}/{name}")
                    (out / name).write_bytes(b"" if file is None else file.read(_MAX_BYTES))
        except (KeyError, tarfile.TarError, EOFError, ValueError) as e:
            what = f"{bootstrap.name} has no {folder}: {e}"
            raise HashMismatch(what, where=bootstrap.url, fix="do not trust the project that names it") from e
    (out / PROGRAM_FILES[0]).chmod(0o755)
