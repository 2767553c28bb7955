"""A job as the parts that ComfyUIs run."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.gateway.comfyui.instance import Instance
from pycomfy.gateway.comfyui.tracker import SentImage
from pycomfy.gateway.graph.affinity import find_affinity
from pycomfy.gateway.graph.branches import Branch
from pycomfy.gateway.jobs.model import Job, JobRequest, Output
from pycomfy.gateway.jobs.outputs import find_sent
from pycomfy.gateway.jobs.parts import WHOLE, Running, Station, assign
from pycomfy.gateway.places import Places

GRAPH = {
    "9": {"class_type": "Load", "inputs": {"model": "a.safetensors"}},
    "3": {"class_type": "Load", "inputs": {"model": "b.safetensors"}},
}
ONE, OTHER = Branch(("9",), frozenset("9")), Branch(("3",), frozenset("3"))


def stations(folder: Path, *loaded: str) -> list[Station]:
    made = [
        Station(Instance(str(n), replace(Places(), data=folder, temp=folder), cpu=True)) for n, _ in enumerate(loaded)
    ]
    for station, node in zip(made, loaded, strict=True):
        station.loaded = frozenset([find_affinity({node: GRAPH[node]})] if node else ())
    return made


def test_a_part_goes_where_its_models_are(tmp_path: Path) -> None:
    def chosen(*loaded: str) -> dict[str, tuple[str, ...]]:
        return {p.station.name: p.branch.targets for p in assign([ONE, OTHER], stations(tmp_path, *loaded), GRAPH)}

    assert chosen("9", "3") == {"0": ("9",), "1": ("3",)}
    assert chosen("3", "9") == {"0": ("3",), "1": ("9",)}
    assert chosen("", "9") == {"0": ("3",), "1": ("9",)}
    assert chosen("", "") == {"0": ("9",), "1": ("3",)}
    (whole,) = assign([WHOLE], stations(tmp_path, ""), GRAPH)
    assert whole.tracker.nodes == {"9", "3"}


def output(node: str, name: str) -> Output:
    asset = f"{node}/{name}"
    return Output(node=node, kind="images", name=name, type="image", content_type="image/png", size=1, asset=asset)


def test_outputs_are_in_the_order_of_the_graph_whoever_made_them(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    held = stations(tmp_path, "", "")
    running = Running(Job(id="j", request=JobRequest(graph=GRAPH), created_at=now, expires_at=now), held)
    running.parts = assign([OTHER, ONE], held, GRAPH)
    running.parts[0].outputs = [output("", "unnamed"), output("3.0.0.1", "b"), output("3", "a")]
    running.parts[1].outputs = [output("9", "z"), output("9", "y")]
    assert [o.name for o in running.outputs()] == ["z", "y", "b", "a", "unnamed"]
    assert running.count == 5


def test_images_that_nodes_send_are_numbered_for_each_node() -> None:
    sent = [SentImage(node, ".png", b"") for node in ("1", "2", "1")]
    assert [(f.node, f.name) for f in find_sent(sent)] == [
        ("1", "image_00001.png"),
        ("2", "image_00001.png"),
        ("1", "image_00002.png"),
    ]
