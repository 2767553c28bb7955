"""Say which values of a workflow's nodes can be changed, and to what; and change them in the workflow's JSON.

Values go over the wire as text: a browser's numbers lose the digits of large seeds.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Literal

from pycomfy.core.interface.validate import find_value_problems
from pycomfy.core.loose_json import as_list, as_mapping, as_number, as_text
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.widgets import Widget, make_widgets, restore_widgets, without_forced
from pycomfy.core.requirements.input_files import find_kind
from pycomfy.core.requirements.model_files import find_models
from pycomfy.core.sentences import shorten
from pycomfy.core.studio.canvas import AFTER_GENERATE, list_api_values, list_values
from pycomfy.core.workflow.litegraph import find_id
from pycomfy.core.workflow.model import ApiNode, Node, Workflow
from pycomfy.errors import BadInput, NotFound, PycomfyError, raise_all

Kind = Literal["text", "integer", "number", "boolean", "choice"]

MAX_CHOICES = 2000
MAX_LENGTH = 100_000
"""Characters of a value that can be changed."""

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_KINDS: Mapping[str, Kind] = {"INT": "integer", "FLOAT": "number", "BOOLEAN": "boolean", "STRING": "text"}


@dataclass(frozen=True)
class NodeValue:
    """A value of a node, in the order of the canvas. `key` is its name or its position in the file. Without a `kind` it
    cannot be changed here; `why` says why. A `text` with `choices` may also be something else."""

    key: str
    name: str
    text: str
    kind: Kind | None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    multiline: bool = False
    why: str = ""


@dataclass(frozen=True)
class ValueChange:
    """Give the value `key` of a node another `text`; `graph` is the id of the subgraph that it is in, or ""."""

    graph: str
    node: str
    key: str
    text: str


@dataclass(frozen=True)
class ChangedValue:
    """A value that was changed. `title` is the node's, or its type."""

    graph: str
    node: str
    title: str
    name: str
    old: str
    new: str


@dataclass(frozen=True)
class _Place:
    """A value and all that is known of it: `value` is what the file has, `widget` what the definitions say."""

    node: Node | ApiNode
    key: str
    name: str
    value: object
    widget: Widget | None = None
    linked: bool = False


def list_node_values(workflow: Workflow, graph: str, node: str, definitions: Definitions) -> tuple[NodeValue, ...]:
    """Return the values of one node. Raises `NotFound`."""
    return tuple(_describe(place, definitions) for place in _find_places(workflow, graph, node, definitions))


def change_values(
    workflow: Workflow, root: Mapping[str, object], changes: Sequence[ValueChange], definitions: Definitions
) -> tuple[dict[str, object], tuple[ChangedValue, ...]]:
    """Return the workflow's JSON with other values, and those that differ. `root` is the JSON that it was parsed from,
    and is left as it is. Raises every value that cannot be as it is asked for."""
    changed, found, problems = deepcopy(dict(root)), [], []
    for change in changes:
        try:
            place = _find_place(workflow, change, definitions)
            value = _parse(place, change.text, definitions)
        except PycomfyError as e:
            problems.append(e)
            continue
        if _render(value) == _render(place.value) and type(value) is type(place.value):
            continue
        _set(changed, workflow, change, place, value, definitions)
        title = place.node.title or place.node.type
        found.append(ChangedValue(change.graph, change.node, title, place.name, _render(place.value), _render(value)))
    raise_all(problems)
    return changed, tuple(found)


# — what is there —


def _find_places(workflow: Workflow, graph: str, id_: str, definitions: Definitions) -> list[_Place]:
    if workflow.format == "api":
        known = {node.id: node for node in workflow.api}
        api = known.get(id_) if graph == "" else None
        if api is None:
            raise _unknown(id_)
        return list(_place_api(api, known, definitions))
    subgraph = workflow.subgraphs.get(graph)
    inside = workflow.graph if graph == "" else subgraph.graph if subgraph is not None else None
    node = inside.node(id_) if inside is not None else None
    if node is None:
        raise _unknown(id_)
    widgets = _find_widgets(node, definitions)
    linked = {slot.widget or slot.name for slot in node.inputs if slot.link is not None}
    by_name = node.named is not None or isinstance(node.values, Mapping)
    places = []
    for at, (name, value) in enumerate(list_values(node)):
        key = name if by_name else str(at)
        widget = widgets.get(key)
        name = widget.name if widget is not None else name
        places.append(_Place(node, key, name, value, widget, name in linked))
    return places


