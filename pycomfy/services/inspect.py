"""`inspect`: list what is in a workflow, what it needs, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.metadata.load import is_url, name_of, read_workflow
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.core.interface.build import make_interface
from pycomfy.core.interface.model import OutputNode, Parameter
from pycomfy.core.interface.validate import find_problems
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.prompt.lost_values import LostValue
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model import Provenance, RequiredFile, RequiredModel, RequiredNode, State
from pycomfy.errors import PycomfyError, UnknownNode
from pycomfy.services.lock_request import LockRequest, read_config
from pycomfy.services.results import Problem, Result
from pycomfy.services.workflow_folder import find_source


@dataclass(frozen=True)
class NodeEntry:
    """A node. `mode` says whether it runs; `pack` is what the workflow says about its node pack, None if nothing."""

    id: str
    type: str
    title: str
    mode: State
    pack: Provenance | None


class InspectResult(Result):
    """What is in a workflow. `types` are the node types that can run. `inputs` and `outputs` are its interface: `exact`
    with node definitions, a guess from the file alone without. `lost` are values and links without a place in the
    prompt, which is known with node definitions. `version` is that of this result's form, from before results had a
    `schema_version`."""

    version: Literal[1] = 1
    name: str
    format: str
    exact: bool
    nodes: tuple[NodeEntry, ...]
    types: tuple[str, ...]
    models: tuple[RequiredModel, ...]
    files: tuple[RequiredFile, ...]
    inputs: tuple[Parameter, ...]
    outputs: tuple[OutputNode, ...]
    problems: tuple[Problem, ...]
    lost: tuple[LostValue, ...] = ()


def inspect(source: str, object_info: str | None = None) -> InspectResult:
    """Read the workflow at `source` (a path, a URL, `-`). With `object_info`, check it against a server's definitions.

    A `pycomfy.toml` beside the file names the inputs.

    A workflow that would not run is not an error here: what is wrong is listed in `problems`.
    """
    workflow = read_workflow(find_source(source))
    definitions = Definitions(read_definitions(object_info) if object_info is not None else {})
    conversion = try_convert(workflow, definitions)
    problems: tuple[PycomfyError, ...] = ()
    if object_info is not None:
        # Unknown types are reported once, by the conversion, which knows their packs.
        found = find_problems(conversion.prompt, definitions)
        problems = (*conversion.problems, *(p for p in found if not isinstance(p, UnknownNode)))
    configured: Mapping[str, str] = {}
    try:
        configured = _read_inputs(source)
    except PycomfyError as e:
        problems += flatten_errors(e)
    try:
        interface = make_interface(conversion.prompt, workflow, definitions, configured, conversion.flat)
    except PycomfyError as e:
        # Without definitions, an input may exist that the file alone does not show.
        problems += flatten_errors(e) if object_info is not None else ()
        interface = make_interface(conversion.prompt, workflow, definitions, flat=conversion.flat)
    requirements = collect_requirements(workflow, definitions, flat=conversion.flat)
    return InspectResult(
        name=name_of(source),
        format=workflow.format,
        exact=object_info is not None,
        nodes=tuple(map(_make_entry, requirements.nodes)),
        types=requirements.types,
        models=requirements.models,
        files=requirements.files,
        inputs=interface.parameters,
        outputs=interface.outputs,
        problems=problems,
        lost=conversion.lost if object_info is not None else (),
    )


def _make_entry(node: RequiredNode) -> NodeEntry:
    return NodeEntry(node.id, node.type, node.title, node.state, node.pack)


def _read_inputs(source: str) -> Mapping[str, str]:
    """Return `[inputs]` of the pycomfy.toml beside the file; a URL or a stream has none."""
    if source == "-" or is_url(source):
        return {}
    return read_config(LockRequest(Path(source)))[1].inputs
