"""Build the interface of a converted workflow."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue, TypeAdapter, ValidationError

from pycomfy.core.interface.candidates import Candidate, find_candidates
from pycomfy.core.interface.model import Interface, OutputKind, OutputNode, Parameter, ParameterType, Target
from pycomfy.core.interface.select import Graph, select_parameters, unique_names
from pycomfy.core.loose_json import as_number
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.node_definitions import Definitions, NodeSpec
from pycomfy.core.requirements.input_files import find_kind
from pycomfy.core.workflow.model import Workflow

MAX_CHOICES = 2_000
_TYPES: Mapping[str, ParameterType] = {"INT": "integer", "FLOAT": "number", "BOOLEAN": "boolean", "STRING": "text"}
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


def make_interface(
    prompt: Prompt,
    workflow: Workflow,
    object_info: Mapping[str, object] | Definitions,
    configured: Mapping[str, str] | None = None,
    flat: FlatWorkflow | None = None,
) -> Interface:
    """Return the interface of `workflow`, from which `prompt` was made. `configured` is `[inputs]` of pycomfy.toml,
    `flat` the workflow with these definitions where it was made flat before.

    Raises `BadConfig` for configured inputs that do not exist, all at once.
    """
    definitions = object_info if isinstance(object_info, Definitions) else Definitions(object_info)
    linear = workflow.extra.get("linearData")
    graph = Graph(prompt, find_candidates(prompt, workflow, definitions, flat), definitions)
    choices = select_parameters(graph, configured or {}, linear)
    names = unique_names((name, candidate.owner_title) for name, candidate in choices)
    parameters = tuple(
        _parameter(name, candidate, definitions) for name, (_, candidate) in zip(names, choices, strict=True)
    )
    return Interface(parameters=parameters, outputs=_outputs(prompt, definitions, linear))


def _parameter(name: str, candidate: Candidate, definitions: Definitions) -> Parameter:
    spec = candidate.spec
    options = spec.options if spec is not None else {}
    type_ = _type(candidate, definitions)
    numeric = type_ in ("integer", "number")
    return Parameter(
        name=name,
        type=type_,
        targets=tuple(Target(node=n, input=i) for n, i in candidate.targets),
        default=_json(candidate.value),
        minimum=as_number(options.get("min")) if numeric else None,
        maximum=as_number(options.get("max")) if numeric else None,
        step=as_number(options.get("step")) if numeric else None,
        choices=_choices(spec.choices or ()) if type_ == "choice" and spec is not None else (),
        multiline=type_ == "text" and options.get("multiline") is True,
        title=f"{candidate.owner_title}: {candidate.owner[1]}",
        description=tip if isinstance(tip := options.get("tooltip"), str) else "",
    )


def _type(candidate: Candidate, definitions: Definitions) -> ParameterType:
    kind = find_kind(candidate.type_, candidate.targets[0][1], definitions.find(candidate.type_))
    if kind is not None:
        return kind
    spec, value = candidate.spec, candidate.value
    if spec is not None:
        if spec.type in _TYPES:
            return _TYPES[spec.type]
        if spec.type in ("COMBO", "COMFY_DYNAMICCOMBO_V3") and not isinstance(value, (list, tuple)):
            return "choice" if spec.choices else "text" if isinstance(value, str) else "json"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    return "integer" if isinstance(value, int) else "number" if isinstance(value, float) else "json"


def _choices(values: Sequence[object]) -> tuple[str | int | float | bool, ...]:
    return tuple(v for v in values[:MAX_CHOICES] if isinstance(v, (str, int, float, bool)))


def _json(value: object) -> JsonValue:
    if isinstance(value, float) and not -1e300 < value < 1e300:
        return None
    try:
        return _JSON.validate_python(value)
    except ValidationError:
        return None


def _outputs(prompt: Prompt, definitions: Definitions, linear: object) -> tuple[OutputNode, ...]:
    """Every output node of the prompt; those that the author shows in app mode come first."""
    found: list[tuple[str, NodeSpec]] = []
    for id_, node in prompt.items():
        spec = definitions.find(node["class_type"])
        if spec is not None and spec.output_node:
            found.append((id_, spec))
    shown = linear.get("outputs") if isinstance(linear, Mapping) else None
    order = {str(id_): i for i, id_ in enumerate(shown)} if isinstance(shown, list) else {}
    found.sort(key=lambda f: order.get(f[0], len(order)))
    kinds = [output_kind(spec) for _, spec in found]
    titles = [_title(prompt, id_) for id_, _ in found]
    names = unique_names(zip(kinds, titles, strict=True))
    return tuple(
        OutputNode(name=name, kind=kind, node=id_, title=title)
        for name, kind, (id_, _), title in zip(names, kinds, found, titles, strict=True)
    )


def output_kind(spec: NodeSpec) -> OutputKind:
    """Return what an output node returns: by its name where that is clear, else by its input types."""
    name = spec.type.lower()
    by_name: tuple[tuple[OutputKind, tuple[str, ...]], ...] = (
        ("video", ("video", "webm", "mp4")),
        ("audio", ("audio", "music", "mp3", "flac")),
        ("3d", ("3d", "glb", "mesh", "gaussian", "pointcloud")),
    )
    for kind, words in by_name:
        if any(w in name for w in words):
            return kind
    types = {t for i in spec.inputs for t in i.type.split(",")}
    by_type: tuple[tuple[OutputKind, tuple[str, ...]], ...] = (
        ("video", ("VIDEO",)),
        ("image", ("IMAGE", "SVG", "MASK")),
        ("audio", ("AUDIO",)),
        ("3d", ("MESH", "VOXEL", "LOAD3D_CAMERA")),
        ("text", ("STRING", "*", "INT", "FLOAT")),
    )
    for kind, input_types in by_type:
        if types & set(input_types):
            return kind if kind != "text" or "save" not in name else "file"
    return "file"


def _title(prompt: Prompt, id_: str) -> str:
    title = prompt[id_].get("_meta", {}).get("title")
    return title if isinstance(title, str) else prompt[id_]["class_type"]
