"""`inspect`: what is in a workflow and what it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.metadata.load import is_url, name_of, read_workflow
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.core.interface.build import make_interface
from pycomfy.core.interface.model import Interface
from pycomfy.core.interface.validate import find_problems
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model import RequiredNode, WorkflowRequirements
from pycomfy.errors import PycomfyError, UnknownNode
from pycomfy.services.lock_request import LockRequest, read_config


@dataclass(frozen=True)
class Inspection:
    """`interface` is exact with node definitions, and a guess from the file alone without (`exact` says which)."""

    name: str
    format: str
    needs: WorkflowRequirements
    interface: Interface
    problems: tuple[PycomfyError, ...]
    exact: bool

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `inspect --json`."""
        return {
            "version": 1,
            "name": self.name,
            "format": self.format,
            "exact": self.exact,
            "nodes": [
                {"id": n.id, "type": n.type, "title": n.title, "mode": n.state, "pack": _pack(n)}
                for n in self.needs.nodes
            ],
            "types": list(self.needs.types),
            "models": [
                {"folder": m.folder, "name": m.name, "url": m.url, "sha256": m.sha256, "node": m.node}
                for m in self.needs.models
            ],
            "files": [
                {"name": f.name, "kind": f.kind, "folder": f.folder, "node": f.node, "input": f.input}
                for f in self.needs.files
            ],
            "inputs": [p.model_dump(mode="json") for p in self.interface.parameters],
            "outputs": [o.model_dump(mode="json") for o in self.interface.outputs],
            "problems": [p.as_dict() for p in self.problems],
        }


def _pack(node: RequiredNode) -> dict[str, str | None] | None:
    if node.pack is None:
        return None
    return {"cnr_id": node.pack.cnr_id, "aux_id": node.pack.aux_id, "version": node.pack.version}


def inspect(source: str, object_info: str | None = None) -> Inspection:
    """Read the workflow at `source` (a path, a URL, `-`); with `object_info`, check it against a server's definitions.

    A `pycomfy.toml` beside the file names the inputs.

    A workflow that would not run is no error here: what is wrong is listed in `problems`.
    """
    workflow = read_workflow(source)
    definitions = Definitions(read_definitions(object_info) if object_info is not None else {})
    conversion = try_convert(workflow, definitions)
    problems: tuple[PycomfyError, ...] = ()
    if object_info is not None:
        # Unknown types are told once, by the conversion, which knows their packs.
        found = find_problems(conversion.prompt, definitions)
        problems = (*conversion.problems, *(p for p in found if not isinstance(p, UnknownNode)))
    configured: Mapping[str, str] = {}
    try:
        configured = _read_inputs(source)
    except PycomfyError as e:
        problems += flatten_errors(e)
    try:
        interface = make_interface(conversion.prompt, workflow, definitions, configured)
    except PycomfyError as e:
        # Without definitions an input may be there that the file alone does not show.
        problems += flatten_errors(e) if object_info is not None else ()
        interface = make_interface(conversion.prompt, workflow, definitions)
    return Inspection(
        name=name_of(source),
        format=workflow.format,
        needs=collect_requirements(workflow, definitions),
        interface=interface,
        problems=problems,
        exact=object_info is not None,
    )


def _read_inputs(source: str) -> Mapping[str, str]:
    """`[inputs]` of the pycomfy.toml beside the file; nothing lies beside a URL or a stream."""
    if source == "-" or is_url(source):
        return {}
    return read_config(LockRequest(Path(source)))[1].inputs
