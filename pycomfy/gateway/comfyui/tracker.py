"""What ComfyUI's messages say of one prompt: pure, and at ease with a message of any shape."""

import base64
import json
import struct
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from ..follow import IMAGE_SUFFIXES, PREVIEW_IMAGE, SENDS_IMAGES, about

PREVIEW_WITH_METADATA = 4
MAX_STEPS = 2**53
MAX_PREVIEW = 4 << 20
MAX_RETURNED = 10_000
"""Nodes whose outputs are noted as they come: a pack may tell of nodes that are not there."""

MAX_SENT = 1000
"""Images that a node may return as previews."""

MAX_SENT_BYTES = 512 << 20
"""Bytes of them: they are in memory until the prompt is over."""

ENDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})


@dataclass(frozen=True)
class Progress:
    """A whole snapshot, as Comfy API v2 has it; `value` is between 0 and 1."""

    value: float
    nodes_done: int
    nodes_total: int
    current_node: str | None = None
    current_node_class: str | None = None
    step: int | None = None
    steps: int | None = None
    message: str | None = None


@dataclass(frozen=True)
class Preview:
    node: str
    content_type: str
    data: bytes

    @property
    def data_base64(self) -> str:
        return base64.b64encode(self.data).decode()


@dataclass(frozen=True)
class SentImage:
    """An image that a node returned on the WebSocket alone."""

    node: str
    suffix: str
    data: bytes


