"""Read and write ViewComfy's `view_comfy.json`: workflows in API format, and which of their inputs a form shows."""

import json
from collections.abc import Iterable, Iterator, Mapping

from pydantic import Field, JsonValue

from pycomfy.core.interchange.document import (
    ForeignModel,
    Text,
    describe_names,
    describe_unknown_keys,
    render_json,
    validate,
)
from pycomfy.core.interchange.format import Document, ForeignFile, Format, RenderedFile, RenderTarget
from pycomfy.core.interchange.model import ApiInput, EnvironmentSpec
from pycomfy.core.loose_json import as_mapping
from pycomfy.errors import BadInput, suggest

_FILE_TYPE = "view_comfy"

_TYPES: Mapping[str, str] = {
    "text": "long-text",
    "integer": "number",
    "number": "float",
    "boolean": "boolean",
    "choice": "select",
    "image": "image",
    "video": "video",
    "audio": "audio",
}
"""Type of a parameter -> type of the field that shows it."""

_PARAMETER_TYPES: Mapping[str, str] = {field: type_ for type_, field in _TYPES.items()}


class _Option(ForeignModel):
    label: object = None
    value: JsonValue = None


class _Field(ForeignModel):
    """A field, or a group of them (always before version 1), whose fields are `inputs`."""

    title: Text = ""
    key: object = None
    placeholder: object = None
    helpText: object = None  # noqa: N815
    value: JsonValue = None
    workflowPath: tuple[Text | int, ...] = ()  # noqa: N815  (as the file has it)
    valueType: Text = ""  # noqa: N815
    options: tuple[_Option, ...] = ()
    validations: object = None
    inputs: tuple["_Field", ...] = ()


class _View(ForeignModel):
    title: Text = ""
    description: object = None
    previewImages: object = None  # noqa: N815
    inputs: tuple[_Field, ...] = ()
    advancedInputs: tuple[_Field, ...] = ()  # noqa: N815


class _Workflow(ForeignModel):
    viewComfyJSON: _View = _View()  # noqa: N815
    workflowApiJSON: dict[Text, JsonValue] = Field(default_factory=dict)  # noqa: N815


class _File(ForeignModel):
    file_type: Text
    file_version: object = None
    version: object = None
    appTitle: Text = ""  # noqa: N815
    appImg: object = None  # noqa: N815
    workflows: tuple[_Workflow, ...] = ()


# — reading —


def _is_view(document: Document) -> bool:
    return document.get("file_type") == _FILE_TYPE


def _parse(file: ForeignFile) -> EnvironmentSpec:
    """Read the first workflow and its form."""
    found = validate(_File, file.document, file.where)
    if not found.workflows:
        raise BadInput("no workflow in the file", where=file.where, fix="export it from ViewComfy again")
    first, rest = found.workflows[0], found.workflows[1:]
    view = first.viewComfyJSON
    inputs: list[ApiInput] = []
    others: list[str] = []
    for field in _fields((*view.inputs, *view.advancedInputs)):
        one = _input(field)
        if one is None:
            others.append(_title(field.title))
        else:
            inputs.append(one)
    notes = [*describe_unknown_keys(found)]
    if rest:
        titles = ", ".join(_title(w.viewComfyJSON.title) for w in rest)
        notes.append(f"the file has {len(found.workflows)} workflows: the first is used, not {titles}")
    notes += describe_names("fields that are not inputs of a node, left out", others)
    prompt = json.dumps(first.workflowApiJSON, indent=2, ensure_ascii=False).encode() if first.workflowApiJSON else None
    return EnvironmentSpec(
        name=view.title or found.appTitle or None, inputs=tuple(inputs), prompt=prompt, notes=tuple(notes)
    )


def _title(title: str) -> str:
    return title or "(untitled)"


def _fields(groups: Iterable[_Field]) -> Iterator[_Field]:
    for group in groups:
        if group.inputs:
            yield from _fields(group.inputs)
        else:
            yield group


def _input(field: _Field) -> ApiInput | None:
    match field.workflowPath:
        case (node, "inputs", str(name)):
            bounds = as_mapping(field.validations)
            return ApiInput(
                name=field.title or name,
                node=str(node),
                input=name,
                type=_PARAMETER_TYPES.get(field.valueType, ""),
                title=field.title,
                default=field.value,
                choices=tuple(option.value for option in field.options),
                minimum=_number(bounds.get("min")),
                maximum=_number(bounds.get("max")),
            )
        case _:
            return None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


# — writing —


def _render(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    """Write each input as a field of a group of its own. Raises `BadInput` for an environment without a workflow in API
    format."""
    if environment.prompt is None:
        raise BadInput(
            "no workflow in API format, which ViewComfy needs",
            where=target.label,
            fix=suggest("build", "makes one while it verifies the image; then export that version"),
        )
    lost = [
        f"the input {i.name}: ViewComfy has no field for {i.type}"
        for i in environment.inputs
        if i.type and i.type not in _TYPES
    ]
    inputs = [i for i in environment.inputs if not i.type or i.type in _TYPES]
    view = {
        "title": environment.name or target.label,
        "description": "",
        "previewImages": [],
        "inputs": [_group(i) for i in inputs],
        "advancedInputs": [],
    }
    value = {
        "file_type": _FILE_TYPE,
        "file_version": "1.0.0",
        "version": "0.0.1",
        "appTitle": "",
        "appImg": "",
        "workflows": [{"viewComfyJSON": view, "workflowApiJSON": json.loads(environment.prompt)}],
    }
    if environment.workflow is not None and environment.workflow != environment.prompt:
        lost.append("the workflow as the editor shows it")
    return RenderedFile(render_json(value), tuple(lost))


def _group(one: ApiInput) -> dict[str, object]:
    title = one.title or one.name
    bounds = {k: v for k, v in (("min", one.minimum), ("max", one.maximum)) if v is not None}
    field: dict[str, object] = {
        "title": one.name,
        "placeholder": title,
        "value": one.default,
        "workflowPath": [one.node, "inputs", one.input],
        "helpText": "",
        "valueType": _TYPES.get(one.type, "long-text"),
        "validations": {"required": False, **bounds},
        "key": f"{one.node}-inputs-{one.input}",
    }
    if one.choices:
        field["options"] = [{"label": str(choice), "value": choice} for choice in one.choices]
    return {"title": title, "inputs": [field], "key": f"{one.node}-{one.input}"}


VIEW_COMFY = Format(
    name="view-comfy",
    title="a view_comfy.json",
    filename="view_comfy.json",
    parts=frozenset({"workflow", "inputs"}),
    detect=_is_view,
    parse=_parse,
    render=_render,
)
