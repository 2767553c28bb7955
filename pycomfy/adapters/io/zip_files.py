"""Zip files of strangers: whatever reading one may raise is one error."""

import contextlib
import errno
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pycomfy.errors import PycomfyError

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a way to compress that Python does not know
    RuntimeError,  # encrypted
    ValueError,
)


@contextlib.contextmanager
def open_zip(path: Path, refuse: Callable[[str], PycomfyError]) -> Iterator[zipfile.ZipFile]:
    """The zip, to be read in the block. Raises what `refuse` makes of the reason for one that is damaged, or none."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _BROKEN as e:
        raise refuse(str(e)) from e
    except OSError as e:
        # bz2's complaints have no number; an offset before the file's beginning is an invalid argument. Whatever else
        # the disk says is the disk's.
        if e.errno in (None, errno.EINVAL):
            raise refuse(str(e)) from e
        raise
