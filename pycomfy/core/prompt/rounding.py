"""Round numbers as widgets do: the frontend rounds what a primitive writes into a widget, not the values in a file."""

import math
from decimal import ROUND_HALF_UP, Decimal

from pycomfy.core.prompt.widgets import Widget

_MIN_STEP, _MAX_STEP = 1e-12, 1e15
"""The bounds of steps and numbers: beyond them a double has no digits to round."""


def rounded(value: object, widget: Widget | None) -> object:
    """Return `value` rounded to the steps of an INT or FLOAT widget; anything else unchanged."""
    if widget is None or isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _MAX_STEP:
        return value
    if widget.kind == "INT":
        return _rounded_int(value, widget)
    return _rounded_float(float(value), widget) if widget.kind == "FLOAT" else value


def _rounded_int(value: float, widget: Widget) -> int:
    """Round to the nearest step, counted from the minimum; half a step goes up."""
    step, least = _option(widget, "step") or 1, _option(widget, "min") or 0
    if not _MIN_STEP < abs(step) < _MAX_STEP:
        return int(value)
    offset = math.fmod(least, step)
    return int(math.floor((value - offset) / step + 0.5) * step + offset)


def _rounded_float(value: float, widget: Widget) -> float:
    """Round to as many decimals as the step has, or to `round` where the definition has it, within the widget's
    range."""
    step, grid_option = _option(widget, "step"), _option(widget, "round")
    step = 0.5 if step is None else step
    decimals = max(0, -math.floor(math.log10(step))) if _MIN_STEP < step < _MAX_STEP else 0
    grid = grid_option or (10.0**-decimals if decimals else 0)
    if not _MIN_STEP < abs(grid) < _MAX_STEP:
        return value
    on_grid = Decimal(math.floor(value / grid + 0.5) * grid)
    result = float(on_grid.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))
    least, most = _option(widget, "min"), _option(widget, "max")
    return min(max(result, 0 if least is None else least), 2048 if most is None else most)


def _option(widget: Widget, name: str) -> float | None:
    value = widget.options.get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300 else None
