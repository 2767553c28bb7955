"""Detect the format of a workflow, and parse it."""

import json
import re
from collections.abc import Iterator, Mapping

from pycomfy.core.loose_json import as_mapping, as_text
from pycomfy.core.workflow.litegraph import MAX_NODES, parse_ui
from pycomfy.core.workflow.model import ApiNode, Workflow
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.core.workflow.wrappers import Candidate, choose, is_ui, list_candidates
from pycomfy.errors import BadWorkflow, Fixes, raise_all, suggest

FIX = 'save it from ComfyUI ("Save" or "Export (API)") and give that file'

MAX_LISTED = 20
"""Nodes without a type that are named."""

_UNCHANGED = ("", "workflow", "prompt", "output", "extra_data.extra_pnginfo.workflow", "extra_pnginfo.workflow")
_PRIVATE = re.compile("key|token|secret|credential|passw|image", re.IGNORECASE)
_PACK_LISTS = ("custom_nodes", "git_custom_nodes", "cnr_custom_nodes")


def parse_workflow(data: bytes | str, *, where: str) -> Workflow:
    """Parse a workflow in UI format (0.4, 1) or API format. `where` names the file in errors.

    What programs wrap around it (see `wrappers`) is removed, and the UI format is preferred, because it contains more.
    Raises `BadWorkflow`.
    """
    return parse_graph(find_graph(data, where=where), where=where)


def parse_graph(graph: Mapping[str, object], *, where: str) -> Workflow:
    """Parse a workflow that `find_graph` returned. Raises `BadWorkflow`."""
    return parse_ui(graph, where) if is_ui(graph) else _parse_api(graph, where)


def find_graph(data: bytes | str, *, where: str) -> Mapping[str, object]:
    """Return the workflow in `data` as JSON has it, without what is wrapped around it. Raises `BadWorkflow`."""
    return _find(parse_json(data, where=where), where).graph


def extract_workflow(data: bytes, *, where: str) -> bytes:
    """Return the workflow in `data` as bytes of JSON, to be kept: `data` itself, or the workflow without its wrapper.

    Wrappers that have nothing but a workflow are kept, which keeps the hash that locks have. Those of other programs,
    and those with credentials of comfy.org, go: they may hold keys and whole pictures. Raises `BadWorkflow`.
    """
    value = parse_json(data, where=where)
    found = _find(value, where)
    wrapper = as_mapping(value)
    is_queued = isinstance(wrapper.get("prompt"), list)
    keys = () if found.graph is value else (*wrapper, *as_mapping(wrapper.get("extra_data")))
    if found.name in _UNCHANGED and not is_queued and not any(map(_PRIVATE.search, keys)):
        return data
    return json.dumps(found.graph).encode()


def _find(value: object, where: str) -> Candidate:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = parse_json(value, where=where)
    if not isinstance(value, dict):
        raise BadWorkflow(f"a workflow is a JSON object, this is {_kind(value)}", where=where, fix=FIX)
    found = choose(list_candidates(value, where), where)
    if found is None:
        what, fix = _describe_other(value, where)
        raise BadWorkflow(what, where=where, fix=fix)
    return found


def _describe_other(value: Mapping[str, object], where: str) -> tuple[str, Fixes]:
    """Return what a value is that has no workflow, and what to do about it."""
    if any(isinstance(value.get(key), Mapping | list) for key in _PACK_LISTS):
        return "a list of node packs, without a workflow", suggest("import", "makes a project of it", file=where)
    return "JSON, but not a ComfyUI workflow: it has neither `nodes` nor `class_type`", FIX


def _parse_api(value: Mapping[str, object], where: str) -> Workflow:
    if len(value) > MAX_NODES:
        raise BadWorkflow(f"more than {MAX_NODES:,} nodes", where=where, fix="give a part of the workflow")
    untyped = list(_list_untyped(value))
    if len(untyped) > MAX_LISTED:
        untyped[MAX_LISTED:] = [f"{len(untyped) - MAX_LISTED} more nodes have no class_type"]
    raise_all([BadWorkflow(what, where=where, fix=FIX) for what in untyped])
    nodes = []
    for id_, node in value.items():
        assert isinstance(node, dict)  # noqa: S101 - those that are not are listed above
        inputs, meta = node.get("inputs", {}), node.get("_meta", {})
        if not isinstance(inputs, dict):
            raise BadWorkflow(f"`inputs` is {_kind(inputs)}", where=f"node {id_} of {where}", fix=FIX)
        nodes.append(ApiNode(id_, node["class_type"], inputs, as_text(as_mapping(meta).get("title")), as_mapping(meta)))
    return Workflow(format="api", where=where, api=tuple(nodes))


def _list_untyped(value: Mapping[str, object]) -> Iterator[str]:
    """Yield what is wrong with each node that has no type."""
    for id_, node in value.items():
        name = f"node {id_}"
        if not isinstance(node, dict):
            yield f"{name} is {_kind(node)}, not a node"
        elif "class_type" not in node:
            yield f"{name} has no class_type"
        elif not as_text(node["class_type"]):
            yield f"the class_type of {name} is {'empty' if node['class_type'] == '' else _kind(node['class_type'])}"


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
