"""What is told of a job while it runs: status, progress, previews, outputs."""

from collections.abc import Mapping
from typing import Any

from ..comfyui.tracker import Preview, Progress
from .hub import Hub
from .model import Job, Output


class Live:
    """Publishes what changes. The data of a `progress` event is a whole snapshot, as both faces have it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def find_progress(self, job: Job) -> Mapping[str, Any] | None:
        """What was told last; of a job that succeeded, that all of it is done."""
        if job.state == "succeeded":
            total = len(job.request.graph)
            return vars(Progress(1.0, total, total))
        return self._hub.latest(job.id)

    def status(self, job: Job) -> None:
        data = {"status": job.state, "attempt": job.attempt}
        self._hub.publish(job.id, "status", data, final=job.is_terminal)

    def progress(self, job: str, progress: Progress) -> None:
        self._hub.publish(job, "progress", vars(progress))  # it is flat, and never changed

    def preview(self, job: str, preview: Preview) -> None:
        data = {"node_id": preview.node, "content_type": preview.content_type, "data_base64": preview.data_base64}
        self._hub.publish(job, "preview", data)

    def output(self, job: str, output: Output) -> None:
        self._hub.publish(job, "output", {"output": output})
