"""The models that ComfyUI and its packs find: links in /data/models, where packs also download to.

Packs list `folder_paths.models_dir` as often as they ask for ComfyUI's lists, so every model must be in that one
folder, and once.
"""

import contextlib
import ctypes
import os
import re
import signal
import time
from pathlib import Path

from .places import Places

FOLLOW_INTERVAL = 5.0
"""Seconds between two looks at the mounted models."""

_PLACEHOLDER = re.compile(r"put_.*here")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def link_models(places: Places) -> None:
    """Show the mounted models and the image's in /data/models.

    Every file is a link in a real folder, so that a pack can write beside it. What is there already stays, but links
    to models that are gone are removed.
    """
    top = places.data / "models"
    sources = [places.models.resolve(), (places.comfyui / "models").resolve()]
    for parent, folders, files in os.walk(top):
        for path in (Path(parent, name) for name in (*folders, *files)):
            with contextlib.suppress(OSError):
                if path.is_symlink() and not path.exists() and any(path.readlink().is_relative_to(s) for s in sources):
                    path.unlink()
    for source in sources:
        _link_all(source, top)


def _link_all(source: Path, target: Path) -> None:
    try:
        with os.scandir(source) as entries:
            found = list(entries)
    except OSError:
        return
    for entry in found:
        to = target / entry.name
        # A folder that the user mounted there read-only, or a file in place of a folder, stays as it is.
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                if entry.name != ".git":
                    to.mkdir(exist_ok=True)
                    _link_all(Path(entry.path), to)
            elif not _PLACEHOLDER.fullmatch(entry.name):
                to.symlink_to(entry.path)


def follow_models(places: Places) -> None:
    """Start a process that links models which are added to /models while this process lives.

    It looks at the times of folders, because no file system of a network tells of its changes.
    """
    parent = os.getpid()
    if not os.path.ismount(places.models) or os.fork():
        return
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        times: dict[Path, int] = {}
        while os.getppid() == parent:
            if not times or any(_time(folder) != known for folder, known in times.items()):
                times = _folder_times(places.models)  # before the links: what is added meanwhile changes them
                link_models(places)
            time.sleep(FOLLOW_INTERVAL)
    finally:
        os._exit(0)


def _folder_times(top: Path) -> dict[Path, int]:
    return {Path(folder): _time(Path(folder)) for folder, _, _ in os.walk(top)}


def _time(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
