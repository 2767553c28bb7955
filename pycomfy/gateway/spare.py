"""A ComfyUI that has started as far as its node packs, and gets the newest code of some of them when it is asked.

It answers once. Nothing that a pack does is there for another answer.
"""

import asyncio
import contextlib
import errno
import json
import os
import select
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .events import Failure, error
from .installation import copy_tree
from .places import Places
from .server import Server

ORDER = "packs.json"
"""The file that says what to do, written last: `{"changed": [NAME], "removed": [NAME]}`. The code of a changed pack is
beside it, in a folder of its name."""

PAUSE = 0.02
"""Seconds between two looks at whether it is there."""

SCRIPT = "prestartup_script.py"
"""What ComfyUI runs of a pack before anything else; so a ComfyUI that runs has run it already."""


@contextlib.contextmanager
def make_pipe() -> Iterator[Path]:
    """Make the named pipe at which ComfyUI is held."""
    with tempfile.TemporaryDirectory() as folder:
        pipe = Path(folder, "hold")
        os.mkfifo(pipe)
        yield pipe


async def give_packs(server: Server, places: Places, folder: Path, pipe: Path) -> None:
    """Wait for the order in `folder`, carry it out, and let the held ComfyUI go on. `places` are those where it runs.

    Raises `Failure` if ComfyUI ends before, if standard input ends, or if a pack has a script that runs before all
    else.
    """
    packs = places.comfyui / "custom_nodes"
    _refuse_scripts(packs)
    order = await _wait_for_order(server, folder / ORDER)
    for name in order["removed"]:
        shutil.rmtree(packs / name)
    for name in order["changed"]:
        # The folder stays: ComfyUI loads packs in the order in which they lie there.
        _empty(packs / name)
        copy_tree(folder / name, packs / name)
    _refuse_scripts(packs)
    await _release(server, pipe)


async def _wait_for_order(server: Server, file: Path) -> dict[str, list[str]]:
    while not file.exists():
        if server.process.returncode is not None:
            raise await server.death("before it was asked")
        if select.select([0], [], [], 0)[0] and not os.read(0, 1):
            raise Failure(error("not-asked", "standard input ended before it was asked"))
        await asyncio.sleep(PAUSE)
    order: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8"))
    return order


async def _release(server: Server, pipe: Path) -> None:
    """Open the pipe as soon as ComfyUI waits at it."""
    while True:
        try:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            return
        except OSError as e:
            if e.errno != errno.ENXIO:
                raise
        if server.process.returncode is not None:
            raise await server.death("before it loaded node packs")
        await asyncio.sleep(PAUSE)


def _refuse_scripts(packs: Path) -> None:
    if found := sorted(path.parent.name for path in packs.glob(f"*/{SCRIPT}")):
        raise Failure(error("start-script", f"{found[0]} has a script that runs before ComfyUI is imported"))


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
