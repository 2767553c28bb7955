"""ViewComfy's `view_comfy.json`: workflows in API format, and which of their inputs a form shows."""

import json
from collections.abc import Iterable, Iterator, Mapping

from pydantic import Field, JsonValue

from pycomfy.core.interchange.document import ForeignModel, Text, describe_ignored_keys, validate
from pycomfy.core.interchange.model import ApiInput, EnvironmentSpec
from pycomfy.core.workflow.untrusted_json import shown
from pycomfy.errors import BadInput

FILE_TYPE = "view_comfy"

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
"""Which field shows which type of parameter."""


class _Option(ForeignModel):
    label: object = None
    value: JsonValue = None


class _Field(ForeignModel):
    """A field, or before version 1 a group of them: then `inputs` are its fields."""

    title: Text = ""
    value: JsonValue = None
    workflowPath: tuple[Text | int, ...] = ()  # noqa: N815  (as the file has it)
    valueType: Text = ""  # noqa: N815
    options: tuple[_Option, ...] = ()
    validations: object = None
    inputs: tuple["_Field", ...] = ()


class _View(ForeignModel):
    title: Text = ""
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


def is_view(value: Mapping[str, object]) -> bool:
    """Whether a document is one."""
    return value.get("file_type") == FILE_TYPE


def parse_view(value: Mapping[str, object], where: str) -> EnvironmentSpec:
    """The first workflow and its form. Raises `BadInput`."""
    found = validate(_File, value, where)
    if not found.workflows:
        raise BadInput("it has no workflow in it", where=where, fix="export it from ViewComfy again")
    first, rest = found.workflows[0], found.workflows[1:]
    view = first.viewComfyJSON
    fields = list(_fields((*view.inputs, *view.advancedInputs)))
    inputs = [one for field in fields if (one := _input(field)) is not None]
    strange = [shown(f.title or "without a title") for f in fields if _input(f) is None]
    remarks = [*describe_ignored_keys(found.unread)]
    if rest:
        names = ", ".join(shown(w.viewComfyJSON.title or "without a title") for w in rest)
        remarks.append(f"it has {len(found.workflows)} workflows; the first is taken, not {names}")
    if strange:
        remarks.append(f"fields that belong to no input of a node: {', '.join(strange)}")
    prompt = json.dumps(first.workflowApiJSON, indent=2, ensure_ascii=False).encode() if first.workflowApiJSON else None
    return EnvironmentSpec(
        name=view.title or found.appTitle or None, inputs=tuple(inputs), prompt=prompt, remarks=tuple(remarks)
    )


def _fields(groups: Iterable[_Field]) -> Iterator[_Field]:
    for group in groups:
        if group.inputs:
            yield from _fields(group.inputs)
        else:
            yield group


def _input(field: _Field) -> ApiInput | None:
    match field.workflowPath:
        case (node, "inputs", str(name)):
            types = {shown: type_ for type_, shown in _TYPES.items()}
            bounds = field.validations if isinstance(field.validations, Mapping) else {}
            return ApiInput(
                name=field.title or name,
                node=str(node),
                input=name,
                type=types.get(field.valueType, ""),
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


def render_view(recipe: EnvironmentSpec, name: str) -> tuple[bytes, tuple[str, ...]]:
    """The file, each input as a field of a group of its own; and what of the recipe's parts it could not say. Raises
    `BadInput` for a recipe without a workflow in API format."""
    if recipe.prompt is None:
        raise BadInput(
            "there is no workflow in API format, which ViewComfy needs",
            where=name,
            fix="`pycomfy build`, without --no-prove, makes one, with its interface: export that version",
        )
    lost = [f"the input {i.name}: no field shows {i.type}" for i in recipe.inputs if i.type and i.type not in _TYPES]
    shown_inputs = [i for i in recipe.inputs if not i.type or i.type in _TYPES]
    view = {
        "title": recipe.name or name,
        "description": "",
        "previewImages": [],
        "inputs": [_group(i) for i in shown_inputs],
        "advancedInputs": [],
    }
    value = {
        "file_type": FILE_TYPE,
        "file_version": "1.0.0",
        "version": "0.0.1",
        "appTitle": "",
        "appImg": "",
        "workflows": [{"viewComfyJSON": view, "workflowApiJSON": json.loads(recipe.prompt)}],
    }
    if recipe.workflow is not None and recipe.workflow != recipe.prompt:
        lost.append("the workflow as the editor shows it")
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(), tuple(lost)


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
