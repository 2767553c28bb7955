"""Make the widgets of a node from its definition, and restore the values that a workflow saved for them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from pycomfy.core.loose_json import as_list, as_mapping
from pycomfy.core.prompt import packs
from pycomfy.core.prompt.node_definitions import (
    AUTOGROW,
    DYNAMIC_COMBO,
    DYNAMIC_GROUP,
    InputSpec,
    NodeSpec,
    parse_input_spec,
)
from pycomfy.core.prompt.packs.rules import SavedValue
from pycomfy.core.workflow.model import Node

MAX_ROWS = 200
MAX_WIDGETS = 10_000
"""More than any real node has; a malicious definition can nest dynamic inputs without end."""

_UNSAVED = frozenset(("AUDIO_UI", "IMAGECOMPARE", "RESOLUTION_PREVIEW", "CAMERA_INFO_STATE", "CAMERA_ANGLE_VIEW"))
_UNSENT = _UNSAVED | {"IMAGEUPLOAD", "AUDIOUPLOAD", "BOUNDING_BOX_PREVIEW"}
_EDITOR_NAMES = frozenset(
    ("control_after_generate", "control_filter_list", "fixed", "increment", "decrement", "randomize")
)
"""Names of controls: a definition may name one by its first state."""
_NOTHING: tuple[object, ...] = (None, "", [], {})
_EMPTY: Mapping[str, object] = {"INT": 0, "FLOAT": 0, "BOOLEAN": False}


class Widget(NamedTuple):
    """A widget. If `saved`, it has a position in `widgets_values`; if `sent`, it is in the prompt.

    `parts` are the inputs of each option of a dynamic combo; `rows` are the inputs in each row of a dynamic group,
    named by the field.
    """

    name: str
    kind: str
    default: object = ""
    saved: bool = True
    sent: bool = True
    choices: tuple[object, ...] = ()
    options: Mapping[str, object] = {}
    parts: Mapping[str, Sequence[InputSpec]] | None = None
    rows: Sequence[InputSpec] | None = None


def make_widgets(inputs: Iterable[InputSpec]) -> list[Widget]:
    """Return the widgets of these inputs with their defaults, in the order of `widgets_values`."""
    return list(islice((w for spec in inputs if spec.is_widget for w in _make(spec)), MAX_WIDGETS))


def _make(spec: InputSpec) -> list[Widget]:
    kind = spec.options.get("widgetType") or spec.type
    kind = kind if isinstance(kind, str) else spec.type
    parts = _dependent_parts(spec) if kind == "COMBO" else None
    if kind == DYNAMIC_COMBO:
        return _make_dynamic_combo(spec)
    if kind == DYNAMIC_GROUP:
        return _make_dynamic_group(spec)
    widget = Widget(
        spec.name,
        kind,
        _default(spec, kind),
        saved=kind not in _UNSAVED,
        sent=kind not in _UNSENT,
        choices=spec.choices or (),
        options=spec.options,
        parts=parts,
    )
    if parts:
        return [widget, *make_widgets(parts.get(str(widget.default), ()))]
    return [*_before(kind), widget, *_after(spec, kind), *_controls(spec, kind)]


def _dependent_parts(spec: InputSpec) -> Mapping[str, Sequence[InputSpec]] | None:
    """The inputs that a pack's combo brings with each choice."""
    parts = {
        choice: [s for name, raw in inputs if (s := parse_input_spec(name, raw)) is not None]
        for choice, inputs in packs.dependent_inputs(spec.options).items()
    }
    return parts or None


def _before(kind: str) -> list[Widget]:
    """The buttons above a 3D view; the frontend saves and sends their labels."""
    if kind not in ("LOAD_3D", "LOAD_3D_ANIMATION"):
        return []
    return [
        Widget("upload 3d model", "BUTTON", "upload3dmodel"),
        Widget("upload extra resources", "BUTTON", "uploadExtraResources"),
        Widget("clear", "BUTTON", "clear"),
    ]


def _after(spec: InputSpec, kind: str) -> list[Widget]:
    """The buttons of a recorder and of a list of remote choices: saved, not sent."""
    if kind == "AUDIO_RECORD":
        return [Widget(f"{spec.name} button", "BUTTON", "", sent=False)]
    remote = spec.options.get("remote")
    if kind != "COMBO" or not isinstance(remote, Mapping):
        return []
    toggle = Widget("Auto-refresh after generation", "BUTTON", False, sent=False)
    return [toggle, Widget("refresh", "BUTTON", "refresh", sent=False)] if remote.get("refresh_button") else [toggle]


