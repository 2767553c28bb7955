"""Read untrusted zip files: whatever that may raise becomes one error."""

import contextlib
import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pycomfy.errors import PycomfyError

_MALFORMED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # an unknown compression
    RuntimeError,  # encrypted
    ValueError,
    IndexError,  # a member without a name
    struct.error,
)


@contextlib.contextmanager
def open_zip(path: Path | BinaryIO, refuse: Callable[[str], PycomfyError]) -> Iterator[zipfile.ZipFile]:
    """Open the zip file at a path, or in an open file, to be read in the block. Raises what `refuse` returns, given the
    reason, for a damaged file or one that is not a zip file."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _MALFORMED as e:
        raise refuse(str(e)) from e
    except OSError as e:
        # Errors of bz2 have no number; an offset before the file's beginning is an invalid argument; and no file can
        # have some names. Any other is the disk's.
        if e.errno in (None, errno.EINVAL, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
            raise refuse(str(e)) from e
        raise
