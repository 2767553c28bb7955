"""Read what a source distribution or a repository says about how it is built, without running any of it."""

import lzma
import tarfile
import tomllib
import zipfile
import zlib
from pathlib import Path

from packaging.requirements import Requirement

from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.errors import BadInput

LEGACY = ("setuptools>=40.8.0", "wheel")
"""What a source without a `[build-system]` is built with (PEP 517)."""

MAX_FILES = 100_000
MAX_BYTES = 4 << 30
_MAX_TEXT = 1 << 20


def build_requires(pyproject: str, owner: str) -> tuple[str, ...]:
    """Return the build requirements in a `pyproject.toml`, or in "" if there is none. Raises `BadInput`."""

    def refuse(why: str) -> BadInput:
        return BadInput(f"{owner}: its pyproject.toml {why}", where="pyproject.toml", fix="name another version of it")

    try:
        data = tomllib.loads(pyproject)
    except (ValueError, RecursionError) as e:
        raise refuse(f"is not TOML: {e}") from e
    system = data.get("build-system")
    if not isinstance(system, dict):
        return LEGACY
    requires = system.get("requires")
    if not isinstance(requires, list):
        raise refuse("does not list its build requirements")
    return tuple(_requirement(str(text), refuse_with=refuse(f"requires {str(text)[:100]!r}")) for text in requires)


def _requirement(text: str, refuse_with: BadInput) -> str:
    try:
        requirement = Requirement(text)
    except ValueError as e:
        raise refuse_with from e
    if requirement.url is not None:
        raise refuse_with
    return str(requirement)


def read_pyproject(archive: Path, subdirectory: str | None, owner: str) -> str:
    """Return the `pyproject.toml` of an sdist, which has one folder at its top; "" if there is none.

    Raises `BadInput` for a damaged file, or one that is too large.
    """
    path = f"{subdirectory}/pyproject.toml" if subdirectory else "pyproject.toml"

    def refuse(why: str) -> BadInput:
        return BadInput(f"{owner}: its source {why}", where=archive.name, fix="name another version of it")

    def unreadable(why: str) -> BadInput:
        return refuse(f"cannot be read: {why}")

    too_large = refuse(f"has more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB")
    if zipfile.is_zipfile(archive):
        with open_zip(archive, unreadable) as z:
            infos = z.infolist()
            if len(infos) > MAX_FILES:
                raise too_large
            found = (i for i in infos if not i.is_dir() and i.file_size <= _MAX_TEXT and _is(i.filename, path))
            return next((z.read(info).decode("utf-8", "replace") for info in found), "")
    count = size = 0
    try:
        with tarfile.open(archive, "r|*") as tar:
            for entry in tar:
                count, size = count + 1, size + entry.size
                if count > MAX_FILES or size > MAX_BYTES:
                    raise too_large
                small = entry.isreg() and entry.size <= _MAX_TEXT
                data = tar.extractfile(entry) if small and _is(entry.name, path) else None
                if data is not None:
                    return data.read().decode("utf-8", "replace")
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as e:
        raise unreadable(str(e)) from e
    return ""


def _is(name: str, path: str) -> bool:
    """Return whether a member has this path below the folder at the top."""
    return name.partition("/")[2] == path
