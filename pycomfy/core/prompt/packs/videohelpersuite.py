"""VideoHelperSuite: widgets of the chosen video format, numbers of its own kind, and values saved by name."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pycomfy.core.loose_json import as_list, as_mapping, as_number, as_text
from pycomfy.core.prompt.packs.rules import PackRules, RawInput, SavedValue, WidgetRules
from pycomfy.core.workflow.litegraph import find_slot
from pycomfy.core.workflow.model import Node

_PREFIX = "VHS_"

# fmt: off
_OLD_LISTS: Mapping[str, tuple[str | None, ...]] = {
    "VHS_LoadImages": ("directory", None, "image_load_cap", "skip_first_images", "select_every_nth"),
    "VHS_LoadImagesPath": ("directory", "image_load_cap", "skip_first_images", "select_every_nth"),
    "VHS_VideoCombine": ("frame_rate", "loop_count", "filename_prefix", "format", "pingpong", "save_image"),
    "VHS_LoadVideo": ("video", "force_rate", "force_size", "frame_load_cap", "skip_first_frames", "select_every_nth"),
    "VHS_LoadVideoPath": (
        "video", "force_rate", "force_size", "frame_load_cap", "skip_first_frames", "select_every_nth"
    ),
}
# fmt: on
"""The names of values that were once saved as a list; None is a button."""


def _read_saved(node: Node) -> Node:
    """The node with its values by name. A size that was one text is two numbers today, and one widget has another
    name."""
    if not node.type.startswith(_PREFIX) or node.named is not None:
        return node
    inputs = tuple(i._replace(name="meta_batch") if i.name == "batch_manager" else i for i in node.inputs)
    node = replace(node, inputs=inputs)
    names = _OLD_LISTS.get(node.type, ())
    if isinstance(node.values, Mapping):
        values = dict(node.values)
    elif names and len(node.values) >= len(names):
        values = {name: value for name, value in zip(names, node.values, strict=False) if name is not None}
    else:
        return node
    if node.type == "VHS_VideoCombine" and "save_image" in values:
        values.setdefault("save_output", values["save_image"])
    size = values.get("force_size")
    if isinstance(size, str):
        values |= _sizes(size)
    return replace(node, values=values)


def _sizes(text: str) -> dict[str, object]:
    """The width and height of `force_size`: `512x?`, `Disabled`, `Custom Height` …"""
    if "x" in text:
        width, height = text.split("x")[:2]
        return {"custom_width": find_slot(width) or 0, "custom_height": find_slot(height) or 0}
    sizes: dict[str, object] = {}
    if text in ("Disabled", "Custom Height"):
        sizes["custom_width"] = 0
    if text in ("Disabled", "Custom Width"):
        sizes["custom_height"] = 0
    return sizes


def _dependent_inputs(options: Mapping[str, object]) -> Mapping[str, Sequence[RawInput]]:
    """The widgets of each format, as `formats` of the combo lists them: `[name, type, options]`."""
    return {
        name: [(item[0], item[1:]) for item in as_list(inputs) if isinstance(item, list) and _is_named(item)]
        for name, inputs in as_mapping(options.get("formats")).items()
    }


def _is_named(item: list[object]) -> bool:
    return len(item) > 1 and isinstance(item[0], str)


def _read_value(saved: SavedValue) -> object:
    """A number as the pack's own widgets keep it: on a step, and between the bounds."""
    value, options = saved.value, saved.options
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not (saved.defined and saved.node.type.startswith(_PREFIX)):
        return value
    least, most = as_number(options.get("min")), as_number(options.get("max"))
    if saved.type == "FLOAT":
        unit = as_number(options.get("round"))
        value = _to_step(value, unit, shift=2**-52) if unit else value
        value = most if most and value > most else value
        # As the script has it, with the upper bound.
        return least if least and most is not None and value < most else value
    if saved.type == "INT":
        bounded = most if most and value > most else value
        bounded = least if least and bounded < least else bounded
        step, offset = as_number(options.get("step")), as_number(options.get("mod")) or 0
        return _to_step(bounded, step, offset) if bounded and step else value
    return value


def _to_step(value: float, step: float, offset: float = 0, shift: float = 0) -> float:
    """The nearest number on a step; one that has no such neighbour, as infinity, itself."""
    try:
        return math.floor((value + shift - offset) / step + 0.5) * step + offset
    except (OverflowError, ValueError):
        return value


_LOADERS = ("VHS_LoadVideo", "VHS_LoadVideoPath", "VHS_LoadVideoFFmpeg", "VHS_LoadVideoFFmpegPath")
_SHOWING = (
    *("VHS_VideoCombine", *_LOADERS),
    *("VHS_LoadImages", "VHS_LoadImagesPath", "VHS_LoadImagePath", "VHS_LoadAudio", "VHS_LoadAudioUpload"),
)
_SHOWN = frozenset(
    (
        *("videopreview", "choose video to upload", "choose folder to upload", "choose audio to upload"),
        *("audiopreview", "force_size", "save_image", "batch_manager"),
    )
)
"""Previews, buttons, and names of before, which `_read_saved` translates."""


def _settle(options: Mapping[str, Mapping[str, object]], values: Mapping[str, object]) -> Mapping[str, object]:
    """Sizes, rate and number of frames as the format of a loader has them. They are read for the default format, and
    then for the saved one: what its predecessor had by default becomes its own."""
    formats = as_mapping(options.get("format", {}).get("formats"))
    first, last = as_text(options.get("format", {}).get("default")), as_text(values.get("format"))
    if not as_mapping(formats.get(last)):
        return {}
    settled = {name: values[name] for name in _LAID_OUT if name in values}
    before: Mapping[str, object] = {}
    for name in dict.fromkeys((first, last)):
        layout = _lay_out(as_mapping(formats.get(name)))
        for widget, value in settled.items():
            step, offset, default = layout.get(widget, (None, 0, None))
            if widget in before and value == before[widget] and default is not None:
                value = default
            if step and isinstance(value, int) and value:
                value = _to_step(value, step, offset)
            settled[widget] = value
        before = {widget: default for widget, (_, _, default) in layout.items()}
    return settled


_LAID_OUT = ("custom_width", "custom_height", "force_rate", "frame_load_cap")


def _lay_out(layout: Mapping[str, object]) -> Mapping[str, tuple[int | None, int, object]]:
    """The step, offset and default of each widget that a format lays out."""
    found: dict[str, tuple[int | None, int, object]] = {}
    size, frames = ([n for n in as_list(layout.get(key)) if type(n) is int] for key in ("dim", "frames"))
    if len(size) == 4:
        found["custom_width"], found["custom_height"] = (size[0], size[1], size[2]), (size[0], size[1], size[3])
    if len(frames) == 2:
        found["frame_load_cap"] = (frames[0], frames[1], None)
    if layout.get("target_rate") is not None:
        found["force_rate"] = (None, 0, layout["target_rate"])
    return found


RULES = PackRules(
    virtual=frozenset(("VHS_SelectLatest",)),
    widget_types=dict.fromkeys(("VHSTIMESTAMP", "VHSPATH", "VHSINT", "VHSFLOAT"), ""),
    widgets={
        **dict.fromkeys(_SHOWING, WidgetRules(shown=_SHOWN)),
        "VHS_BatchManager": WidgetRules(added={"count": 0}),
    },
    dependent_inputs=_dependent_inputs,
    read_saved=_read_saved,
    read_value=_read_value,
    settle=dict.fromkeys(_LOADERS, _settle),
)
