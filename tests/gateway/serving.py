"""A gateway as a process, and a client of it."""

import signal
from typing import Any

import httpx

from tests.gateway.image import Image
from tests.support.waiting import HANG, wait_until


class Serving:
    """A gateway that listens at a unix socket, whose graphs are not limited."""

    def __init__(self, image: Image, *, wait: bool = True, **settings: str) -> None:
        self.image = image
        self.socket = image.root / "s"
        self.settings = {"PYCOMFY_SOCKET": str(self.socket), "PYCOMFY_GRAPHS": "any", **settings}
        self.start(wait=wait)

    def start(self, *, wait: bool = True) -> None:
        self.process = self.image.start("serve", environment=self.settings)
        transport = httpx.HTTPTransport(uds=str(self.socket))
        self.client = httpx.Client(base_url="http://gateway", transport=transport, timeout=HANG)
        if wait:
            wait_until(self.is_ready)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, "the gateway ended"
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def submit(self, kind: str, *, extra: dict[str, str] | None = None) -> dict[str, Any]:
        return self.submit_graph({"1": {"class_type": kind, "inputs": {}}}, **({"extra_data": extra} if extra else {}))

    def submit_graph(self, graph: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = {"workflow": graph, **more}
        answer = self.client.post("/api/v2/jobs", json=body)
        assert answer.status_code == 201, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def job(self, job: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(job["urls"]["self"]).json()
        return found

    def run(self, kind: str) -> dict[str, Any]:
        """The job when it is over."""
        return self.finish(self.submit(kind))

    def reasons(self) -> str:
        """Why it is not ready; empty while nobody answers, too."""
        try:
            return " ".join(self.client.get("/readyz").json().get("reasons") or ())
        except httpx.TransportError:
            return ""

    def finish(self, job: dict[str, Any]) -> dict[str, Any]:
        wait_until(lambda: self.job(job)["status"] in ("succeeded", "failed", "canceled", "expired"))
        return self.job(job)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.client.close()
        self.process.send_signal(number)
        return self.process.wait(HANG)