def _make_dynamic_combo(spec: InputSpec) -> list[Widget]:
    parts: dict[str, list[InputSpec]] = {}
    for option in as_list(spec.options.get("options")):
        if isinstance(option, Mapping) and isinstance(option.get("key"), str):
            parts[option["key"]] = _group_inputs(spec.name, option.get("inputs"))
    first = next(iter(parts), None)
    widget = Widget(spec.name, DYNAMIC_COMBO, first, choices=tuple(parts), parts=parts)
    return [widget, *make_widgets(parts[first] if first is not None else ())]


def _make_dynamic_group(spec: InputSpec) -> list[Widget]:
    """A count, which is saved and not sent, followed by the fields of each row, `group.0.field`."""
    rows = _group_inputs("", spec.options.get("template"))
    least = spec.options.get("min")
    count = least if type(least) is int and least > 0 else 0
    widget = Widget(spec.name, DYNAMIC_GROUP, count, sent=False, options=spec.options, rows=rows)
    return [widget, *_make_rows(widget, count)]


def _make_rows(group: Widget, count: int) -> list[Widget]:
    widgets: list[Widget] = []
    for row in range(min(count, MAX_ROWS)):
        for spec in group.rows or ():
            name = f"{group.name}.{row}{spec.name}"
            for position, widget in enumerate(make_widgets([spec._replace(name=name)])):
                # Further widgets of a field, such as a seed's control, are named by their position.
                widgets.append(widget if position == 0 else widget._replace(name=f"{name}.{position - 1}"))
    return widgets


def _group_inputs(name: str, inputs: object) -> list[InputSpec]:
    """The inputs of one option of a dynamic combo, named `combo.input`."""
    specs = []
    for key, optional in (("required", False), ("optional", True)):
        for inner, raw in as_mapping(as_mapping(inputs).get(key)).items():
            spec = parse_input_spec(f"{name}.{inner}", raw, optional=optional)
            if spec is not None:
                specs.append(spec)
    return specs


def _default(spec: InputSpec, kind: str) -> object:
    default = spec.options.get("default")
    if kind == "COMBO":
        if spec.options.get("multi_select"):
            return []
        return default or (spec.choices[0] if spec.choices else "Loading..." if spec.options.get("remote") else None)
    if default is not None:
        return default
    if kind == "CURVE":
        return {"points": [[0, 0], [1, 1]], "interpolation": "monotone_cubic"}
    return packs.WIDGET_TYPES[kind] if kind in packs.WIDGET_TYPES else _EMPTY.get(kind, "")


def _controls(spec: InputSpec, kind: str) -> list[Widget]:
    """The widgets that the frontend adds to a value that changes between runs. They are saved, and never sent."""
    control = spec.options.get("control_after_generate")
    if kind == "INT" and (spec.name in ("seed", "noise_seed") if control is None else control):
        return [Widget("control_after_generate", "CONTROL", "randomize", sent=False)]
    if kind == "FLOAT" and control:
        return [Widget("control_after_generate", "CONTROL", "fixed", sent=False)]
    if kind == "COMBO" and control:
        return [
            Widget("control_after_generate", "CONTROL", "randomize", sent=False),
            Widget("control_filter_list", "CONTROL", "", sent=False),
        ]
    return []


class RestoredWidgets(NamedTuple):
    """The widgets of one node with its saved values, and the values. A dynamic combo changes the widgets. `left` are
    the saved values that no widget takes, by name, or by position: `[5]`; `unset` are combos without choices and
    without a saved value."""

    widgets: tuple[Widget, ...]
    values: Mapping[str, object]
    left: Mapping[str, object] = {}
    unset: frozenset[str] = frozenset()


def restore_widgets(spec: NodeSpec, widgets: Sequence[Widget], node: Node) -> RestoredWidgets:
    """Return `widgets` (made from `spec`) with the values that `node` saved, as the frontend restores them on loading.

    Values saved by name win over those by position, which shift when a node type gets another input.
    """
    named: Mapping[str, object] | None = node.named
    positional: Sequence[tuple[int, object]] = ()
    if named is None:
        if isinstance(node.values, Mapping):
            named = node.values
        else:
            positional = without_forced(spec, widgets, [*enumerate(node.values)])
    current = list(widgets)
    defined = frozenset(s.name for s in spec.inputs)
    values = {w.name: w.default for w in current}
    unset = {w.name for w in current if w.kind == "COMBO" and not w.choices and w.default is None}
    position, i = 0, 0
    while i < len(current) and i < MAX_WIDGETS:
        widget = current[i]
        i += 1
        if not widget.saved:
            continue
        if named is not None:
            if widget.name not in named or (widget.kind == "CONTROL"):
                continue
            value = named[widget.name]
        elif position < len(positional):
            value = positional[position][1]
        else:
            break
        position += 1
        if widget.parts is not None:
            _choose(current, i - 1, value, values)
        elif widget.rows is not None:
            value = _set_rows(current, i - 1, value, values)
        unset.discard(widget.name)
        values[widget.name] = _patched(node, widget, value, widget.name in defined)
    for at, widget in enumerate(current):
        if widget.parts and values[widget.name] is None:
            # Only now: the widgets after it were saved as if the combo had no inputs.
            values[widget.name] = widget.choices[0]
            _choose(current, at, widget.choices[0], values)
    left = {f"[{at}]": value for at, value in positional[position:]} if named is None else named
    return RestoredWidgets(tuple(current), values, _without_known(current, values, left), frozenset(unset))


