"""How fast workflows are parsed, converted and searched for needs. Run: `python -m benchmarks.bench_flow [FOLDER]`.

FOLDER holds workflows (`*.json`, subfolders too), such as the official templates, and `object_info.json` if it is to be
exact; without it only the synthetic workflows are measured.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import PycomfyError

INFO: dict[str, Any] = {
    "Blur": {
        "input": {"required": {"image": ["IMAGE"], "radius": ["FLOAT"], "seed": ["INT"]}},
        "input_order": {"required": ["image", "radius", "seed"]},
        "output": ["IMAGE"],
        "output_name": ["IMAGE"],
    }
}


def synthetic(count: int, mode: int) -> bytes:
    """A chain of `count` nodes, the last of which runs; the others have `mode`."""
    nodes = [
        {
            "id": i,
            "type": "Blur",
            "mode": 0 if i == count - 1 else mode,
            "inputs": [{"name": "image", "type": "IMAGE", "link": i}],
            "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [i + 1]}],
            "widgets_values": [1.5, i, "fixed"],
            "properties": {"cnr_id": "comfy-core", "ver": "0.3.75"},
        }
        for i in range(count)
    ]
    links = [[i, i - 1, 0, i, 0, "IMAGE"] for i in range(1, count)]
    return json.dumps({"version": 0.4, "nodes": nodes, "links": links}).encode()


def work(data: bytes, definitions: Definitions) -> None:
    workflow = parse_workflow(data, where="bench")
    try_convert(workflow, definitions)
    collect_requirements(workflow, definitions)


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure_templates(folder: Path) -> None:
    info = folder / "object_info.json"
    definitions = Definitions(json.loads(info.read_bytes()) if info.exists() else {})
    files = [p.read_bytes() for p in sorted(folder.rglob("*.json")) if p != info]
    seconds, done = 0.0, 0
    for data in files:
        try:
            seconds += timed(lambda data=data: work(data, definitions))  # type: ignore[misc]
            done += 1
        except PycomfyError:
            pass
    print(
        f"{done} workflows of {len(files)} files, {sum(map(len, files)) / 1e6:.1f} MB: {seconds:.2f} s"
        " (goal: 816 in 3 s)"
    )


def main() -> None:
    definitions = Definitions(INFO)
    for title, mode in (("running", 0), ("bypassed", 4)):
        for count in (1250, 2500, 5000, 10_000, 20_000):
            data = synthetic(count, mode)
            best = min(timed(lambda data=data: work(data, definitions)) for _ in range(3))  # type: ignore[misc]
            goal = " (goal: 0.5 s)" if count == 5000 else ""
            print(f"{count:>6} nodes {title}: {best:.3f} s, {best / count * 1e6:.1f} µs each{goal}")
    for folder in sys.argv[1:]:
        measure_templates(Path(folder))


if __name__ == "__main__":
    main()
