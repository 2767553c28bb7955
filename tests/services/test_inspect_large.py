"""Large workflows: the work for twice as many nodes is twice as much."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pycomfy.core.prompt.flatten import OpenGraph, flatten
from pycomfy.services.inspect import inspect
from tests.support.graphs import node, ui, widget

KINDS: dict[str, Callable[[int], Any]] = {
    "texts": lambda i: node(i, "CLIPTextEncode", values=(f"text {i}",), outputs=["C"]),
    "pictures": lambda i: node(i, "LoadImage", values=(f"{i}.png", "image"), outputs=["IMAGE"]),
    "outputs": lambda i: node(i, "SaveImage", values=(f"{i}",)),
    "models": lambda i: node(i, "CheckpointLoaderSimple", values=(f"{i}.safetensors",), outputs=["M"]),
    "setters": lambda i: node(i, "SetNode" if i % 2 else "GetNode", values=(f"{i // 2}",), outputs=["*"]),
    "external inputs": lambda i: node(
        i,
        "ComfyUIDeployExternalText",
        widget("input_id"),
        widget("default_value"),
        values=(f"n{i}", "x"),
        outputs=["S"],
    ),
}


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python, turns of loops included, a piece of work takes."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_twice_as_many_nodes_are_twice_the_work(kind: str, tmp_path: Path) -> None:
    def work(size: int) -> int:
        file = tmp_path / f"{size}.json"
        file.write_text(json.dumps(ui([KINDS[kind](i) for i in range(1, size + 1)], [])))
        return lines_run(lambda: inspect(str(file)))

    work(1)  # what is imported and compiled once
    assert work(400) < 2.2 * work(200)


def test_a_workflow_is_parsed_and_made_flat_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes seconds of a large one; also beside a pycomfy.toml, and under a name that is not the folder's own."""
    file = tmp_path / "x.json"
    file.write_text(json.dumps(ui([KINDS["models"](1), KINDS["outputs"](2)], [])))
    (tmp_path / "pycomfy.toml").write_text("[packs]\n")
    counted: list[str] = []
    parse = json.loads

    def loads(text: str) -> object:
        counted.append("parsed")
        return parse(text)

    def make_flat(*arguments: Any) -> OpenGraph:
        counted.append("flat")
        return flatten(*arguments)

    monkeypatch.setattr(json, "loads", loads)
    monkeypatch.setattr("pycomfy.core.prompt.flat_workflow.flatten", make_flat)
    assert [node.id for node in inspect(str(file)).nodes] == ["1", "2"]
    assert counted == ["parsed", "flat"]
