"""Define what a target of the fuzzer is."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.formats import BYTES, Format


@dataclass(frozen=True)
class Target:
    """A boundary: `run` gives an input to what reads it there, in an empty folder, the only one that it may write to.
    Any exception but a `PycomfyError` is a fault. `seeds` are good inputs, which the others are made of, and whatever
    else is to be made beforehand; `format` says how they are built. The tests try `examples` new inputs in CI."""

    name: str
    run: Callable[[bytes, Path], object]
    seeds: Callable[[], Sequence[bytes]]
    format: Format = BYTES
    examples: int = 200


DEEPEST = 100
"""Folders in one another that an input may ask for: to make more takes longer than what is tested."""


def write_below(root: Path, name: str, content: bytes) -> None:
    """Write the file below `root` that an input names, unless no file can have that name there."""
    path = root / name
    with suppress(OSError, ValueError):
        if len(path.parts) - len(root.parts) <= DEEPEST and path.resolve().is_relative_to(root):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
