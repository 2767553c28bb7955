"""Seeds that are to be drawn: -1 or none, as ComfyUI's editor does it when a workflow is queued."""

import secrets
from collections.abc import Mapping
from typing import Any

from .interface import Interface, Parameter

MOST = 2**53 - 1
"""The editor draws no larger ones: its numbers are JavaScript's."""


def draw_seeds(interface: Interface, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with a number for each seed that was given as -1 or null."""
    drawn = dict(values)
    for parameter in interface.parameters:
        if parameter.is_seed and parameter.name in values and values[parameter.name] in (-1, None):
            drawn[parameter.name] = _draw(parameter)
    return drawn


def _draw(parameter: Parameter) -> int:
    low = 0 if parameter.minimum is None else max(0, int(parameter.minimum))
    high = MOST if parameter.maximum is None else min(MOST, int(parameter.maximum))
    return low + secrets.randbelow(max(high - low, 0) + 1)
