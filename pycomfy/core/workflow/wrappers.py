"""Find the one workflow in what contains it: requests to servers, their answers, several files or fenced blocks.

Read are, each also with JSON in strings where the program takes them:

- ComfyUI: a request to `/prompt`, the answers of `/history` and `/queue`, the editor's pair `{workflow, output}`;
- RunPod's worker-comfyui (`input.workflow`), Replicate's cog-comfyui (`input.workflow_json`), SaladTechnologies'
  comfyui-api (`prompt`), ComfyDeploy (`workflow`, `workflow_api`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pycomfy.core.loose_json import as_list, as_mapping, as_text
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadWorkflow

MAX_LISTED = 5
"""Workflows that an error names."""

_MAX_DEPTH = 5
_SLOTS = (
    ("workflow",),
    ("workflow_json",),
    ("extra_data", "extra_pnginfo", "workflow"),
    ("extra_pnginfo", "workflow"),
    ("prompt",),
    ("output",),
    ("workflow_api",),
)
_QUEUES = ("queue_running", "queue_pending")


@dataclass(frozen=True)
class Candidate:
    """A workflow that was found. `name` says where, for the user: "input.workflow", empty for all of the value. Those
    of one `group` belong to one request, and are the same workflow in both formats."""

    name: str
    group: str
    graph: Mapping[str, object]


def is_ui(value: Mapping[str, object]) -> bool:
    """Return whether an object is a workflow in the editor's format."""
    return isinstance(value.get("nodes"), list)


def is_api(value: Mapping[str, object]) -> bool:
    """Return whether an object is a workflow in API format, each node with its type."""
    return bool(value) and all(as_text(as_mapping(n).get("class_type")) for n in value.values())


def list_candidates(value: object, where: str) -> list[Candidate]:
    """Return the workflows in a value of JSON: itself, or those in what programs wrap around them. One in API format of
    which some nodes have no type counts only where there is nothing else.

    Raises `BadWorkflow` for a string that should be JSON and is not.
    """
    search = _Search(where)
    return list(search.find(value, "", 0)) or list(_Search(where, complete=False).find(value, "", 0))


def choose(candidates: Sequence[Candidate], where: str) -> Candidate | None:
    """Return the one workflow: in the editor's format, which contains more, if it is there in both. None if there is
    none. Raises `BadWorkflow` that names them if there are several different ones."""
    by_text: dict[str, Candidate] = {}
    for candidate in candidates:
        by_text.setdefault(json.dumps(candidate.graph, sort_keys=True) if len(candidates) > 1 else "", candidate)
    distinct = list(by_text.values())
    editors = [c for c in distinct if is_ui(c.graph)]
    if len(editors) == 1:
        (chosen,) = editors
        types = _list_types(chosen.graph)
        distinct = [
            c for c in distinct if c is chosen or not (c.group == chosen.group or _is_prompt_of(c.graph, types))
        ]
    if len(distinct) > 1:
        names = [c.name for c in distinct[:MAX_LISTED]]
        more = f" and {len(distinct) - MAX_LISTED} more" if len(distinct) > MAX_LISTED else ""
        raise BadWorkflow(
            f"{len(distinct)} different workflows: {', '.join(names)}{more}",
            where=where,
            fix="give a file with only one of them",
        )
    return distinct[0] if distinct else None


def _list_types(editor: Mapping[str, object]) -> dict[str, object]:
    """Return the types of the nodes of a workflow in the editor's format, by id."""
    return {str(as_mapping(n).get("id")): as_mapping(n).get("type") for n in as_list(editor.get("nodes"))}


def _is_prompt_of(prompt: Mapping[str, object], types: Mapping[str, object]) -> bool:
    """Return whether a workflow in API format may be the prompt of one with nodes of these types, by id: its nodes are
    among them. Nodes in subgraphs have the ids of the nodes that they are in before their own: "5:3"."""
    return all(
        id_.partition(":")[0] in types if ":" in id_ else types.get(id_) == as_mapping(node).get("class_type")
        for id_, node in prompt.items()
    )


class _Search:
    """A search in one value. With `complete`, every node of a workflow in API format has a type."""

    def __init__(self, where: str, *, complete: bool = True) -> None:
        self._where, self._complete = where, complete
        self._decoded: dict[str, object] = {}

    def find(self, value: object, path: str, depth: int) -> Iterator[Candidate]:
        """Yield the workflows in `value`, which is at `path`."""
        value = self._decode(value, path)
        if not isinstance(value, dict) or depth > _MAX_DEPTH:
            return
        if self._is_graph(value):
            yield Candidate(path, path, value)
            return
        yield from self._find_request(value, path)
        for key in ("input", "workflow", "workflow_json", "prompt"):
            inner = self._decode(value.get(key), _join(path, key))
            if isinstance(inner, dict) and not self._is_graph(inner):
                yield from self.find(inner, _join(path, key), depth + 1)
        items = {_join(path, f"{key}[{n}]"): item for key in _QUEUES for n, item in enumerate(as_list(value.get(key)))}
        if depth == 0 and value and all(isinstance(as_mapping(v).get("prompt"), list) for v in value.values()):
            items = {_join(path, key): as_mapping(entry)["prompt"] for key, entry in value.items()}
        for name, item in items.items():
            yield from self._find_item(item, name)

    def _find_request(self, value: Mapping[str, object], path: str) -> Iterator[Candidate]:
        """Yield the workflows of one request, or of one entry of the history."""
        if isinstance(value.get("prompt"), list):
            yield from self._find_item(value["prompt"], path or "prompt")
        for slot in _SLOTS:
            inner: object = value
            for key in slot:
                inner = as_mapping(inner).get(key)
            name = _join(path, ".".join(slot))
            inner = self._decode(inner, name)
            if isinstance(inner, dict) and self._is_graph(inner):
                yield Candidate(name, path, inner)

    def _find_item(self, item: object, name: str) -> Iterator[Candidate]:
        """Yield the workflows of an item of ComfyUI's queue: `[number, id, prompt, extra_data, outputs]`."""
        parts = as_list(item)
        if len(parts) >= 3:
            request = {"prompt": parts[2], "extra_data": parts[3] if len(parts) > 3 else None}
            for found in self._find_request(request, name):
                yield Candidate(name, name, found.graph)

    def _is_graph(self, value: Mapping[str, object]) -> bool:
        return is_ui(value) or (is_api(value) if self._complete else _is_incomplete_api(value))

    def _decode(self, value: object, path: str) -> object:
        if not isinstance(value, str):
            return value
        text = value.strip()
        takes_text = path.rpartition(".")[2] in ("workflow", "workflow_json")
        if takes_text and text.startswith(("http://", "https://")):
            raise BadWorkflow(
                f"{path} is the address of a workflow", where=self._where, fix="fetch it, and give that file"
            )
        if path not in self._decoded and text.startswith("{"):
            try:
                self._decoded[path] = parse_json(text, where=f"{path} in {self._where}")
            except BadWorkflow:
                if takes_text:
                    raise
                self._decoded[path] = None  # a text of the user's, as in {a|b}
        return self._decoded.get(path)


def _is_incomplete_api(value: Mapping[str, object]) -> bool:
    nodes = [as_mapping(n) for n in value.values()]
    return bool(nodes) and (
        any("class_type" in n for n in nodes) or all(isinstance(n.get("inputs"), dict) for n in nodes)
    )


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
