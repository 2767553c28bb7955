"""The whole path of a client of Comfy API v2, with the official SDK: run in an environment that has `comfy-sdk`.

COMFY_BASE_URL says which server. What was seen is printed as JSON, without what differs between any two runs: the same
script before two servers shows where they differ.
"""

import json
import os
import struct
import sys
import time
import uuid
import zlib
from collections.abc import Callable
from typing import Any

import httpx
from comfy_sdk import Comfy  # type: ignore[import-not-found]  # it is in an environment of its own

PATIENCE = 60.0
BEGAN = time.monotonic()

seen: dict[str, Any] = {}


def note(name: str, action: Callable[[], Any]) -> Any:
    """Record what the action returns, or how it fails."""
    try:
        seen[name] = action()
    except Exception as e:  # noqa: BLE001  what it is goes into the record
        code, status = getattr(e, "code", None), getattr(e, "http_status", None)
        seen[name] = {"raised": type(e).__name__, "code": code, "status": status}
        if code is None:
            seen[name]["message"] = str(e)
    print(f"{time.monotonic() - BEGAN:.1f} {name}", file=sys.stderr)
    return seen[name]


def node(class_type: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def png(width: int, height: int, color: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"IDAT", zlib.compress((b"\0" + color * width) * height)),
            chunk(b"IEND", b""),
        )
    )


def small(color: int) -> dict[str, Any]:
    """Two pictures and a text; another colour is not in any cache."""
    return {
        "1": node("EmptyImage", width=64, height=32, batch_size=2, color=color % (1 << 24)),
        "2": node("SaveImage", images=["1", 0], filename_prefix="sdk/picture"),
        "3": node("PreviewAny", source="some text"),
    }


def slow(color: int, nodes: int = 25) -> dict[str, Any]:
    """Many nodes of about half a second: an interrupt is seen between two of them."""
    graph = {"0": node("EmptyImage", width=1024, height=1024, batch_size=1, color=color % (1 << 24))}
    for n in range(1, nodes):
        graph[str(n)] = node("ImageBlur", image=[str(n - 1), 0], blur_radius=20, sigma=5.0 + n / 100)
    graph[str(nodes)] = node("PreviewImage", images=[str(nodes - 1), 0])
    return graph


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


def seen_of(job: Any) -> dict[str, Any]:
    return {
        "status": job.status,
        "outputs": [
            {"node": o.node_id, "type": o.type, "content_type": o.content_type, "sized": o.size_bytes > 0}
            for o in sorted(job.outputs, key=lambda o: (o.node_id, o.name))
        ],
    }


