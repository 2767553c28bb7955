"""Get the program that opens Debian's packages for somebody who has Nix alone. pycomfy itself needs none."""

import tarfile
import zlib
from gzip import BadGzipFile
from pathlib import Path

from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.download import fetch
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.nix.bootstrap import PROGRAM_FILES, Bootstrap
from pycomfy.errors import HashMismatch

_MAX_BYTES = 64 << 20  # of one file
_MAX_PACKAGE = 1 << 30  # bytes of the package, unpacked; 7-Zip's has a tenth of them


def make_program(bootstrap: Bootstrap, platform: PlatformName, out: Path, cache: Path) -> None:
    """Make the folder `out` of the program for a platform. The package is fetched to `cache`, which nobody need keep:
    it is ten times as large. The folder is not hashed: whoever keeps it compares. Raises `NetworkError`,
    `HashMismatch`, `NoSpace`."""
    package = fetch(bootstrap.url, bootstrap.sha256, name=bootstrap.name, size=bootstrap.size, cache=cache)
    folder = f"package/{bootstrap.programs[platform].folder}"
    try:
        files = _read_files(package, [f"{folder}/{name}" for name in PROGRAM_FILES])
    except (tarfile.TarError, BadGzipFile, zlib.error, EOFError, ValueError, KeyError, OverflowError) as e:
        what = f"{bootstrap.name} has no {folder}: {e}"
        raise HashMismatch(what, where=bootstrap.url, fix="do not trust the project that names it") from e
    with translate_disk_full(out):
        out.mkdir()
        for name, data in zip(PROGRAM_FILES, files, strict=True):
            (out / name).write_bytes(data)
        (out / PROGRAM_FILES[0]).chmod(0o755)


def _read_files(package: Path, names: list[str]) -> list[bytes]:
    """Return the contents of plain files in the package, which anybody may have made."""
    found: dict[str, bytes] = {}
    with tarfile.open(package, "r:gz") as tar:
        for entry in tar:
            if entry.offset_data + max(entry.size, 0) > _MAX_PACKAGE:
                raise ValueError(f"it has more than {_MAX_PACKAGE >> 20} MiB")
            if entry.name in names and entry.isreg() and not entry.issparse() and entry.size <= _MAX_BYTES:
                file = tar.extractfile(entry)
                found[entry.name] = b"" if file is None else file.read()
            if len(found) == len(names):
                break
    return [found[name] for name in names]
