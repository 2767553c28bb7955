"""Collect what a workflow requires: exactly with a server's `/object_info`, else by what the file itself says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pycomfy.core.lockfile.lock_types import is_model_folder
from pycomfy.core.loose_json import as_list, as_mapping, as_text
from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.flatten import FlatNode
from pycomfy.core.prompt.links import is_link
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
from pycomfy.core.requirements.model_files import (
    FOLDER_ALIASES,
    ModelInputs,
    declared_models,
    find_models,
    folder_by_name,
    is_model_file,
    merge_models,
    texts_of,
)
from pycomfy.core.workflow.model import Input, Mode, Output, Workflow


@dataclass(frozen=True, slots=True)
class NodeValues:
    """A node with the values of its inputs, without links."""

    id: str
    type: str
    title: str
    state: State
    inputs: Mapping[str, object]
    properties: Mapping[str, object]
    spec: NodeSpec | None
    apart: bool = False
    saved: tuple[tuple[Input, ...], tuple[Output, ...]] = ((), ())


def collect_requirements(
    workflow: Workflow,
    object_info: Mapping[str, object] | Definitions | None = None,
    model_inputs: ModelInputs = MappingProxyType({}),
    flat: FlatWorkflow | None = None,
) -> WorkflowRequirements:
    """Return every node, model file and input file of the workflow. `model_inputs` are the model folders of inputs, as
    the source of node packs has them. `flat` is the workflow with these definitions where it was made flat before.

    Nodes that cannot run are listed with their state; models and files are those of nodes that can. Raises
    `BadWorkflow` if subgraphs cannot be opened.
    """
    definitions = object_info if isinstance(object_info, Definitions) else Definitions(object_info or {})
    nodes = tuple(_list_nodes(workflow, definitions, flat))
    versions = workflow.extra.get("node_versions")
    running = [n for n in nodes if n.state == "runs"]
    return WorkflowRequirements(
        nodes=tuple(
            RequiredNode(
                n.id, n.type, n.title, n.state, find_provenance(n.properties, as_mapping(versions)), n.apart, *n.saved
            )
            for n in nodes
        ),
        models=merge_models(_models(running, model_inputs), declared_models(workflow.models, "")),
        files=tuple(_files(running)),
    )


def list_provenance(workflow: Workflow) -> dict[str, Provenance]:
    """Return what nodes state about their packs, by type; of several of a type, the last that states something."""
    versions = as_mapping(workflow.extra.get("node_versions"))
    graphs = (workflow.graph, *(subgraph.graph for subgraph in workflow.subgraphs.values()))
    stated = [(node.type, node.properties) for graph in graphs for node in graph.nodes]
    stated += [(node.type, node.meta) for node in workflow.api]
    found = ((type_, find_provenance(properties, versions)) for type_, properties in stated)
    return {type_: provenance for type_, provenance in found if provenance is not None}


def list_model_inputs(workflow: Workflow, found: ModelInputs) -> dict[str, dict[str, str | None]]:
    """Return those of the `found` inputs that name a model file in the workflow, and whose names alone tell another
    folder, or none."""
    used: dict[str, dict[str, str | None]] = {}
    for node in _list_nodes(workflow, Definitions({})):
        known = {
            name: FOLDER_ALIASES.get(folder, folder) if folder is not None else None
            for name, folder in found.get(node.type, {}).items()
            if folder is None or is_model_folder(folder)
        }
        names = {name for name, value in texts_of(node.inputs) if is_model_file(value)}
        # A value whose name the file does not have can be that of any input.
        unnamed = any(name.startswith("#") for name in names)
        for name, folder in known.items():
            told = folder is not None and folder == folder_by_name(node.type, name)
            if node.state == "runs" and (unnamed or (name in names and not told)):
                used.setdefault(node.type, {})[name] = folder
    return used


def _models(nodes: Iterable[NodeValues], model_inputs: ModelInputs) -> Iterator[RequiredModel]:
    for node in nodes:
        listed = [m for m in as_list(node.properties.get("models")) if isinstance(m, dict)]
        yield from merge_models(
            find_models(node.id, node.type, node.inputs, node.spec, model_inputs),
            declared_models(listed, node.id),
            keep_declared=True,
        )


def _files(nodes: Iterable[NodeValues]) -> Iterator[RequiredFile]:
    seen: set[tuple[str, str]] = set()
    for node in nodes:
        for file in find_files(node.id, node.type, node.inputs, node.spec):
            if (file.node, file.input) not in seen:
                seen.add((file.node, file.input))
                yield file


def _list_nodes(
    workflow: Workflow, definitions: Definitions, flat_workflow: FlatWorkflow | None = None
) -> Iterator[NodeValues]:
    for node in workflow.api:
        spec = definitions.find(node.type)
        title = node.title or (spec.title if spec is not None else node.type)
        inputs = tuple(Input(name, "*", None, None if is_link(value) else name) for name, value in node.inputs.items())
        yield NodeValues(node.id, node.type, title, "runs", node.inputs, node.meta, spec, saved=(inputs, ()))
    if workflow.format == "api":
        return
    flat_workflow = flat_workflow or FlatWorkflow(workflow, definitions)
    for flat in flat_workflow.nodes:
        if flat_workflow.details.is_virtual(flat):
            continue
        yield NodeValues(
            flat.id,
            flat.node.type,
            flat_workflow.title(flat),
            _state(flat, flat_workflow),
            {**flat_workflow.constants(flat), **_unnamed_values(flat, flat_workflow)},
            flat.node.properties,
            flat_workflow.details.spec(flat),
            flat_workflow.details.is_unlinkable(flat),
            (flat.node.inputs, flat.node.outputs),
        )


def _unnamed_values(flat: FlatNode, flat_workflow: FlatWorkflow) -> dict[str, object]:
    """Values without a name in the file: those of a node of an unknown type that lists only some of its widgets."""
    values = flat.node.values
    if flat_workflow.details.spec(flat) is not None or flat.node.named is not None or not isinstance(values, tuple):
        return {}
    if len(values) == sum(w.saved for w in flat_workflow.details.restored(flat).widgets):
        return {}
    return {f"#{i}": value for i, value in enumerate(values)}


def _state(flat: FlatNode, flat_workflow: FlatWorkflow) -> State:
    """Whether a node runs: it is off if it or a host of its graph is."""
    at: FlatNode | None = flat
    while at is not None:
        if at.node.mode == Mode.MUTED:
            return "muted"
        if at.node.mode == Mode.BYPASSED:
            return "bypassed"
        at = at.graph.host
    return "left-out" if flat_workflow.details.is_apart(flat) else "runs"


def _version(value: object) -> str:
    """Return a version as text; some files have 1.1 as a number."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else as_text(value)


def find_provenance(properties: Mapping[str, object], versions: Mapping[str, object]) -> Provenance | None:
    """Return what a node states about its pack; `versions` is the older `extra.node_versions`, by registry id."""
    cnr_id, aux_id = as_text(properties.get("cnr_id")) or None, as_text(properties.get("aux_id")) or None
    if cnr_id is None and aux_id is None:
        return None
    version = _version(properties.get("ver")) or (_version(versions.get(cnr_id)) if cnr_id is not None else "")
    version = version.removeprefix("v")
    return Provenance(cnr_id, aux_id, None if version in ("", "unknown", "nightly") else version)
