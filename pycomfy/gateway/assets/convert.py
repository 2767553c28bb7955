"""Images in another format, on request: a process of its own converts them, in the workflow's Python, with Pillow."""

import asyncio
import contextlib
import math
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from .model import Asset, AssetError, NewAsset, TooLarge
from .store import AssetStore

Format = Literal["png", "jpeg", "webp"]

SUFFIXES: dict[Format, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
QUALITY = 90

_PROGRAM = Path(__file__).with_name("convert_image.py")
_NOTES = 16 << 10
_PIECE = 1 << 18


class ConversionFailed(AssetError):
    """An image could not be converted; it is kept as it was."""


@dataclass(frozen=True)
class Limits:
    """Of one conversion: pixels of all frames together, bytes of memory and of the result, seconds."""

    pixels: int = 100_000_000
    memory: int = 4 << 30
    result: int = 1 << 30
    seconds: float = 120


@dataclass(frozen=True)
class Converted:
    """The new asset, and what was not kept in it."""

    asset: Asset
    notes: tuple[str, ...] = ()


async def convert_image(
    store: AssetStore,
    asset: Asset,
    target: Format,
    *,
    python: Path,
    quality: int | None = None,
    limits: Limits | None = None,
) -> Converted:
    """A new asset of the same owner, job and retention: the image as `target`, with its colour profile, EXIF, and the
    graph in it where the format has room. All frames, but in JPEG. `quality` is for jpeg and webp (100: lossless webp).

    Raises `ConversionFailed`, which names the image, `BlobLost`, `NoSpace`.
    """
    limits = limits or Limits()
    name = PurePosixPath(asset.file_path or asset.id)
    new = NewAsset(
        asset.owner, f"image/{target}", str(name.with_suffix(SUFFIXES[target])), asset.tags, asset.job, asset.expires_at
    )
    seconds = math.ceil(limits.seconds) + 1
    command = (python, "-I", "-B", _PROGRAM, target, quality or QUALITY, limits.pixels, limits.memory, seconds)
    with await store.open_blob(asset) as blob:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=blob,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    notes = asyncio.create_task(_read_notes(process))
    try:
        async with asyncio.timeout(limits.seconds):
            received = await store.receive(_pieces(process, notes), new, limit=limits.result)
            return Converted(received.asset, tuple(await notes))
    except TimeoutError:
        raise ConversionFailed(f"{name} cannot be converted to {target}: it took too long") from None
    except (_Failed, TooLarge) as e:
        raise ConversionFailed(f"{name} cannot be converted to {target}: {e}") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        notes.cancel()


class _Failed(Exception):
    pass


async def _pieces(process: asyncio.subprocess.Process, notes: asyncio.Task[list[str]]) -> AsyncIterator[bytes]:
    """The result, which is whole only if the process says so at its end."""
    while process.stdout is not None and (piece := await process.stdout.read(_PIECE)):
        yield piece
    status = await process.wait()
    if status != 0:
        said = await notes
        raise _Failed(said[-1] if status == 2 and said else f"the converter ended with {status}")


async def _read_notes(process: asyncio.subprocess.Process) -> list[str]:
    kept = bytearray()
    while process.stderr is not None and (piece := await process.stderr.read(_NOTES)):
        kept += piece[: _NOTES - len(kept)]
    lines = kept.decode(errors="replace").splitlines()
    return ["".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)[:300] for line in lines]
