"""Add up what files take on the disk."""

import os
import stat
from pathlib import Path


def measure(path: Path) -> int:
    """Return the bytes that a file or folder takes, each file once however many names it has; 0 for what is absent, or
    may not be read. Links are not followed."""
    seen: set[tuple[int, int]] = set()
    todo, size = [path], 0
    while todo:
        one = todo.pop()
        try:
            about = one.lstat()
            if stat.S_ISDIR(about.st_mode):
                with os.scandir(one) as entries:
                    todo.extend(Path(entry.path) for entry in entries)
                continue
        except OSError:
            continue
        if (about.st_dev, about.st_ino) not in seen:
            seen.add((about.st_dev, about.st_ino))
            size += about.st_blocks * 512
    return size