@dataclass
class Tracker:
    """Takes the messages of prompt `prompt_id`, whose nodes are `graph`. If only a part of it is run, `targets` are its
    output nodes and `nodes` all of its nodes."""

    prompt_id: str
    graph: Mapping[str, Any]
    targets: tuple[str, ...] = ()
    nodes: Set[str] = frozenset()
    returned: dict[str, Any] = field(default_factory=dict)
    """What each node returned that is done, before the history has it."""

    sent: list[SentImage] = field(default_factory=list)
    sent_lost: int = 0
    """Images beyond those limits."""

    cached: set[str] = field(default_factory=set)
    node_seconds: list[tuple[str, float]] = field(default_factory=list)
    """Class and duration of each node that is done, for metrics; emptied by who reads it."""

    ended: bool = False
    end: tuple[str, dict[str, Any]] | None = None
    """The message that ended it, where it was one of `ENDS`."""

    is_idle: bool = False
    """Whether ComfyUI said after the prompt's success that nothing waits or runs there: that it is in the history."""

    preview: Preview | None = None
    changed: bool = False
    """Whether there is new progress since somebody set it to False."""

    _current: str | None = None
    _done: set[str] = field(default_factory=set)
    _step: tuple[int, int] | None = None
    _began: float = 0.0
    _sent_bytes: int = 0
    _is_plain: bool = False
    """Whether the start was heard of, and nothing since then that the history tells in another way."""

    def __post_init__(self) -> None:
        self.nodes = self.nodes or self.graph.keys()

    @property
    def _succeeded(self) -> bool:
        """Old ComfyUIs tell of the end alone."""
        return self.ended and (self.end is None or self.end[0] == "execution_success")

    @property
    def tells_all(self) -> bool:
        """Whether the history would add nothing, once ComfyUI is idle: where every message came, from the start to the
        success, of nodes of the graph itself that all ran."""
        return self._is_plain and self.has_succeeded and not self.cached and len(self.returned) < MAX_RETURNED

    @property
    def has_succeeded(self) -> bool:
        return self.end is not None and self.end[0] == "execution_success"

    def succeed(self) -> None:
        """The history says so: messages may be late, or lost."""
        self.ended, self.end = True, ("execution_success", {})

    def progress(self) -> Progress:
        return join_progress((self,))

    def take(self, message: str | bytes) -> None:
        """Take one message; nonsense, and what is about another prompt, changes nothing."""
        if isinstance(message, bytes):
            self._image(message)
            return
        try:
            parsed = json.loads(message)
        except (ValueError, RecursionError):
            return
        kind, data = (parsed.get("type"), parsed.get("data")) if isinstance(parsed, dict) else (None, None)
        if (
            not isinstance(kind, str)
            or not isinstance(data, dict)
            or data.get("prompt_id", self.prompt_id) != self.prompt_id
        ):
            return
        match kind:
            case "execution_start":
                self._is_plain = "prompt_id" in data
            case "status":
                self.is_idle = self.tells_all and _count_remaining(data) == 0
            case "execution_cached":
                nodes = data.get("nodes")
                for node in nodes if isinstance(nodes, list) else ():
                    self._finish(str(node))
                    self.cached.add(str(node))
            case "executing":
                node = data.get("display_node") or data.get("node")
                if node is None:
                    self.ended = "prompt_id" in data
                else:
                    self._begin(str(node))
            case "executed":
                node = str(data.get("display_node") or data.get("node"))
                self._is_plain &= node == data.get("node") and node in self.nodes and node not in self.returned
                self._finish(node)
                if node in self.returned or len(self.returned) < MAX_RETURNED:
                    self.returned[node] = data.get("output")
            case "progress":
                self._steps(data.get("node") or self._current, data.get("value"), data.get("max"))
            case "progress_state":
                states = data.get("nodes")
                for node, state in states.items() if isinstance(states, dict) else ():
                    self._state(str(node), state)
            case _ if kind in ENDS:
                # Without its id it may be about the prompt before.
                if "prompt_id" in data:
                    self._is_plain &= self.end is None  # a node that is blocked tells of an error, and is none
                    self.ended, self.end = True, (kind, data)
        self.changed = True

    def _state(self, node: str, state: object) -> None:
        if not isinstance(state, dict):
            return
        node = str(state.get("display_node_id") or node)
        if state.get("state") == "running":
            self._begin(node)
            self._steps(node, state.get("value"), state.get("max"))
        elif state.get("state") == "finished":
            self._finish(node)

    def _begin(self, node: str) -> None:
        node = node.split(".", 1)[0] if node not in self.graph else node
        if node == self._current:
            return
        if self._current is not None:
            self._finish(self._current)
        self._current, self._step, self._began = node, None, time.monotonic()

    def _finish(self, node: str) -> None:
        if node in self.nodes and node not in self._done:
            self._done.add(node)
            if node == self._current:
                kind = str(about(self.graph, node)["class_type"])
                self.node_seconds.append((kind, time.monotonic() - self._began))

    def _steps(self, node: object, step: object, of: object) -> None:
        numbers = isinstance(step, int | float) and isinstance(of, int | float)
        if not numbers or not 0 <= step <= of <= MAX_STEPS or of <= 1:  # type: ignore[operator]  # NaN neither
            return
        if node is not None:
            self._begin(str(node))
        self._step = int(step), int(of)  # type: ignore[call-overload]

    def _image(self, data: bytes) -> None:
        if len(data) < 8:
            return
        kind, form = struct.unpack(">II", data[:8])
        node, image, suffix = self._current, data[8:], IMAGE_SUFFIXES.get(form)
        if kind == PREVIEW_WITH_METADATA:
            # form is the length of a JSON text in front of the image.
            meta, image = _metadata(data[8 : 8 + form]), data[8 + form :]
            if meta.get("prompt_id", self.prompt_id) != self.prompt_id:
                return
            node = str(meta.get("display_node_id") or meta.get("node_id") or node or "") or None
            suffix = {"image/jpeg": ".jpg", "image/png": ".png"}.get(str(meta.get("image_type")))
        elif kind != PREVIEW_IMAGE:
            return
        if node is None or suffix is None or not image:
            return
        if about(self.graph, node)["class_type"] == SENDS_IMAGES:
            if kind == PREVIEW_IMAGE:
                self._keep_sent(SentImage(node, suffix, image))
        elif len(image) <= MAX_PREVIEW:
            self.preview = Preview(node, "image/png" if suffix == ".png" else "image/jpeg", image)
            self.changed = True

    def _keep_sent(self, image: SentImage) -> None:
        self._sent_bytes += len(image.data)
        if len(self.sent) < MAX_SENT and self._sent_bytes <= MAX_SENT_BYTES:
            self.sent.append(image)
        else:
            self.sent_lost += 1


def join_progress(trackers: Sequence[Tracker]) -> Progress:
    """That of a graph, of which each tracker has a part."""
    total = max(len(trackers[0].graph), 1)
    finished = set[str]().union(*(t.nodes if t._succeeded else t._done for t in trackers))
    done = total if all(t._succeeded for t in trackers) else min(len(finished), total)
    begun = sum(t._step[0] / t._step[1] for t in trackers if t._step and not t._succeeded)
    at = next((t for t in trackers if t._current is not None and not t.ended), trackers[-1])
    head = about(at.graph, at._current) if at._current is not None else {}
    title = str(head.get("title") or "")
    step, steps = at._step or (None, None)
    message = f"{title} {step}/{steps}" if title and steps else title or None
    kind = str(head.get("class_type") or "") or None
    return Progress(min((done + begun) / total, 1.0), done, total, at._current, kind, step, steps, message)


def _count_remaining(data: Mapping[str, Any]) -> object:
    """How many prompts wait or run, of a `status` message."""
    status = data.get("status")
    about = status.get("exec_info") if isinstance(status, dict) else None
    return about.get("queue_remaining") if isinstance(about, dict) else None


def _metadata(data: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
