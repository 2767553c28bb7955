"""Collect what a workflow requires: exactly with a server's `/object_info`, else by what the file itself says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pycomfy.core.loose_json import as_list, as_mapping, as_text
from pycomfy.core.prompt.convert import Reading
from pycomfy.core.prompt.flatten import Placed
from pycomfy.core.prompt.node_definitions import Definitions, NodeSpec
from pycomfy.core.requirements.input_files import find_files
from pycomfy.core.requirements.model import (
    Provenance,
    RequiredFile,
    RequiredModel,
    RequiredNode,
    State,
    WorkflowRequirements,
)
from pycomfy.core.requirements.model_files import declared_models, find_models, merge_models
from pycomfy.core.workflow.model import Mode, Workflow


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A node with the values of its inputs, without links."""

    id: str
    type: str
    title: str
    state: State
    inputs: Mapping[str, object]
    properties: Mapping[str, object]
    spec: NodeSpec | None


def collect_requirements(
    workflow: Workflow, object_info: Mapping[str, object] | Definitions | None = None
) -> WorkflowRequirements:
    """Return every node, model file and input file of the workflow.

    Nodes that cannot run are listed with their state; models and files are those of nodes that can. Raises
    `BadWorkflow` if subgraphs cannot be opened.
    """
    definitions = object_info if isinstance(object_info, Definitions) else Definitions(object_info or {})
    uses = tuple(_uses(workflow, definitions))
    versions = workflow.extra.get("node_versions")
    running = [u for u in uses if u.state == "runs"]
    return WorkflowRequirements(
        nodes=tuple(
            RequiredNode(u.id, u.type, u.title, u.state, find_provenance(u.properties, as_mapping(versions)))
            for u in uses
        ),
        models=merge_models(_models(running), declared_models(workflow.models, "")),
        files=tuple(_files(running)),
    )


def _models(uses: Iterable[NodeUse]) -> Iterator[RequiredModel]:
    for use in uses:
        listed = [m for m in as_list(use.properties.get("models")) if isinstance(m, dict)]
        yield from merge_models(
            find_models(use.id, use.type, use.inputs, use.spec), declared_models(listed, use.id), keep_declared=True
        )


def _files(uses: Iterable[NodeUse]) -> Iterator[RequiredFile]:
    seen: set[tuple[str, str]] = set()
    for use in uses:
        for file in find_files(use.id, use.type, use.inputs, use.spec):
            if (file.node, file.input) not in seen:
                seen.add((file.node, file.input))
                yield file


def _uses(workflow: Workflow, definitions: Definitions) -> Iterator[NodeUse]:
    for node in workflow.api:
        spec = definitions.find(node.type)
        title = node.title or (spec.title if spec is not None else node.type)
        yield NodeUse(node.id, node.type, title, "runs", node.inputs, node.meta, spec)
    if workflow.format == "api":
        return
    reading = Reading(workflow, definitions)
    for placed in reading.placed:
        if reading.nodes.is_virtual(placed):
            continue
        yield NodeUse(
            placed.id,
            placed.node.type,
            reading.title(placed),
            _state(placed),
            {**reading.constants(placed), **_unnamed_values(placed, reading)},
            placed.node.properties,
            reading.nodes.spec(placed),
        )


def _unnamed_values(placed: Placed, reading: Reading) -> dict[str, object]:
    """Values without a name in the file: those of a node of an unknown type that lists only some of its widgets."""
    values = placed.node.values
    if reading.nodes.spec(placed) is not None or placed.node.named is not None or not isinstance(values, tuple):
        return {}
    if len(values) == sum(w.saved for w in reading.nodes.restored(placed).widgets):
        return {}
    return {f"#{i}": value for i, value in enumerate(values)}


def _state(placed: Placed) -> State:
    """Whether a node runs: it is off if it or a host of its graph is."""
    at: Placed | None = placed
    while at is not None:
        if at.node.mode == Mode.MUTED:
            return "muted"
        if at.node.mode == Mode.BYPASSED:
            return "bypassed"
        at = at.scope.host
    return "runs"


def find_provenance(properties: Mapping[str, object], versions: Mapping[str, object]) -> Provenance | None:
    """Return what a node states about its pack; `versions` is the older `extra.node_versions`, by registry id."""
    cnr_id, aux_id = as_text(properties.get("cnr_id")) or None, as_text(properties.get("aux_id")) or None
    if cnr_id is None and aux_id is None:
        return None
    version = as_text(properties.get("ver")) or (as_text(versions.get(cnr_id)) if cnr_id is not None else "")
    version = version.removeprefix("v")
    return Provenance(cnr_id, aux_id, None if version in ("", "unknown", "nightly") else version)