def _without_known(
    widgets: Iterable[Widget], values: Mapping[str, object], left: Mapping[str, object]
) -> Mapping[str, object]:
    """The values that no widget took, without empty ones, those that the editor saves for itself, and those of other
    choices of a combo than the chosen one."""
    found = {n: v for n, v in left.items() if n not in values and n not in _EDITOR_NAMES and v not in _NOTHING}
    if not found:
        return found
    known: set[str] = set()
    for widget in widgets:
        if widget.parts and values[widget.name] in widget.choices:
            known |= {spec.name for specs in widget.parts.values() for spec in specs}
    return {name: value for name, value in found.items() if name not in known}


def _choose(widgets: list[Widget], at: int, option: object, values: dict[str, object]) -> None:
    """Replace the widgets of a dynamic combo by those of an option.

    Only widgets named `combo.…` are removed. The control of an option's seed has another name, so in the frontend that
    of the first option stays and has a position in `widgets_values`; so it must stay here too.
    """
    combo = widgets[at]
    prefix = combo.name + "."
    parts = combo.parts or {}
    owned = {spec.name for specs in parts.values() for spec in specs}
    widgets[at + 1 :] = [w for w in widgets[at + 1 :] if not w.name.startswith(prefix) and w.name not in owned]
    for name in [n for n in values if n.startswith(prefix) or n in owned]:
        del values[name]
    group = make_widgets(parts.get(option, ()) if isinstance(option, str) else ())
    widgets[at + 1 : at + 1] = group
    values.update((w.name, w.default) for w in group)


def _set_rows(widgets: list[Widget], at: int, value: object, values: dict[str, object]) -> object:
    """Give a dynamic group as many rows as were saved, at least its minimum; return the number of rows."""
    group = widgets[at]
    least = group.default if isinstance(group.default, int) else 0
    count = min(max(least, int(value)), MAX_ROWS) if isinstance(value, int) else least
    prefix = group.name + "."
    widgets[at + 1 :] = [w for w in widgets[at + 1 :] if not w.name.startswith(prefix)]
    for name in [n for n in values if n.startswith(prefix)]:
        del values[name]
    rows = _make_rows(group, count)
    widgets[at + 1 : at + 1] = rows
    values.update((w.name, w.default) for w in rows)
    return count


def _patched(node: Node, widget: Widget, value: object, defined: bool) -> object:
    """The value, with the frontend's own repairs of values saved by old versions, or by hand."""
    if widget.kind == "COMBO" and value is None and widget.choices:
        return widget.choices[0]
    value = packs.read_value(SavedValue(node, widget.name, widget.kind, widget.options, value, defined, widget.choices))
    if node.type in ("KSampler", "KSamplerAdvanced") and widget.name == "sampler_name" and isinstance(value, str):
        return value.removeprefix("sample_")
    if widget.kind == "STRING" and widget.options.get("multiline") and value is None:
        return ""
    return value


def without_forced(
    spec: NodeSpec, widgets: Sequence[Widget], values: Sequence[tuple[int, object]]
) -> Sequence[tuple[int, object]]:
    """Return the values, with their positions in the file, without those of `forceInput` inputs, which old frontends
    saved too, as their number shows."""
    kinds = {w.name: w.saved for w in widgets}
    if any(s.type == DYNAMIC_GROUP for s in spec.inputs):
        return values
    forced: list[bool] = []
    for input_ in spec.inputs:
        is_forced = bool(input_.options.get("forceInput"))
        if input_.type == AUTOGROW or not (kinds.get(input_.name, False) or (is_forced and input_.name not in kinds)):
            continue
        forced.append(is_forced)
        if input_.options.get("control_after_generate"):
            forced.append(False)
    if True not in forced and len(values) == sum(w.saved for w in widgets):
        return values
    compact = [v for i, v in enumerate(values) if i >= len(widgets) or widgets[i].saved]
    for aligned in (compact, values):
        if len(aligned) == len(forced):
            return [v for v, is_forced in zip(aligned, forced, strict=True) if not is_forced]
    return values
