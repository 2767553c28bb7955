"""An image's gateway beside comfy-api-proxy and bare ComfyUI, of one image and in one run, through the official SDK.

`python -m benchmarks.bench_gateway IMAGE` writes its section of RESULTS.md; IMAGE is one in the engine, such as
localhost/pycomfy/hello.
"""

import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.table import machine, put_section
from pycomfy.adapters.containers.engine import StartableImage, find_engine
from pycomfy.adapters.containers.relay import bind_port
from tests.stories.gateway import sdk
from tests.stories.gateway.container import Container, bare_comfyui, run_client

HERE = Path(__file__).parent
JOBS, MANY, QUEUED, STREAMS = 100, 2000, 500, 200


def memory_of(container: Container) -> float:
    """Megabytes of the gateway's process."""
    status = Path(f"/proc/{container.gateway()}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1000


def measure(image: StartableImage, folder: Path) -> dict[str, Any]:
    engine = find_engine()
    found: dict[str, Any] = {}
    programs = sdk.install(folder / "venv", "websockets")
    with bind_port(0) as listener:
        port = int(listener.getsockname()[1])
    began = time.monotonic()
    with bare_comfyui(engine, image, folder) as comfyui:
        found["ready"] = {"comfyui": time.monotonic() - began}
        container = Container(engine, image, folder / "gateway", {"PYCOMFY_MAX_QUEUED": str(MANY)})
        began = time.monotonic()
        try:
            container.start()
            found["ready"]["gateway"] = time.monotonic() - began
            found["memory"] = [memory_of(container)]
            with container.on_port() as ours, sdk.proxy(programs, comfyui, port, folder) as proxy:
                python = programs / "python"
                latency = HERE / "gateway_client.py"
                found["latency"] = run_client(python, latency, ours, [str(JOBS), ours, proxy, comfyui])
                flood = HERE / "gateway_flood.py"
                found["streams"] = run_client(python, flood, ours, [ours, str(QUEUED), str(STREAMS)])
                found["many"] = run_client(python, flood, ours, [ours, str(MANY), "0"])
            found["memory"].append(memory_of(container))
        finally:
            container.close()
    return found


def render(found: dict[str, Any]) -> str:
    lines = [
        f"Measured {machine()}, load {os.getloadavg()[0]:.0f}: {JOBS} small prompts each; from the graph to the",
        "picture's bytes. The gateway is reached through the relay of `run --serve`, and waits for the disk. It takes",
        "turns with bare ComfyUI job by job, and so does the proxy after it.",
        "",
        "| | gateway | bare ComfyUI beside it | comfy-api-proxy | bare ComfyUI beside it |",
        "|---|---:|---:|---:|---:|",
    ]
    columns = ("gateway", "comfyui", "proxy", "beside_proxy")
    found["latency"] = {name: found["latency"][name] for name in columns}
    timed = {name: sorted(ms for ms, _ in rows) for name, rows in found["latency"].items()}
    for what, pick in (("p50", statistics.median), ("p95", lambda t: t[len(t) * 95 // 100])):
        lines.append(f"| small prompt, {what} | " + " | ".join(f"{pick(t):.1f} ms" for t in timed.values()) + " |")
    states = [Counter(state for _, state in rows) for rows in found["latency"].values()]
    lines.append("| ended | " + " | ".join(", ".join(f"{n} {s}" for s, n in count.items()) for count in states) + " |")
    ready = found["ready"]
    lines.append(f"| ready after | {ready['gateway']:.1f} s | {ready['comfyui']:.1f} s | | |")
    before, after = found["memory"]
    lines.append(f"| memory of its process, idle and after all of this | {before:.0f} MB, {after:.0f} MB | | | |")
    streams, many = found["streams"], found["many"]
    ended = f"{streams['states'].get('succeeded', 0)} succeeded, {streams['lost']} streams lost an event"
    lines.append(f"| {QUEUED} queued jobs and {STREAMS} event streams | {ended}, {streams['seconds']:.0f} s | | | |")
    lines.append(f"| {MANY} small jobs | {many['states'].get('succeeded', 0)} ok, {many['seconds']:.0f} s | | | |")
    return "\n".join([*lines, ""])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = render(measure(StartableImage(sys.argv[1]), Path(folder)))
    put_section("The gateway", text)
    print(text)


if __name__ == "__main__":
    main()