def _place_api(node: ApiNode, known: Mapping[str, ApiNode], definitions: Definitions) -> Iterator[_Place]:
    spec = definitions.find(node.type)
    widgets = {widget.name: widget for widget in make_widgets(spec.inputs)} if spec is not None else {}
    for name, value in list_api_values(node, known):
        yield _Place(node, name, name, value, widgets.get(name))


def _find_widgets(node: Node, definitions: Definitions) -> dict[str, Widget]:
    """The widgets of a node by the key of their values."""
    spec = definitions.find(node.type)
    if spec is None:
        return {}
    widgets = make_widgets(spec.inputs)
    restored = restore_widgets(spec, widgets, node).widgets
    if node.named is not None or isinstance(node.values, Mapping):
        return {widget.name: widget for widget in restored}
    positions = without_forced(spec, widgets, [*enumerate(node.values)])
    saved = [widget for widget in restored if widget.saved]
    return {str(at): widget for (at, _), widget in zip(positions, saved, strict=False)}


def _find_place(workflow: Workflow, change: ValueChange, definitions: Definitions) -> _Place:
    for place in _find_places(workflow, change.graph, change.node, definitions):
        if place.key == change.key:
            return place
    raise NotFound(f'no value "{shorten(change.key)}"', where=f"node {shorten(change.node)}", fix="load the page again")


def _unknown(node: str) -> NotFound:
    return NotFound(f"no node {shorten(node)}", where="the workflow", fix="load the page again")


def _describe(place: _Place, definitions: Definitions) -> NodeValue:
    text = _render(place.value)
    plain = NodeValue(place.key, place.name, text, None)
    if place.linked:
        return replace(plain, why="a link gives it its value")
    if len(text) > MAX_LENGTH:
        return replace(plain, text=text[:MAX_LENGTH], why="it is too long to be changed here")
    kind, why = _judge(place, definitions)
    if kind is None:
        return replace(plain, why=why)
    widget = place.widget
    if widget is None:
        return replace(plain, kind=kind, multiline="\n" in text)
    low, high, step = (as_number(widget.options.get(name)) for name in ("min", "max", "step"))
    choices: tuple[object, ...] = AFTER_GENERATE if widget.kind == "CONTROL" else widget.choices
    return replace(
        plain,
        kind=kind,
        choices=tuple(str(choice) for choice in choices[:MAX_CHOICES]) if kind in ("choice", "text") else (),
        minimum=low,
        maximum=high,
        step=step,
        multiline=bool(widget.options.get("multiline")) or "\n" in text,
    )


def _judge(place: _Place, definitions: Definitions) -> tuple[Kind | None, str]:
    """The kind of a value, or why it cannot be changed."""
    widget, value = place.widget, place.value
    if widget is not None and (widget.parts is not None or widget.rows is not None):
        return None, "other values of the node depend on it: change it in ComfyUI's editor"
    if widget is not None and widget.kind in _KINDS:
        return _KINDS[widget.kind], ""
    if widget is not None and widget.kind == "CONTROL":
        return ("choice", "") if value in AFTER_GENERATE else ("text", "")
    if widget is not None and widget.kind == "COMBO" and not widget.options.get("multi_select"):
        return ("choice" if widget.choices and not _is_file(place, definitions) else "text"), ""
    if isinstance(value, bool):
        return "boolean", ""
    if isinstance(value, int):
        return "integer", ""
    if isinstance(value, float):
        return "number", ""
    if isinstance(value, str):
        return "text", ""
    return None, "it is no plain value: change it in ComfyUI's editor"


def _is_file(place: _Place, definitions: Definitions) -> bool:
    """Whether it names a model or an input file: the image's own choices are not all that there may be."""
    spec, type_ = definitions.find(place.node.type), place.node.type
    if find_kind(type_, place.name, spec) is not None:
        return True
    return bool(find_models(place.node.id, type_, {place.name: place.value}, spec))


