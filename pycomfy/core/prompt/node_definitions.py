"""Parse node types from `/object_info`, with what the frontend adds to them before it makes widgets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pycomfy.core.loose_json import as_list, as_mapping, as_text
from pycomfy.core.prompt import packs

# fmt: off
WIDGET_TYPES = frozenset((
    "INT", "FLOAT", "STRING", "BOOLEAN",
    "COMBO", "MARKDOWN", "TEXTAREA", "COLOR",
    "COLORS", "CURVE", "RANGE", "IMAGEUPLOAD",
    "AUDIOUPLOAD", "AUDIO_UI", "AUDIO_RECORD", "WEBCAM",
    "LOAD_3D", "LOAD_3D_ANIMATION", "LOAD_3D_ADVANCED", "PREVIEW_3D",
    "PREVIEW_3D_ANIMATION", "IMAGECOMPARE", "BOUNDING_BOX", "BOUNDING_BOXES",
    "CHART", "GALLERIA", "PAINTER", "COMPOSITOR",
    "VIDEO_EDIT", "RESOLUTION_PREVIEW", "LIGHT_INFO_PREVIEW", "CAMERA_INFO_STATE",
    "CAMERA_ANGLE_VIEW", "COMFY_BRANCH_INPUT_NAMES", "COMFY_BRANCH_SELECTOR", "COMFY_DYNAMICCOMBO_V3",
    "COMFY_DYNAMICGROUP_V3",
))
# fmt: on
"""Input types that frontends 1.27 to 1.58 show as widgets; every other type is a socket."""

DYNAMIC_COMBO, DYNAMIC_GROUP = "COMFY_DYNAMICCOMBO_V3", "COMFY_DYNAMICGROUP_V3"
AUTOGROW, MATCH_TYPE = "COMFY_AUTOGROW_V3", "COMFY_MATCHTYPE_V3"

_AUDIO_PLAYERS = frozenset(
    ("LoadAudio", "SaveAudio", "PreviewAudio", "SaveAudioMP3", "SaveAudioOpus", "SaveAudioAdvanced")
)
_MODEL_VIEWERS = {
    "SaveGLB": "PREVIEW_3D",
    "Preview3D": "PREVIEW_3D",
    "Preview3DAnimation": "PREVIEW_3D_ANIMATION",
}
_MEDIA_UPLOADS = ("image_upload", "video_upload", "animated_image_upload")


class InputSpec(NamedTuple):
    """An input of a node type. The type of a list of choices is `COMBO`, in both forms that servers use."""

    name: str
    type: str
    options: Mapping[str, object]
    choices: tuple[object, ...] | None = None
    optional: bool = False

    @property
    def is_widget(self) -> bool:
        """Whether the frontend shows it as a widget."""
        if self.options.get("forceInput"):
            return False
        widget_type = self.options.get("widgetType")
        kind = widget_type if isinstance(widget_type, str) else self.type
        return kind in WIDGET_TYPES or kind in packs.WIDGET_TYPES


class OutputSpec(NamedTuple):
    """An output of a node type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node type. `inputs` are in the order in which the frontend makes widgets, including the inputs that it adds."""

    type: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    title: str
    output_node: bool
    module: str = ""
    description: str = ""

    def input(self, name: str) -> InputSpec | None:
        """Return the input with this name; None if there is none."""
        return next((i for i in self.inputs if i.name == name), None)


class Definitions:
    """The node types of one server, each parsed when it is first used."""

    def __init__(self, object_info: Mapping[str, object]) -> None:
        self._raw = object_info
        self._read: dict[str, NodeSpec | None] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    @property
    def known(self) -> bool:
        """Whether there is any definition: without a server nobody knows which types exist."""
        return bool(self._raw)

    def find(self, type_: str) -> NodeSpec | None:
        """Return a node type; None if the server does not have it."""
        if type_ not in self._read:
            raw = self._raw.get(type_)
            self._read[type_] = parse_node_spec(type_, raw) if isinstance(raw, Mapping) else None
        return self._read[type_]


def parse_node_spec(type_: str, raw: Mapping[str, object]) -> NodeSpec:
    """Parse one entry of `/object_info`. Malformed parts are left out: authors of packs write these by hand."""
    inputs = as_mapping(raw.get("input"))
    required = _parse_inputs(inputs.get("required"), optional=False)
    required |= _added_inputs(type_, required)
    both = required | _parse_inputs(inputs.get("optional"), optional=True)
    names = [o if isinstance(o, str) else "" for o in as_list(raw.get("output_name"))]
    outputs = tuple(
        OutputSpec(names[i] if i < len(names) else f"output_{i}", o if isinstance(o, str) else "COMBO")
        for i, o in enumerate(as_list(raw.get("output")))
    )
    return NodeSpec(
        type=type_,
        inputs=_ordered(both, as_mapping(raw.get("input_order"))),
        outputs=outputs,
        title=as_text(raw.get("display_name")) or type_,
        output_node=raw.get("output_node") is True,
        module=as_text(raw.get("python_module")),
        description=as_text(raw.get("description")),
    )


def _parse_inputs(value: object, *, optional: bool) -> dict[str, InputSpec]:
    specs = {}
    for name, raw in as_mapping(value).items():
        spec = parse_input_spec(name, raw, optional=optional)
        if spec is not None and optional and spec.options.get("defaultInput"):
            # As the frontend reads this old word; for required inputs it means nothing any more.
            spec = spec._replace(options={**spec.options, "forceInput": True})
        if spec is not None:
            specs[name] = spec
    return specs


def parse_input_spec(name: str, raw: object, *, optional: bool = False) -> InputSpec | None:
    """Parse `[type, options]`, where the type may be a list of choices; None if it is malformed."""
    if not isinstance(raw, (list, tuple)) or not raw:
        return None
    options = as_mapping(raw[1]) if len(raw) > 1 else {}
    if isinstance(raw[0], (list, tuple)):
        return InputSpec(name, "COMBO", options, tuple(raw[0]), optional)
    if not isinstance(raw[0], str):
        return None
    choices = tuple(as_list(options.get("options"))) if raw[0] == "COMBO" else None
    return InputSpec(name, raw[0], options, choices, optional)


def _added_inputs(type_: str, required: Mapping[str, InputSpec]) -> dict[str, InputSpec]:
    """The inputs that the frontend's own extensions add to a definition: upload buttons, players, 3D views."""
    added = {}
    if type_ in _MODEL_VIEWERS:
        added["image"] = InputSpec("image", _MODEL_VIEWERS[type_], {})
    if type_ in _AUDIO_PLAYERS:
        added["audioUI"] = InputSpec("audioUI", "AUDIO_UI", {})
    audio = required.get("audio")
    if audio is not None and audio.options.get("audio_upload") is True:
        added["upload"] = InputSpec("upload", "AUDIOUPLOAD", {})
    if any(s.type == "COMBO" and any(s.options.get(k) for k in _MEDIA_UPLOADS) for s in required.values()):
        added["upload"] = InputSpec("upload", "IMAGEUPLOAD", {})
    return added


def _ordered(specs: Mapping[str, InputSpec], order: Mapping[str, object]) -> tuple[InputSpec, ...]:
    """The inputs by `input_order`: required, optional, then those that it does not name. Without it, in the order of
    the server."""
    if not order:
        return tuple(specs.values())
    names: dict[str, None] = {}
    for key, optional in (("required", False), ("optional", True)):
        for name in as_list(order.get(key)):
            if isinstance(name, str) and name in specs and specs[name].optional is optional:
                names[name] = None
    return tuple(specs[name] for name in dict.fromkeys([*names, *specs]))
