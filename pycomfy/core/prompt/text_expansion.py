"""Expand texts as the browser does when a workflow is queued: choices, comments, dates, values of other nodes."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.flatten import PRIMITIVE
from pycomfy.core.prompt.link_resolution import Constant
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import BadWorkflow
from pycomfy.gateway.graph import texts
from pycomfy.gateway.graph.texts import SAVE_NODES, expand_choices

_NODE_NAME = "Node name for S&R"
_REPLACES = "Run widget replace on values"


@dataclass(frozen=True, slots=True)
class Moment:
    """The random seed and the local time, which a browser takes from the system."""

    seed: int
    now: datetime


def expand_texts(
    prompt: Prompt, workflow: Workflow, object_info: Mapping[str, object] | Definitions, moment: Moment
) -> Prompt:
    """Return `prompt`, converted from `workflow`, with its texts as the browser would send them.

    Choices `{a|b}` depend on `moment.seed`, the node and the input, so that other nodes do not change them.
    """
    definitions = object_info if isinstance(object_info, Definitions) else Definitions(object_info)
    flat_workflow = FlatWorkflow(workflow, definitions) if workflow.format != "api" else None
    values = _values_by_name(workflow, flat_workflow)
    sources = _text_sources(flat_workflow) if flat_workflow is not None else {}
    expanded: Prompt = {}
    for id_, node in prompt.items():
        spec = definitions.find(node["class_type"])
        inputs = dict(node["inputs"])
        for input_ in spec.inputs if spec is not None else ():
            text, source = inputs.get(input_.name), sources.get((id_, input_.name))
            if not isinstance(text, str) or source == "host":
                continue
            if source == "replacing primitive":
                text = replace_names(text, values, moment.now)
            if input_.options.get("dynamicPrompts") is True:
                generator = random.Random(f"{moment.seed}:{id_}:{input_.name}")  # noqa: S311 - a choice of words
                text = expand_choices(text, generator)
            elif input_.name == "filename_prefix" and node["class_type"] in SAVE_NODES:
                text = replace_names(text, values, moment.now)
            inputs[input_.name] = text
        expanded[id_] = {**node, "inputs": inputs}
    return expanded


TextSource = Literal["host", "replacing primitive"]


def _text_sources(flat_workflow: FlatWorkflow) -> dict[tuple[str, str], TextSource]:
    """Inputs, as (node, name), with a text from another node that the browser handles differently.

    A text that the host of a subgraph sets is sent unchanged; a primitive with the property replaces names in its text.
    """
    replacing = {p.id for p in flat_workflow.nodes if p.node.type == PRIMITIVE and p.node.properties.get(_REPLACES)}
    sources: dict[tuple[str, str], TextSource] = {}
    for flat in flat_workflow.nodes:
        for name, source in flat_workflow.linked_sources(flat).items():
            if isinstance(source, Constant) and source.id in flat_workflow.hosts:
                sources[flat.id, name] = "host"
            elif isinstance(source, Constant) and source.id in replacing:
                sources[flat.id, name] = "replacing primitive"
    return sources


def replace_names(text: str, values: Mapping[str, Mapping[str, object]], now: datetime) -> str:
    """Replace `%date:FORMAT%`, and `%Node.widget%` by its value; anything else between `%` stays. Raises
    `BadWorkflow`."""
    try:
        return texts.replace_names(text, values, now)
    except texts.TextTooLong as e:
        raise BadWorkflow(str(e), where=e.text, fix="use fewer names, or shorter values") from e


def _values_by_name(workflow: Workflow, flat_workflow: FlatWorkflow | None) -> dict[str, Mapping[str, object]]:
    """The widgets of nodes by the name that texts use: the name for search and replace, else the title.

    All widgets, with the values that the editor shows: also linked ones and controls.
    """
    by_name: dict[str, Mapping[str, object]] = {}
    by_title: dict[str, Mapping[str, object]] = {}
    for node in workflow.api:
        by_name.setdefault(node.type, node.inputs)
        by_title.setdefault(node.title, node.inputs)
    if flat_workflow is None:
        return {**by_title, **by_name}
    for flat in flat_workflow.nodes:
        values = flat_workflow.displayed_values(flat)
        name = flat.node.properties.get(_NODE_NAME)
        if (
            not isinstance(name, str)
            and flat.node.type not in SAVE_NODES
            and flat_workflow.details.spec(flat) is not None
        ):
            name = flat.node.type
        if isinstance(name, str):
            by_name.setdefault(name, values)
        by_title.setdefault(flat_workflow.title(flat), values)
    return {**by_title, **by_name}
