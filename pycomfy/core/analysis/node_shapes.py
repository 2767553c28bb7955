"""Read the inputs and outputs of a pack's nodes from its source, and compare a saved node with them."""

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pycomfy.core.analysis.evaluator import SourceEvaluator
from pycomfy.core.analysis.evaluator_values import Class, Dict, Function, ModelFiles, Value
from pycomfy.core.analysis.node_types import SCHEMA, find_definition, find_node_classes
from pycomfy.core.workflow.model import Input, Output

ANY = "*"
"""The type of what takes or gives anything, or of which the type is not known."""

COMBO = "COMBO"

_V3_TYPES = {name.upper().replace("_", ""): name for name in ("CLIP_VISION", "CONTROL_NET", "STYLE_MODEL")}
_PLAIN = frozenset(
    ("INT", "FLOAT", "STRING", "BOOLEAN", COMBO, "IMAGE", "MASK", "LATENT", "CONDITIONING", "CLIP", "VAE", "MODEL")
)


@dataclass(frozen=True, slots=True)
class NodeShape:
    """The inputs of a node by name, each with its type, and the types of its outputs. The inputs are `complete` if the
    source shows that it takes no others; `outputs` is None if they are not known. `class_name` is that of its class."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False
    outputs: tuple[str, ...] | None = None
    class_name: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a saved node fits a shape: `fitting` of `total` saved inputs and outputs are there with their types.
    `problems` say what contradicts the shape; names in `unknown` are of inputs that the shape may have."""

    fitting: int = 0
    total: int = 0
    problems: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        """Whether everything that was saved is there."""
        return self.total > 0 and self.fitting == self.total


def find_shapes(files: Mapping[str, str], types: Collection[str]) -> dict[str, NodeShape]:
    """Return the shapes of those of a pack's node `types` whose classes the files have."""
    sources = SourceEvaluator(files)
    classes = find_node_classes(files, sources)[1]
    return {
        type_: replace(_shape(classes[type_], sources), class_name=classes[type_].body.name)
        for type_ in sorted(types)
        if type_ in classes
    }


def compare(inputs: Sequence[Input], outputs: Sequence[Output], shape: NodeShape) -> Fit:
    """Compare a saved node with a shape.

    An input that is a widget and that the shape lacks is unknown: packs' scripts add such to the editor. So is one that
    a server's node takes beyond its definition.
    """
    fitting, total, problems, unknown = 0, 0, list[str](), list[str]()
    for saved in inputs:
        total += 1
        defined = shape.inputs.get(saved.name)
        if defined is None:
            if saved.widget is not None or not shape.complete:
                unknown.append(saved.name)
            else:
                problems.append(f"no input {saved.name}")
        elif is_compatible(saved.type, defined):
            fitting += 1
        else:
            problems.append(f"input {saved.name} is {defined} and not {saved.type}")
    for position, output in enumerate(outputs):
        total += 1
        if shape.outputs is None:
            unknown.append(output.name)
        elif position >= len(shape.outputs):
            problems.append(f"only {len(shape.outputs)} of {len(outputs)} outputs")
            total += len(outputs) - position - 1
            break
        elif is_compatible(output.type, shape.outputs[position]):
            fitting += 1
        else:
            problems.append(f"output {position + 1} is {shape.outputs[position]} and not {output.type}")
    return Fit(fitting, total, tuple(problems), tuple(unknown))


def is_compatible(saved: str, defined: str) -> bool:
    """Return whether two types of sockets may be the same. A list of choices is saved as COMBO, and by old editors as
    the choices."""
    one, other = ({part.strip().upper() for part in type_.split(",")} for type_ in (saved, defined))
    return bool(one & other) or bool({ANY, "", "0", COMBO} & {*one, *other})


# — from the source —


def _shape(class_: Class, sources: SourceEvaluator) -> NodeShape:
    method = find_definition(class_, sources)
    if method is None:
        return NodeShape()
    return _schema_shape(method) if method.body.name == SCHEMA else _legacy_shape(class_, method, sources)


def _legacy_shape(class_: Class, method: Function, sources: SourceEvaluator) -> NodeShape:
    groups = sources.result(method)
    inputs: dict[str, str] = {}
    returns = sum(isinstance(node, ast.Return) for node in ast.walk(method.body))
    complete = isinstance(groups, Dict) and not groups.partial and returns == 1 and not _takes_more(class_, sources)
    for group, values in groups.items.items() if isinstance(groups, Dict) else ():
        if group == "hidden":
            continue
        if not isinstance(values, Dict):
            complete = False
            continue
        complete = complete and not values.partial
        for name, definition in values.items.items():
            inputs[name] = _type_of(definition[0]) if isinstance(definition, list) and definition else ANY
    outputs = sources.attribute(class_, "RETURN_TYPES")
    known = tuple(map(_type_of, outputs)) if isinstance(outputs, list) else None
    return NodeShape(inputs, complete, known)


def _takes_more(class_: Class, sources: SourceEvaluator) -> bool:
    """Whether the node's function takes any keyword: then the editor's half may add inputs."""
    name = sources.attribute(class_, "FUNCTION")
    function = sources.attribute(class_, name) if isinstance(name, str) else None
    return not isinstance(function, Function) or function.body.args.kwarg is not None


def _type_of(value: Value) -> str:
    if isinstance(value, (list, ModelFiles)):
        return COMBO
    return value if isinstance(value, str) else ANY


def _schema_shape(schema: Function) -> NodeShape:
    """The shape of a V3 node: `io.Schema(…, inputs=[io.Image.Input("image"), …], outputs=[io.Image.Output(), …])`."""
    for node in ast.walk(schema.body):
        name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
        if not isinstance(node, ast.Call) or (name or getattr(node.func, "id", "")) != "Schema":
            continue
        lists = {keyword.arg: keyword.value for keyword in node.keywords}
        inputs = list(_v3_slots(lists.get("inputs"), "Input"))
        outputs = list(_v3_slots(lists.get("outputs"), "Output"))
        named = {name: type_ for name, type_ in inputs if name}
        complete = isinstance(lists.get("inputs"), ast.List) and len(named) == len(inputs)
        listed = isinstance(lists.get("outputs"), ast.List) and all(type_ is not None for _, type_ in outputs)
        known = {name: type_ or ANY for name, type_ in named.items()}
        return NodeShape(known, complete, tuple(type_ or ANY for _, type_ in outputs) if listed else None)
    return NodeShape()


def _v3_slots(value: ast.expr | None, kind: str) -> Iterator[tuple[str, str | None]]:
    """Each slot's name and type; "" for a name, and None for a type, that is not known."""
    for item in value.elts if isinstance(value, ast.List) else ():
        call = item if isinstance(item, ast.Call) else None
        function = call.func if call is not None else None
        if call is None or not isinstance(function, ast.Attribute) or function.attr != kind:
            yield "", None
            continue
        owner = function.value
        raw = (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")).upper()
        type_ = _V3_TYPES.get(raw, raw if raw in _PLAIN else ANY)
        name = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "id"), None)
        plain = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
        # What has parts of its own takes inputs by other names.
        composed = raw in ("AUTOGROW", "DYNAMICCOMBO", "DYNAMICSLOT", "DYNAMICGROUP")
        yield ("" if composed else plain), type_
