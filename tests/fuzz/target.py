"""Define what a target of the fuzzer is."""

from collections.abc import Callable, Sequence
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
