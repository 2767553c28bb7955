"""Workflows, the files that they are in, and the node definitions that they are converted with."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.cli.inspect_report import show
from pycomfy.cli.terminal import make_console
from pycomfy.core.interface.build import make_interface
from pycomfy.core.interface.cli_values import find_source, read_value
from pycomfy.core.interface.json_schema import apply_arguments, check_arguments, inputs_schema, list_inputs
from pycomfy.core.interface.model import parse_interface
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.workflow.parse import extract_workflow, parse_workflow
from pycomfy.services.convert import render_prompt
from pycomfy.services.inspect import InspectResult, inspect
from tests.fuzz.formats import JSON, ZIP, pack_zip
from tests.fuzz.printing import print_harmlessly, print_result
from tests.fuzz.target import Target
from tests.support.graphs import OBJECT_INFO, linked, node, plain, slot, subgraph, ui, widget

ROOT = Path(__file__).parents[3]
RECORDED = json.loads((ROOT / "tests/core/prompt/frontend_cases.json").read_bytes())
DEFINITIONS = json.dumps({**RECORDED["object_info"], **OBJECT_INFO})


def graphs() -> list[object]:
    """Workflows of each shape that is accepted."""
    api = {
        "1": {"class_type": "Load", "inputs": {"file": "a.ckpt"}, "_meta": {"title": "Load"}},
        "2": {"class_type": "Text", "inputs": {"text": "a cat <lora:x:1>", "texter": ["1", 1]}},
    }
    inner = subgraph(
        "s-1",
        [node(1, "Blur", linked("image", 1), widget("radius", 2), values=(2.5,))],
        [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0, "type": "IMAGE"},
            {"id": 3, "origin_id": 1, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "IMAGE"},
        ],
        [slot("image", "IMAGE", 1)],
        [slot("IMAGE", "IMAGE", 3)],
    )
    opened = ui(
        [
            node(1, "Photo", values=("x.png", "image"), outputs=["IMAGE"]),
            node(2, "s-1", linked("image", 1), values=(3.0,), properties={"proxyWidgets": [["1", "radius"]]}),
            node(9, "Save", linked("images", 2), values=("%Blur.radius% %date:yyyy%",)),
        ],
        [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 9, 0, "IMAGE"]],
        definitions={"subgraphs": [inner]},
        extra={"ue_links": [], "linearData": {"inputs": [[1, "photo"]], "outputs": [9]}},
    )
    member = {"type": "Blur", "inputs": [{"name": "image", "type": "IMAGE"}], "widgets_values": [1.5], "index": 0}
    grouped = ui(
        [node(1, "Photo", values=("x.png", "image")), node(2, "workflow>g", linked("image", 1), values=(2.0,))],
        [[1, 1, 0, 2, 0, "IMAGE"]],
        extra={"groupNodes": {"g": {"nodes": [member], "links": [], "external": [], "config": {}}}},
    )
    editors = ui(
        [
            node(1, "PrimitiveNode", values=(7, "fixed"), outputs=["INT"]),
            node(2, "Reroute", linked("", 2), outputs=["*"]),
            node(3, "Note", values=("text",)),
            node(4, "SetNode", linked("x", 3), values=("name",)),
            node(5, "GetNode", values=("name",), outputs=["*"]),
            node(6, "Blank", widget("width", 1), values=(512, 512), mode=4),
            node(9, "Save", linked("images", 4), values=("x",)),
        ],
        [[1, 1, 0, 6, 0, "INT"], [2, 6, 0, 2, 0, "*"], [3, 2, 0, 4, 0, "*"], [4, 5, 0, 9, 0, "*"]],
    )
    wrapped = {"client_id": "x", "prompt": api, "extra_data": {"extra_pnginfo": {"workflow": plain()}}}
    return [api, plain(), opened, grouped, editors, wrapped, {"workflow": json.dumps(plain())}]


def workflow_seeds() -> Sequence[bytes]:
    recorded = (json.dumps(case["workflow"]).encode() for case in RECORDED["cases"].values())
    hello = (ROOT / "examples/hello/workflow.json").read_bytes()
    return [hello, *(json.dumps(graph).encode() for graph in graphs()), *recorded]


def run_workflow(data: bytes, folder: Path) -> None:
    """What `inspect`, `convert` and `lock` do with a workflow."""
    (folder / "workflow.json").write_bytes(data)
    (folder / "object_info.json").write_text(DEFINITIONS)
    for definitions in (None, str(folder / "object_info.json")):
        _show(inspect(str(folder / "workflow.json"), definitions))
    parse_workflow(extract_workflow(data, where="x"), where="x")


def _show(result: InspectResult) -> None:
    """Print for a program and for a person."""
    print_result(result)
    print_harmlessly(lambda: show(result, make_console(sys.stdout)))


def run_file(data: bytes, folder: Path) -> None:
    (folder / "file").write_bytes(data)
    _show(inspect(str(folder / "file")))


def media_seeds() -> Sequence[bytes]:
    files = sorted((ROOT / "tests/adapters/metadata/files").iterdir())
    return [data for file in files if len(data := file.read_bytes()) < 64 * 1024]


def zip_seeds() -> Sequence[bytes]:
    found = []
    for graph in graphs()[:3]:
        found.append(pack_zip([["a/workflow.json", json.dumps(graph), 0, 8], ["readme.txt", "text", 0, 0]]))
    return found


WORKFLOWS = [parse_workflow(json.dumps(graph), where="x") for graph in graphs()]


def run_object_info(data: bytes, folder: Path) -> None:
    """What a server says of its nodes, with workflows that are good."""
    (folder / "object_info.json").write_bytes(data)
    definitions = read_definitions(str(folder / "object_info.json"))
    for number, graph in enumerate(graphs()):
        (folder / f"{number}.json").write_text(json.dumps(graph))
        print_result(inspect(str(folder / f"{number}.json"), str(folder / "object_info.json")))
        render_prompt(try_convert(WORKFLOWS[number], definitions).prompt)


def argument_seeds() -> Sequence[bytes]:
    prompt = try_convert(WORKFLOWS[1], OBJECT_INFO).prompt
    interface = make_interface(prompt, WORKFLOWS[1], OBJECT_INFO)
    texts = {parameter.name: "7" for parameter in interface.parameters if parameter.type != "image"}
    seed = {"interface": interface.model_dump(mode="json"), "prompt": prompt, "values": {}, "texts": texts}
    return [json.dumps(seed).encode()]


def run_arguments(data: bytes, folder: Path) -> None:
    """The interface of a version that somebody made, and what somebody gives for its inputs."""
    try:
        seed = json.loads(data)
        rendered, texts, values, prompt = (json.dumps(seed[key]) for key in ("interface", "texts", "values", "prompt"))
        given, programs, filled = json.loads(texts), json.loads(values), json.loads(prompt)
    except (ValueError, RecursionError, KeyError, TypeError):
        return
    interface = parse_interface(rendered)
    inputs_schema(interface)
    list_inputs(interface)
    read: dict[str, object] = dict(programs) if isinstance(programs, dict) else {}
    for parameter in interface.parameters:
        text = given.get(parameter.name) if isinstance(given, dict) else None
        if isinstance(text, str) and find_source(parameter, text) is None:
            read[parameter.name] = read_value(parameter, text)
    checked = check_arguments(interface, read)
    with suppress(KeyError, TypeError, AttributeError, ValueError):  # a prompt is read where it was built
        apply_arguments(filled, interface, checked)


TARGETS = (
    Target("arguments", run_arguments, argument_seeds, JSON),
    Target("workflow", run_workflow, workflow_seeds, JSON),
    Target("media", run_file, media_seeds),
    Target("zip-workflow", run_file, zip_seeds, ZIP),
    Target("object-info", run_object_info, lambda: [json.dumps(OBJECT_INFO).encode()], JSON),
)
