"""Where pycomfy keeps what it makes: `$PYCOMFY_HOME`, or the XDG folders."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Paths:
    """`data` must be kept (library, archive, record, images); `cache` may be deleted at any time."""

    data: Path
    cache: Path


def find_paths() -> Paths:
    """`$PYCOMFY_HOME` (the cache in its `cache` folder) if set, else the XDG folders. Creates nothing."""
    set_home = os.environ.get("PYCOMFY_HOME")
    if set_home:
        paths = Path(set_home).expanduser().absolute()
        return Paths(paths, paths / "cache")
    return Paths(platformdirs.user_data_path("pycomfy"), platformdirs.user_cache_path("pycomfy"))
