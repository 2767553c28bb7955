"""Find every value of a workflow that could be a parameter: widgets without a link, each with the inputs it sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.links import is_link
from pycomfy.core.prompt.node_definitions import Definitions, InputSpec
from pycomfy.core.workflow.model import Workflow

Owner = tuple[str, str]
"""(node id, widget): the widget that a user would set, which may be on a primitive or on the host of a subgraph."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """`targets` are (node, input); the first determines the type. `owner_title` is the title of the node with the
    widget."""

    owner: Owner
    owner_title: str
    targets: tuple[tuple[str, str], ...]
    type_: str
    """The node type of the first target."""
    spec: InputSpec | None
    value: object


@dataclass(slots=True)
class _Draft:
    title: str
    targets: list[tuple[str, str]] = field(default_factory=list)


def find_candidates(
    prompt: Prompt, workflow: Workflow, definitions: Definitions, flat_workflow: FlatWorkflow | None = None
) -> dict[Owner, Candidate]:
    """Return all candidates of a converted workflow, in the order of its nodes. It is made flat if it was not yet."""
    found: dict[Owner, _Draft] = {}
    if workflow.format == "api":
        for id_, node in prompt.items():
            for name in node["inputs"]:
                found[id_, name] = _Draft(_title(prompt, id_), [(id_, name)])
    else:
        flat_workflow = flat_workflow or FlatWorkflow(workflow, definitions)
        titles = {p.id: flat_workflow.title(p) for p in flat_workflow.nodes}
        for flat in flat_workflow.nodes:
            if flat.id not in prompt:
                continue
            for name, owner in flat_workflow.owners(flat).items():
                found.setdefault(owner, _Draft(titles.get(owner[0], ""))).targets.append((flat.id, name))
    candidates = {}
    for owner, draft in found.items():
        targets = [(n, i) for n, i in draft.targets if i in prompt[n]["inputs"] and not is_link(prompt[n]["inputs"][i])]
        if targets:
            candidates[owner] = _candidate(owner, draft.title, targets, prompt, definitions)
    return candidates


def _candidate(
    owner: Owner, title: str, targets: list[tuple[str, str]], prompt: Prompt, definitions: Definitions
) -> Candidate:
    node, name = targets[0]
    type_ = prompt[node]["class_type"]
    spec = definitions.find(type_)
    value = prompt[node]["inputs"][name]
    if isinstance(value, Mapping) and "__value__" in value:
        value = value["__value__"]
    return Candidate(owner, title, tuple(targets), type_, _find_spec(spec.inputs if spec else (), name), value)


def _find_spec(inputs: tuple[InputSpec, ...], name: str) -> InputSpec | None:
    """The definition of an input; that of an inner input of a dynamic combo is found by the parts of its name."""
    from pycomfy.core.prompt.widgets import make_widgets

    for spec in inputs:
        if spec.name == name:
            return spec
    if "." not in name:
        return None
    parts = [p for w in make_widgets(inputs) if w.parts is not None for p in w.parts.values()]
    while parts:
        group = parts.pop()
        for spec in group:
            if spec.name == name:
                return spec
        parts += [p for w in make_widgets(group) if w.parts is not None for p in w.parts.values()]
    return None


def _title(prompt: Prompt, id_: str) -> str:
    title = prompt[id_].get("_meta", {}).get("title")
    return title if isinstance(title, str) else prompt[id_]["class_type"]
