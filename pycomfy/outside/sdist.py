"""What a source distribution or a repository says about how it is built, read without running any of it."""

import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from packaging.requirements import InvalidRequirement, Requirement

from pycomfy.errors import BadInput

LEGACY = ("setuptools>=40.8.0", "wheel")
"""What a source without a `[build-system]` is built with (PEP 517)."""

MOST_FILES = 100_000
MOST_BYTES = 4 << 30
_LARGEST = 1 << 20


def build_requires(pyproject: str, owner: str) -> tuple[str, ...]:
    """What building needs, of a `pyproject.toml` or "" where there is none. Raises `BadInput`."""

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
        raise refuse("does not say what building it requires")
    return tuple(_requirement(str(text), refuse_with=refuse(f"requires {str(text)[:100]!r}")) for text in requires)


def _requirement(text: str, refuse_with: BadInput) -> str:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as e:
        raise refuse_with from e
    if requirement.url is not None:
        raise refuse_with
    return str(requirement)


def read_pyproject(archive: Path, subdirectory: str | None, owner: str) -> str:
    """The `pyproject.toml` of a source archive, which has one folder at its top; "" if there is none.

    Raises `BadInput` for what is no archive, or one that is too large.
    """
    wanted = f"{subdirectory}/pyproject.toml" if subdirectory else "pyproject.toml"
    try:
        for name, data in _members(archive):
            if name.partition("/")[2] == wanted:
                with data as f:
                    return f.read(_LARGEST + 1)[:_LARGEST].decode("utf-8", "replace")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as e:
        raise BadInput(
            f"{owner}: its source is no archive that can be read: {e}", where=archive.name, fix="name another version"
        ) from e
    except _TooLarge as e:
        raise BadInput(
            f"{owner}: its source has more than {MOST_FILES} files or {MOST_BYTES >> 30} GiB",
            where=archive.name,
            fix="name another version of it",
        ) from e
    return ""


class _TooLarge(Exception):
    pass


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The regular files, by name."""
    count = size = 0
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            for info in z.infolist():
                count += 1
                if count > MOST_FILES:
                    raise _TooLarge
                if not info.is_dir() and info.file_size <= _LARGEST:
                    yield info.filename, z.open(info)
        return
    with tarfile.open(archive, "r|*") as tar:
        for entry in tar:
            count, size = count + 1, size + entry.size
            if count > MOST_FILES or size > MOST_BYTES:
                raise _TooLarge
            data = tar.extractfile(entry) if entry.isreg() and entry.size <= _LARGEST else None
            if data is not None:
                yield entry.name, data
