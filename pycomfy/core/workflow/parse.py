"""Detect the format of a workflow, and parse it."""

from collections.abc import Mapping

from pycomfy.core.loose_json import as_mapping, as_text
from pycomfy.core.workflow.litegraph import parse_ui
from pycomfy.core.workflow.model import ApiNode, Workflow
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadWorkflow

FIX = 'save it from ComfyUI ("Save" or "Export (API)") and give that file'


def parse_workflow(data: bytes | str, *, where: str) -> Workflow:
    """Parse a workflow in UI format (0.4, 1) or API format. `where` names the file in errors.

    Wrappers (a request to `/prompt`, the pair `{workflow, output}`) are removed, and the UI format is preferred,
    because it contains more. Raises `BadWorkflow`.
    """
    value = parse_json(data, where=where)
    if not isinstance(value, dict):
        raise BadWorkflow(f"a workflow is a JSON object, this is {_kind(value)}", where=where, fix=FIX)
    found = _unwrap(value)
    if found is None:
        raise BadWorkflow(
            "JSON, but not a ComfyUI workflow: it has neither `nodes` nor `class_type`", where=where, fix=FIX
        )
    if _is_ui(found):
        return parse_ui(found, where)
    return _parse_api(found, where)


def _unwrap(value: Mapping[str, object]) -> Mapping[str, object] | None:
    """The workflow without the wrappers that ComfyUI's own tools write; None if there is none."""
    if _is_ui(value) or _is_api(value):
        return value
    paths = (
        ("workflow",),
        ("extra_data", "extra_pnginfo", "workflow"),
        ("extra_pnginfo", "workflow"),
        ("prompt",),
        ("output",),
    )
    inner = [i for i in (_at(value, path) for path in paths) if i is not None]
    return next((i for i in inner if _is_ui(i)), next((i for i in inner if _is_api(i)), None))


def _at(value: Mapping[str, object], path: tuple[str, ...]) -> Mapping[str, object] | None:
    for key in path:
        child = value.get(key)
        if not isinstance(child, dict):
            return None
        value = child
    return value


def _is_ui(value: Mapping[str, object]) -> bool:
    return isinstance(value.get("nodes"), list)


def _is_api(value: Mapping[str, object]) -> bool:
    return bool(value) and all(isinstance(n, dict) and isinstance(n.get("class_type"), str) for n in value.values())


def _parse_api(value: Mapping[str, object], where: str) -> Workflow:
    nodes = []
    for id_, node in value.items():
        assert isinstance(node, dict)  # noqa: S101 - `_is_api` has seen it
        inputs, meta = node.get("inputs", {}), node.get("_meta", {})
        if not isinstance(inputs, dict):
            raise BadWorkflow(f"`inputs` is {_kind(inputs)}", where=f"node {id_} of {where}", fix=FIX)
        nodes.append(ApiNode(id_, node["class_type"], inputs, as_text(as_mapping(meta).get("title")), as_mapping(meta)))
    return Workflow(format="api", where=where, api=tuple(nodes))


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
