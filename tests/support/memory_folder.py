"""Where the fast tests write: in memory where there is room, as they write and sync many small files.

`make test` asks for it, and makes a folder there with a new name each time: what tests take for new, such as a wheel
that has the name of its folder in it, must be new to Nix's store. The stories, which make images of 8 GB, stay on the
disk.
"""

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
NEEDED = 4 << 30
"""Bytes; the tests need less than one GiB."""


def find_temporary_folder() -> Path:
    """Return the folder in memory if programs may be run from it and it has room, else the usual one."""
    try:
        about = os.statvfs(MEMORY)
    except OSError:
        return Path(tempfile.gettempdir())
    fits = about.f_bavail * about.f_frsize >= NEEDED and not about.f_flag & os.ST_NOEXEC
    return MEMORY if fits and os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())


if __name__ == "__main__":
    print(find_temporary_folder())
