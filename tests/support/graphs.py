"""Small workflows and node definitions of our own, to convert in tests."""

import json
from typing import Any

from pycomfy.core.prompt.convert import Prompt, convert
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow

Json = dict[str, Any]


def definition(
    required: Json | None = None, optional: Json | None = None, outputs: list[str] | None = None, **more: Any
) -> Json:
    """An entry of `/object_info`. `outputs` are types."""
    required, optional, outputs = required or {}, optional or {}, outputs or []
    return {
        "input": {"required": required, "optional": optional},
        "input_order": {"required": list(required), "optional": list(optional)},
        "output": outputs,
        "output_name": outputs,
        "output_node": not outputs,
        **more,
    }


OBJECT_INFO: Json = {
    "Load": definition({"file": [["a.ckpt", "b.ckpt"]]}, outputs=["MODEL", "TEXTER"], display_name="Load It"),
    "Text": definition({"text": ["STRING", {"multiline": True}], "texter": ["TEXTER"]}, outputs=["COND"]),
    "Blank": definition({"width": ["INT", {"default": 512}], "height": ["INT", {"default": 512}]}, outputs=["LATENT"]),
    "Sample": definition(
        {
            "model": ["MODEL"],
            "seed": ["INT", {"default": 0, "control_after_generate": True}],
            "steps": ["INT", {"default": 20, "min": 1, "max": 100}],
            "method": [["euler", "heun"]],
            "positive": ["COND"],
            "latent": ["LATENT"],
        },
        outputs=["LATENT"],
    ),
    "Decode": definition({"latent": ["LATENT"]}, outputs=["IMAGE"]),
    "Blur": definition({"image": ["IMAGE"], "radius": ["FLOAT", {"default": 1.5}]}, outputs=["IMAGE"]),
    "Mix": definition({"mask": ["MASK"], "first": ["IMAGE"], "second": ["IMAGE"]}, outputs=["IMAGE", "MASK"]),
    "Save": definition({"images": ["IMAGE"], "prefix": ["STRING", {"default": "out"}]}),
    "Photo": definition({"photo": [["x.png"], {"image_upload": True}]}, outputs=["IMAGE", "MASK"]),
}


def node(
    id_: int | str, type_: str, *inputs: Json, values: Any = (), outputs: list[str] | None = None, **more: Any
) -> Json:
    return {
        "id": id_,
        "type": type_,
        "mode": 0,
        "inputs": list(inputs),
        "outputs": [{"name": t, "type": t, "links": []} for t in outputs or []],
        "widgets_values": list(values) if isinstance(values, tuple) else values,
        "properties": {},
        **more,
    }


def linked(name: str, link: int | None, type_: str = "*") -> Json:
    return {"name": name, "type": type_, "link": link}


def widget(name: str, link: int | None = None, type_: str = "INT") -> Json:
    return {"name": name, "type": type_, "link": link, "widget": {"name": name}}


def ui(nodes: list[Json], links: list[Any], **more: Any) -> Json:
    return {"version": 0.4, "nodes": nodes, "links": links, **more}


def subgraph(id_: str, nodes: list[Json], links: list[Any], inputs: list[Json], outputs: list[Json]) -> Json:
    return {"id": id_, "name": id_.upper(), "nodes": nodes, "links": links, "inputs": inputs, "outputs": outputs}


def slot(name: str, type_: str, *links: int) -> Json:
    return {"id": name, "name": name, "type": type_, "linkIds": list(links)}


def parsed(value: Json) -> Workflow:
    return parse_workflow(json.dumps(value), where="test.json")


def prompt_of(value: Json, object_info: Json | None = None) -> Prompt:
    return convert(parsed(value), object_info or OBJECT_INFO)


def inputs_of(value: Json, object_info: Json | None = None) -> dict[str, dict[str, object]]:
    """The inputs of every node of the prompt."""
    return {id_: n["inputs"] for id_, n in prompt_of(value, object_info).items()}


def chain(*middle: Json, links: list[Any]) -> Json:
    """Photo 1 -> whatever is in the middle -> Save 9, whose input is link 9."""
    return ui([node(1, "Photo", values=("x.png", "image")), *middle, node(9, "Save", linked("images", 9))], links)


def plain() -> dict[str, Any]:
    return ui(
        [
            node(4, "Load", values=("b.ckpt",)),
            node(6, "Text", linked("texter", 1), values=("a cat",), title="Wish"),
            node(5, "Blank", values=(640, 480)),
            node(
                3,
                "Sample",
                linked("model", 2),
                linked("positive", 3),
                linked("latent", 4),
                values=(7, "randomize", 30, "heun"),
            ),
            node(8, "Decode", linked("latent", 5)),
            node(9, "Save", linked("images", 6), values=("cat",)),
        ],
        [
            [1, 4, 1, 6, 1, "TEXTER"],
            [2, 4, 0, 3, 0, "MODEL"],
            [3, 6, 0, 3, 1, "COND"],
            [4, 5, 0, 3, 2, "LATENT"],
            [5, 3, 0, 8, 0, "LATENT"],
            [6, 8, 0, 9, 0, "IMAGE"],
        ],
    )