class Path:
    """The parts of the path; each stands alone, so that one that fails does not hide the others."""

    def __init__(self) -> None:
        self.salt = int(time.time() * 1000)
        self.client = Comfy(api_key=os.environ.get("STORY_API_KEY"))

    def submit(self, graph: dict[str, Any], **more: Any) -> Any:
        return self.client.submit(self.client.workflows.from_json(graph), **more)

    def fresh(self) -> dict[str, Any]:
        """A graph that nobody has sent."""
        self.salt += 1
        return small(self.salt)

    def job(self) -> None:
        graph = self.fresh()
        # It waits behind another, so that its events are all told to who listens from its start.
        self.submit(slow(self.salt, nodes=5))
        job = self.submit(graph)
        note("submit: status", lambda: job.status)
        events = list(job.events())
        progress = [e for e in events if type(e).__name__ == "Progress"]
        note("events: last", lambda: events[-1].status)
        note("events: progress is told", lambda: bool(progress))
        note("events: progress has the number of nodes", lambda: progress[-1].nodes_total == 3)
        note("events: value never falls", lambda: [p.value for p in progress] == sorted(p.value for p in progress))
        note("events: outputs", lambda: len([e for e in events if type(e).__name__ == "OutputReady"]))
        note("job: end", lambda: seen_of(job.refresh()))
        note("job: outputs by node", lambda: {n: len(job.get_outputs(n)) for n in ("1", "2", "3")})
        note("outputs: pictures", lambda: [o.to_bytes()[1:4].decode() for o in job.get_outputs("2")])
        note("outputs: sizes are true", lambda: all(o.size_bytes == len(o.to_bytes()) for o in job.outputs))
        note("outputs: range", lambda: job.get_outputs("2")[0].to_bytes(range=(1, 3)).decode())
        note("outputs: text", lambda: [o.to_bytes().decode() for o in job.get_outputs("3")])
        note("outputs: know their job", lambda: all(o.job_id == job.id for o in job.outputs))
        note("outputs: address works", lambda: httpx.get(job.outputs[0].get_download_url().url).status_code)
        note("workflow: is what was sent", lambda: job.get_workflow().graph == graph)
        note("workflow: format", lambda: job.get_workflow().format)
        note("job: by id", lambda: self.client.jobs.get(job.id).status)
        note("events: of an ended job", lambda: [type(e).__name__ for e in job.events()])
        note("cancel: ended job", lambda: job.cancel().status)
        note("cached: end", lambda: seen_of(self.submit(graph).wait(PATIENCE)))
        self.record(job.id)

    def record(self, job: str) -> None:
        record = http().get(f"/api/v2/jobs/{job}").json()
        note("record: fields", lambda: sorted(record))
        note("record: fields of an output", lambda: sorted(record["outputs"][0]))
        note("record: hash of an output", lambda: str(record["outputs"][0]["hash"]).split(":")[0])
        note("record: progress", lambda: {k: record["progress"][k] for k in ("value", "nodes_done", "nodes_total")})
        note("record: metrics", lambda: {k: type(v).__name__ for k, v in record["metrics"].items()})
        probe = f"/api/v2/assets/by-hash/{record['outputs'][0]['hash']}"
        note("record: an output is known by its hash", lambda: http().head(probe).status_code)

    def file(self) -> None:
        data = png(24, 16, self.salt.to_bytes(8, "big")[-3:])
        assets = self.client.assets
        asset = assets.from_bytes(data, filename="in put.png", content_type="image/png")
        note("upload: new", lambda: (asset.commit() and None, asset.created_new)[1])
        twin = assets.from_bytes(data, filename="in put.png", content_type="image/png")
        note("upload: same bytes again", lambda: (twin.commit() and None, twin.created_new)[1])
        note("upload: hash", lambda: asset.hash.split(":")[0])
        note("asset: by id", lambda: assets.get(asset.id).hash == asset.hash)
        job = self.submit(loading(asset))
        job.wait(PATIENCE)
        note("asset: job", lambda: seen_of(job))
        note("asset: picture has its size", lambda: list(struct.unpack(">II", job.outputs[0].to_bytes()[16:24])))
        note("asset: in the workflow", lambda: job.get_workflow().graph["1"]["inputs"]["image"].get("__type"))
        note("asset: delete", asset.delete)
        note("asset: delete the other of the same bytes", twin.delete)
        note("asset: unknown", lambda: assets.get(str(uuid.uuid4())).id)

    def cancel(self) -> None:
        running, waiting = self.submit(slow(self.salt)), self.submit(self.fresh())
        until(lambda: running.refresh().status == "running")
        note("cancel: queued", lambda: waiting.cancel().status)
        note("cancel: running", lambda: running.cancel().status in ("canceling", "canceled"))
        note("cancel: running, end", lambda: running.wait(10).status)
        note("cancel: queued, end", lambda: waiting.wait(10).status)
        note("cancel: again", lambda: running.cancel().status)
        note("cancel: result", lambda: running.wait(1).result().status)

    def lists(self) -> None:
        older, newer = self.submit(self.fresh()).wait(PATIENCE), self.submit(self.fresh()).wait(PATIENCE)
        note("list: newest first", lambda: [s.id for s in self.client.list_jobs()][:2] == [newer.id, older.id])
        note("list: in pages of one", lambda: {older.id, newer.id} <= {s.id for s in self.client.list_jobs(limit=1)})
        note("list: wrong cursor", lambda: http().get("/api/v2/jobs", params={"cursor": "nonsense"}).status_code)

    def labels(self) -> None:
        labels = {"run": str(self.salt), "who": "story"}
        job = self.submit(self.fresh(), metadata=labels)
        note("labels: kept", lambda: job.metadata == labels)
        job.wait(PATIENCE)
        note("labels: list", lambda: [s.id for s in self.client.list_jobs(metadata=labels)] == [job.id])

    def refused(self) -> None:
        def details(name: str, graph: Callable[[], dict[str, Any]], **more: Any) -> None:
            try:
                self.submit(graph(), **more)
                seen[name] = "accepted"
            except Exception as e:  # noqa: BLE001  as above
                found = getattr(e, "details", None) or {}
                seen[name] = {
                    "raised": type(e).__name__,
                    "code": getattr(e, "code", None),
                    "status": getattr(e, "http_status", None),
                    "details": sorted(found),
                    "nodes": sorted(found.get("node_errors") or {}),
                }

        gone = {"__type": "core/ASSET", "info": {"id": str(uuid.uuid4())}}
        wrong = node("EmptyImage", width=-5, height=32, batch_size=2, color=1)
        key = str(uuid.uuid4())
        same = self.fresh()
        details("refused: unknown node type", lambda: {**self.fresh(), "1": node("NoSuchNode")})
        details("refused: value out of range", lambda: {**self.fresh(), "1": wrong})
        details("refused: input missing", lambda: {**self.fresh(), "2": node("SaveImage", images=["1", 0])})
        details("refused: no output node", lambda: {"1": self.fresh()["1"]})
        details("refused: empty graph", dict)
        details("refused: missing asset", lambda: loading(gone))
        details("refused: key, first", lambda: same, idempotency_key=key)
        details("refused: key, same body", lambda: same, idempotency_key=key)
        details("refused: key, other body", self.fresh, idempotency_key=key)
        note("refused: unknown job", lambda: self.client.jobs.get(str(uuid.uuid4())).id)
        note("refused: job id that is none", lambda: self.client.jobs.get("nonsense").id)

    def raw(self) -> None:
        def post(name: str, **request: Any) -> None:
            answer = http().post("/api/v2/jobs", **request)
            error = answer.json().get("error") if answer.status_code >= 400 else None
            code = error.get("code") if isinstance(error, dict) else None
            seen[name] = {"status": answer.status_code, "code": code}

        post("raw: editor's format", json={"workflow": {"nodes": [], "links": [], "last_node_id": 1, "version": 0.4}})
        post("raw: no workflow", json={})
        post("raw: no JSON", content=b"{", headers={"Content-Type": "application/json"})
        post("raw: reserved inputs", json={"workflow": self.fresh(), "inputs": {"a": 1}})
        post("raw: reserved webhook_url", json={"workflow": self.fresh(), "webhook_url": "https://example.com"})
        post("raw: unknown field", json={"workflow": self.fresh(), "other": 1})

    def failing(self) -> None:
        job = self.submit({**self.fresh(), "2": node("SaveImage", images=["1", 0], filename_prefix="../../x")})
        job.wait(PATIENCE)
        note("failed: status", lambda: job.status)
        note("failed: code", lambda: job.error.code)
        note("failed: node", lambda: job.error.node_id)
        note("failed: traceback", lambda: bool(job.error.traceback))


def loading(image: object) -> dict[str, Any]:
    return {
        "1": node("LoadImage", image=image),
        "2": node("SaveImage", images=["1", 0], filename_prefix="sdk/loaded"),
    }


def http() -> httpx.Client:
    return httpx.Client(base_url=os.environ["COMFY_BASE_URL"], timeout=60, headers=_headers())


def _headers() -> dict[str, str]:
    key = os.environ.get("STORY_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


if __name__ == "__main__":
    path = Path()
    for part in (path.job, path.file, path.cancel, path.lists, path.labels, path.refused, path.raw, path.failing):
        note(f"{part.__name__}: whole", part)
    json.dump(seen, sys.stdout, indent=1, default=str)
