"""Read the inputs of a run, texts and files, from files or standard input, into a job's input folder."""

import contextlib
import hashlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.errors import BadInput, NotFound

MAX_BYTES = 8 << 30
MAX_TEXT = 16 << 20
STREAM = "-"
_CHUNK = 1 << 20


def read_input(source: str, where: str) -> bytes:
    """Return the content of a file, or with `-` of standard input; `where` names the input in errors.

    Raises `NotFound`, or `BadInput` for anything but a regular file, an unreadable one, or more than 16 MiB.
    """
    with _opened(source, where) as file:
        data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise _too_large(source, where, MAX_TEXT)
    return data


def copy_input(source: str, folder: Path, where: str) -> str:
    """Copy a file, or with `-` standard input, into `folder`, which is created; return its name there.

    The name is made of the content and the file's own name, so that equal files have equal names. It has letters,
    digits, `_`, `-` and the dot before its ending, and nothing else. Raises as `read_input`, with a limit of 8 GiB, and
    `NoSpace`.
    """
    digest = hashlib.sha256()
    with _opened(source, where) as file, translate_disk_full(folder):
        folder.mkdir(parents=True, exist_ok=True)
        fd, temporary = tempfile.mkstemp(dir=folder, prefix=".pycomfy-")
        try:
            with os.fdopen(fd, "wb") as out:
                while chunk := _read(file, source, where):
                    digest.update(chunk)
                    out.write(chunk)
                    if out.tell() > MAX_BYTES:
                        raise _too_large(source, where, MAX_BYTES)
            name = safe_name(digest.hexdigest(), "stdin" if source == STREAM else Path(source).name)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(folder / name)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return name


def safe_name(sha256: str, name: str) -> str:
    """Return `<16 digits of the hash>-<stem>.<ending>`, with the harmless parts of the file's own name."""
    path = Path(name)
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", path.stem)[:60].strip("-") or "file"
    ending = re.sub(r"[^A-Za-z0-9]", "", path.suffix)[:10].lower()
    return f"{sha256[:16]}-{stem}" + (f".{ending}" if ending else "")


def _read(file: BinaryIO, source: str, where: str) -> bytes:
    try:
        return file.read(_CHUNK)
    except OSError as e:
        raise _unreadable(source, where, e) from e


@contextlib.contextmanager
def _opened(source: str, where: str) -> Iterator[BinaryIO]:
    if source == STREAM:
        yield sys.stdin.buffer
        return
    fix = "give the path of a file"
    try:
        # A pipe must not be waited for: it is refused below.
        fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError as e:
        raise NotFound(f'there is no file "{source}"', where=where, fix=fix) from e
    except OSError as e:
        raise _unreadable(source, where, e) from e
    except ValueError as e:
        raise BadInput("not the path of a file", where=where, fix=fix) from e
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BadInput(f"{source} is not a regular file", where=where, fix=(fix, "give @- for standard input"))
    with os.fdopen(fd, "rb") as file:
        yield file


def _unreadable(source: str, where: str, error: OSError) -> BadInput:
    return BadInput(
        f"{source} cannot be read: {error.strerror}",
        where=where,
        fix="check the path and its permissions",
    )


def _too_large(source: str, where: str, limit: int) -> BadInput:
    size = f"{limit >> 30} GiB" if limit >= 1 << 30 else f"{limit >> 20} MiB"
    name = "standard input" if source == STREAM else source
    return BadInput(f"{name} is larger than {size}", where=where, fix="give a smaller one")