def _render(value: object) -> str:
    """A value as text: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# — what it becomes —


def _parse(place: _Place, text: str, definitions: Definitions) -> object:
    """The value that a text means. Raises `BadInput` for a text that cannot be that value, and what a server would say
    of it."""
    node, said = place.node, _describe(place, definitions)
    where = f'{place.name or f"value {place.key}"} of node {shorten(node.id)} "{shorten(node.title or node.type)}"'
    if said.kind is None:
        raise BadInput("it cannot be changed here", where=where, fix=said.why)
    if len(text) > MAX_LENGTH:
        raise BadInput(f"more than {MAX_LENGTH:,} characters", where=where, fix="shorten it")
    value = _convert(said, text, place, where)
    if place.widget is not None and said.kind != "text":
        checked = {"class_type": node.type, "inputs": {place.name: value}, "_meta": {"title": node.title or node.type}}
        raise_all(find_value_problems(node.id, checked, place.name, definitions))  # type: ignore[arg-type]
    return value


def _convert(said: NodeValue, text: str, place: _Place, where: str) -> object:
    if said.kind == "integer":
        if not _INTEGER.fullmatch(text):
            raise BadInput(f"{text!r:.60} is not a whole number", where=where, fix="give digits")
        return int(text)
    if said.kind == "number":
        if not _NUMBER.fullmatch(text) or not math.isfinite(number := json.loads(_plain(text))):
            raise BadInput(f"{text!r:.60} is not a number", where=where, fix="give a number such as 0.5")
        return number
    if said.kind == "boolean":
        if text not in ("true", "false"):
            raise BadInput(f"{text!r:.60} is neither true nor false", where=where, fix="give true or false")
        return text == "true"
    if said.kind == "choice":
        choices: Iterable[object] = AFTER_GENERATE
        if place.widget is not None and place.widget.kind != "CONTROL":
            choices = place.widget.choices
        found = [choice for choice in choices if str(choice) == text]
        if not found:
            listed = ", ".join(said.choices[:8]) + (", …" if len(said.choices) > 8 else "")
            raise BadInput(f"{text!r:.60} is not one of the choices", where=where, fix=f"choose one of: {listed}")
        return found[0]
    return text


def _plain(text: str) -> str:
    """A number as JSON has it, which has no zeros before the first digit."""
    return re.sub(r"^(-?)0+(?=[0-9])", r"\1", text)


def _set(
    root: dict[str, object],
    workflow: Workflow,
    change: ValueChange,
    place: _Place,
    value: object,
    definitions: Definitions,
) -> None:
    if isinstance(place.node, ApiNode):
        _dict(_dict(root[change.node])["inputs"])[place.key] = value
        return
    saved = _find_saved(_find_saved_graph(root, change.graph), change.node)
    values = saved.get("widgets_values")
    if place.node.named is not None:
        _dict(saved["widgets_values_named"])[place.key] = value
        if isinstance(values, list):  # the same values once more, for older editors
            by_position = _find_widgets(replace(place.node, named=None), definitions)
            for at, widget in by_position.items():
                if widget.name == place.name and int(at) < len(values):
                    values[int(at)] = value
    elif isinstance(values, list):
        values[int(place.key)] = value
    else:
        _dict(values)[place.key] = value


def _find_saved_graph(root: Mapping[str, object], graph: str) -> Mapping[str, object]:
    if graph == "":
        return root
    waiting = [root]
    while waiting:
        for one in as_list(as_mapping(waiting.pop().get("definitions")).get("subgraphs")):
            if as_text(as_mapping(one).get("id")) == graph:
                return as_mapping(one)
            waiting.append(as_mapping(one))
    raise _unknown(graph)


def _find_saved(graph: Mapping[str, object], id_: str) -> dict[str, object]:
    for one in as_list(graph.get("nodes")):
        if find_id(as_mapping(one).get("id")) == id_:
            return _dict(one)
    # A second node of the same id, which has another one in the editor.
    raise BadInput(
        f"node {shorten(id_)} has not its own id in the file", where="the workflow", fix="save it in ComfyUI"
    )


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)  # noqa: S101 - the parsed workflow has the value there
    return value
