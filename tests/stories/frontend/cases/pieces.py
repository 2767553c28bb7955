"""Parts of workflows, and what the editor asks of a workflow beside its graph."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from tests.support.graphs import Json, linked, node, slot, subgraph, ui, widget


def drawn(workflow: Json) -> Json:
    """A copy with the positions and sizes that the editor asks for, and every link noted at its output."""
    workflow = deepcopy(workflow)
    graphs = [workflow, *workflow.get("definitions", {}).get("subgraphs", [])]
    for graph in graphs:
        by_id = {n["id"]: n for n in graph["nodes"]}
        for place, item in enumerate(graph["nodes"]):
            item |= {"pos": [place * 250, 0], "size": [200, 100], "flags": {}, "order": place}
        for id_, origin, origin_slot, *_ in graph["links"]:
            if origin in by_id:
                by_id[origin]["outputs"][origin_slot]["links"].append(id_)
    for graph in graphs[1:]:
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        graph |= {
            "version": 1,
            "revision": 0,
            "state": {"lastNodeId": 99, "lastLinkId": 99, "lastGroupId": 0, "lastRerouteId": 0},
            "inputNode": {"id": -10, "bounding": [0, 0, 10, 10]},
            "outputNode": {"id": -20, "bounding": [0, 0, 10, 10]},
            "links": [dict(zip(keys, link, strict=True)) for link in graph["links"]],
            "config": {},
            "groups": [],
            "widgets": [],
            "extra": {},
        }
    return {"last_node_id": 99, "last_link_id": 99, "groups": [], "config": {}, "extra": {}, **workflow}


def photo(id_: int, name: str = "in.png", **more: Any) -> Json:
    return node(id_, "LoadImage", values=(name, "image"), outputs=["IMAGE", "MASK"], **more)


def save(id_: int, link: int | None, prefix: str = "x", **more: Any) -> Json:
    return node(id_, "SaveImage", linked("images", link, "IMAGE"), values=(prefix,), **more)


def show(id_: int, link: int) -> Json:
    return node(id_, "PreviewImage", linked("images", link, "IMAGE"))


def blur(id_: int, link: int | None, radius: int = 1, **more: Any) -> Json:
    return node(id_, "ImageBlur", linked("image", link, "IMAGE"), values=(radius, 1.5), outputs=["IMAGE"], **more)


def primitive(id_: int, value: object, name: str, type_: str = "INT", **more: Any) -> Json:
    made = node(id_, "PrimitiveNode", values=(value, "fixed"), outputs=[type_], **more)
    made["outputs"][0]["widget"] = {"name": name}
    return made


UUID = "11111111-2222-4333-8444-555555555555"


def soft(*nodes: Json, links: Sequence[Sequence[object]]) -> Json:
    """A subgraph of these nodes: one image in, one image out."""
    return subgraph(
        UUID, list(nodes), [list(li) for li in links], [slot("image", "IMAGE", 80)], [slot("IMAGE", "IMAGE", 90)]
    )


def hosted(inner: Json, *more: Json, links: Sequence[Sequence[object]] = ()) -> Json:
    """Photo 1 into host 2 of `inner` into Save 9."""
    host = node(2, UUID, linked("image", 8, "IMAGE"), outputs=["IMAGE"])
    wires = [[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"], *(list(li) for li in links)]
    return ui([photo(1), host, save(9, 9), *more], wires, definitions={"subgraphs": [inner]})


def promoted(value: object) -> Json:
    """A widget of a subgraph's host, fed by a primitive if `value` is None."""
    inner = subgraph(
        UUID,
        [
            node(
                5,
                "ImageBlur",
                linked("image", 80, "IMAGE"),
                widget("blur_radius", 81),
                values=(2, 1.5),
                outputs=["IMAGE"],
            )
        ],
        [[80, -10, 0, 5, 0, "IMAGE"], [81, -10, 1, 5, 1, "INT"], [90, 5, 0, -20, 0, "IMAGE"]],
        [slot("image", "IMAGE", 80), slot("blur_radius", "INT", 81)],
        [slot("IMAGE", "IMAGE", 90)],
    )
    workflow = hosted(inner)
    workflow["nodes"][1]["inputs"].append(widget("blur_radius", 7 if value is None else None))
    workflow["nodes"][1]["widgets_values"] = [4 if value is None else value]
    if value is None:
        workflow["nodes"].append(primitive(3, 9, "blur_radius"))
        workflow["links"].append([7, 3, 0, 2, 1, "INT"])
    return workflow
