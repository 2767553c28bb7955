"""Following one prompt: its progress from the WebSocket, its end and its outputs from the history.

A WebSocket can drop, and nothing is sent again; the history is the truth.
"""

import asyncio
import contextlib
import json
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .events import Emit, Event, Failure, error
from .outputs import Collector
from .server import Api, Refused
from .websocket import WebSocket

PROGRESS_INTERVAL = 0.1
MAX_STEPS = 2**53
MAX_REFUSALS = 20
"""Answers without a history, one after another, once ComfyUI said that the prompt is over."""

MAX_TITLE = 1000
ENDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})
PREVIEW_IMAGE = 1
IMAGE_SUFFIXES = {1: ".jpg", 2: ".png"}
SENDS_IMAGES = "SaveImageWebsocket"
"""A built-in node whose only output is the image it sends as a preview."""


@dataclass
class Follower:
    """Tells of prompt `prompt_id`, whose nodes are `prompt`."""

    prompt_id: str
    prompt: Mapping[str, Any]
    emit: Emit
    collector: Collector
    sent: list[Event] = field(default_factory=list)
    returned: dict[str, Any] = field(default_factory=dict)
    """What each node that is done returned, for a prompt that does not get into the history."""

    _node: str | None = None
    _begun: set[str] = field(default_factory=set)
    _told: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    async def until_done(self, api: Api, socket: WebSocket) -> dict[str, Any]:
        """Its entry in the history, once there is one. Raises `Failure` if ComfyUI cannot give the history."""
        listener = asyncio.create_task(self._listen(socket))
        pause, refusals = 0.05, 0
        try:
            while True:
                # While the socket works it wakes us; without it we ask more and more rarely.
                if listener.done():
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, 1.0)
                else:
                    await asyncio.wait({listener}, timeout=5)
                with contextlib.suppress(OSError):
                    history = await _ask_history(api, self.prompt_id)
                    entry = history.get(self.prompt_id) if history is not None else None
                    if isinstance(entry, dict):
                        return entry
                    # Such as a value in it that is no JSON: it will not get better.
                    refusals = 0 if history is not None else refusals + listener.done()
                    if refusals > MAX_REFUSALS:
                        raise Failure(error("no-history", "ComfyUI cannot tell what the nodes returned"))
        finally:
            listener.cancel()

    async def _listen(self, socket: WebSocket) -> None:
        """Until the prompt ends or the connection does."""
        with contextlib.suppress(OSError):
            while True:
                message = await socket.receive()
                if isinstance(message, bytes):
                    self._image(message)
                elif self._message(message):
                    return

    def _message(self, text: str) -> bool:
        """Tell of one message; true if it was the last."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return False
        kind, data = message.get("type"), message.get("data")
        if not isinstance(data, dict) or data.get("prompt_id", self.prompt_id) != self.prompt_id:
            return False
        if kind == "executing":
            node = data.get("display_node") or data.get("node")
            if node is None:
                return True
            self._begin(str(node))
        elif kind == "executed":
            self.returned[str(data.get("display_node") or data.get("node"))] = data.get("output")
        elif kind == "progress":
            self._progress(str(data.get("node") or self._node), data.get("value"), data.get("max"))
        elif kind == "progress_state":
            for node, state in (data.get("nodes") or {}).items():
                if state.get("state") == "running":
                    self._progress(str(state.get("display_node_id") or node), state.get("value"), state.get("max"))
        return kind in ENDS

    def _begin(self, node: str) -> None:
        self._node = node
        if node not in self._begun:
            self._begun.add(node)
            total = max(len(self.prompt), len(self._begun))
            self.emit({"event": "executing", **self._about(node), "index": len(self._begun), "of": total})

    def _progress(self, node: str, step: Any, of: Any) -> None:
        if not isinstance(step, int | float) or not isinstance(of, int | float) or of <= 1:
            return
        if not 0 <= step <= of <= MAX_STEPS:  # NaN neither
            return
        last_step, last_of, at = self._told.get(node, (-1.0, -1.0, 0.0))
        now = time.monotonic()
        if (step, of) == (last_step, last_of) or (step < of and now - at < PROGRESS_INTERVAL):
            return
        self._told[node] = (float(step), float(of), now)
        self.emit({"event": "progress", **self._about(node), "step": step, "of": of})

    def _image(self, data: bytes) -> None:
        """Keep an image of the node that returns its images this way."""
        node = self._node
        if node is None or self._about(node)["class_type"] != SENDS_IMAGES or len(data) < 8:
            return
        kind, form = struct.unpack(">II", data[:8])
        if kind == PREVIEW_IMAGE and form in IMAGE_SUFFIXES:
            name = f"image{IMAGE_SUFFIXES[form]}"
            self.sent.append(self.collector.keep(node, "images", len(self.sent) + 1, name, data[8:]))

    def _about(self, node: str) -> Event:
        return about(self.prompt, node)


def about(prompt: Mapping[str, Any], node: str) -> Event:
    """How a person knows the node: its id, title and type. A node made while running is known by its maker's id."""
    entry = prompt.get(node) or prompt.get(node.split(".", 1)[0])
    entry = entry if isinstance(entry, dict) else {}
    meta = entry.get("_meta")
    kind = str(entry.get("class_type") or "")
    title = meta.get("title") if isinstance(meta, dict) else None
    return {"node": node, "title": str(title or kind or node)[:MAX_TITLE], "class_type": kind[:MAX_TITLE]}


async def _ask_history(api: Api, prompt_id: str) -> dict[str, Any] | None:
    """The history, as far as it is about the prompt; None if the answer is none."""
    try:
        history = await api.get(f"/history/{prompt_id}")
    except Refused:
        return None
    return history if isinstance(history, dict) else None
