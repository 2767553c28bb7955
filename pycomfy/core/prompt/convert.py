"""Convert a workflow, which people edit, to a prompt, which servers run: the frontend's `graphToPrompt` in Python."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NotRequired, TypedDict

from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.flatten import FlatNode
from pycomfy.core.prompt.links import is_link
from pycomfy.core.prompt.lost_values import MAX_LOST, LostValue, describe_lost, find_lost
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.node_details import NodeDetails
from pycomfy.core.sentences import shorten
from pycomfy.core.workflow.core_replacements import replaced_by
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import BadWorkflow, PycomfyError, UnknownNode, raise_all


class PromptNode(TypedDict):
    """A node of a prompt."""

    class_type: str
    inputs: dict[str, object]
    _meta: NotRequired[dict[str, object]]


Prompt = dict[str, PromptNode]
"""The body of `POST /prompt`: nodes by id; an input is a value, or a link `[id, slot]`."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A prompt, and the problems that prevent it from running. Nodes of unknown types have links, but no values.
    `left_out` are nodes of unknown types that nothing can be linked to, by id: they are taken for notes. `lost` is what
    the file has and the prompt does not, though nobody turned it off. `flat` is the workflow as it was made flat, which
    takes time; None for the API format."""

    prompt: Prompt
    problems: tuple[PycomfyError, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[LostValue, ...] = ()
    flat: FlatWorkflow | None = None


def convert(
    workflow: Workflow,
    object_info: Mapping[str, object] | Definitions,
    remark: Callable[[str], object] = lambda text: None,
    judge: Callable[[Sequence[LostValue]], object] | None = None,
) -> Prompt:
    """Return the prompt of `workflow` for a server with these definitions. `judge` gets what has no place in it, and
    may raise; without one it is remarked on.

    Raises `UnknownNode` for node types that the server lacks, all at once, and `BadWorkflow` for links in a cycle.
    """
    conversion = try_convert(workflow, object_info)
    raise_all(conversion.problems)
    for id_, type_ in conversion.left_out.items():
        node = f"node {shorten(id_)} ({shorten(type_)})"
        remark(f"{node} is left out: ComfyUI lacks its type, and nothing can be linked to it")
    if judge is not None:
        judge(conversion.lost)
    else:
        for lost in describe_lost(conversion.lost):
            remark(f"warning: {lost}")
    return conversion.prompt


def try_convert(workflow: Workflow, object_info: Mapping[str, object] | Definitions) -> Conversion:
    """As `convert`, but return the problems with the prompt. Raises `BadWorkflow` if the subgraphs cannot be opened.

    The rules are those of frontend 1.58, with one exception: output nodes inside a muted or bypassed subgraph at any
    depth are left out, or the server would run them. (Other nodes run only if an output needs them.)
    """
    definitions = object_info if isinstance(object_info, Definitions) else Definitions(object_info)
    if workflow.format == "api":
        return _from_api(workflow, definitions)
    flat_workflow = FlatWorkflow(workflow, definitions)
    prompt: Prompt = {}
    problems: list[PycomfyError] = []
    left_out: dict[str, str] = {}
    for flat in flat_workflow.nodes:
        if flat_workflow.details.is_virtual(flat) or not flat.node.runs or _is_silenced(flat, flat_workflow.details):
            continue
        if flat_workflow.details.is_apart(flat):
            left_out[flat.id] = flat.node.type
            continue
        if flat_workflow.details.spec(flat) is None:
            problems.append(_unknown(flat, workflow.where, definitions))
        try:
            inputs = flat_workflow.inputs(flat)
        except BadWorkflow as e:
            problems.append(e)
            continue
        prompt[flat.id] = {
            "class_type": flat.node.type,
            "inputs": inputs,
            "_meta": {"title": flat_workflow.title(flat)},
        }
    _drop_dangling(prompt)
    lost = tuple(islice(find_lost(flat_workflow, prompt), MAX_LOST + 1))
    if len(lost) > MAX_LOST:
        what = f"more than {MAX_LOST:,} of its saved values have no place in the prompt"
        raise BadWorkflow(what, where=workflow.where, fix="save the workflow again from ComfyUI")
    return Conversion(prompt, _merge(problems), left_out, lost, flat_workflow)


def _merge(problems: Sequence[PycomfyError]) -> tuple[PycomfyError, ...]:
    """Return the problems, of unknown node types that need the same only the first with the count of the others."""
    counts = Counter((p.what, p.fixes) for p in problems if isinstance(p, UnknownNode))
    merged: list[PycomfyError] = []
    for problem in problems:
        key = (problem.what, problem.fixes)
        count = counts.pop(key, 0) if isinstance(problem, UnknownNode) else 1
        if count > 1:
            more = f"{count - 1:,} more node{'s' if count > 2 else ''}"
            merged.append(UnknownNode(problem.what, where=f"{problem.where}, and {more}", fix=problem.fixes))
        elif count:
            merged.append(problem)
    return tuple(merged)


def _is_silenced(flat: FlatNode, nodes: NodeDetails) -> bool:
    """Whether a node is off because of a host. The frontend opens no graph directly below a muted or bypassed host at
    the top, but every graph further down."""
    if not flat.silent:
        return False
    host = flat.graph.host
    while host is not None:
        if not host.node.runs and host.graph.host is None:
            return True
        host = host.graph.host
    spec = nodes.spec(flat)
    return spec is None or spec.output_node


def _drop_dangling(prompt: Prompt) -> None:
    """Remove links to nodes that are not in the prompt: output nodes of a host that is off, nodes in a cycle."""
    for node in prompt.values():
        inputs = node["inputs"]
        for name in [n for n, v in inputs.items() if is_link(v) and v[0] not in prompt]:  # type: ignore[index]
            del inputs[name]


def _from_api(workflow: Workflow, definitions: Definitions) -> Conversion:
    """Convert a workflow in API format, which already is a prompt; only the problems are to be found."""
    prompt: Prompt = {}
    problems: list[PycomfyError] = []
    for node in workflow.api:
        prompt[node.id] = {"class_type": node.type, "inputs": dict(node.inputs)}
        if node.meta:
            prompt[node.id]["_meta"] = dict(node.meta)
        if definitions.find(node.type) is None:
            problems.append(
                _unknown_type(
                    node.type,
                    f'node {shorten(node.id)} "{shorten(node.title or node.type)}" of {workflow.where}',
                    {},
                    definitions,
                )
            )
    return Conversion(prompt, _merge(problems))


def _unknown(flat: FlatNode, where: str, definitions: Definitions) -> UnknownNode:
    node = flat.node
    return _unknown_type(
        node.type,
        f'node {shorten(flat.id)} "{shorten(node.title or node.type)}" of {where}',
        node.properties,
        definitions,
    )


def _unknown_type(type_: str, where: str, properties: Mapping[str, object], definitions: Definitions) -> UnknownNode:
    new = replaced_by(type_, frozenset(definitions))
    if new is not None and properties.get("cnr_id") in (None, "comfy-core") and not properties.get("aux_id"):
        return UnknownNode(
            f'unknown node type "{shorten(type_)}": ComfyUI replaced it by "{new}"',
            where=where,
            fix=f"open the workflow in ComfyUI's editor, let it replace the node by {new}, and save it",
        )
    pack, version = properties.get("cnr_id") or properties.get("aux_id"), properties.get("ver")
    saved = f" (the workflow was saved with {shorten(version)})" if isinstance(version, str) and version else ""
    if pack == "comfy-core":
        fix = f"use a ComfyUI that has this node{saved}"
    elif isinstance(pack, str):
        fix = f"install the node pack {shorten(pack)}{saved}"
    else:
        fix = "use the definitions of a ComfyUI that has it: a newer one, or one with the node's pack"
    return UnknownNode(f'unknown node type "{shorten(type_)}": the definitions lack it', where=where, fix=fix)
