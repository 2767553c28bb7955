"""Group nodes: inside one, nodes have an index, and links are [from, slot, to, slot, id of the first node, type]."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.stories.frontend.cases.pieces import photo, primitive, save, show
from tests.support.graphs import Json, linked, node, ui, widget


def inside(index: int, type_: str, *inputs: Json, values: Sequence[object], outputs: list[str], **more: Any) -> Json:
    made = node(index, type_, *inputs, values=tuple(values), outputs=outputs, index=index, **more)
    del made["id"]
    return {**made, "pos": [0, 0], "size": [1, 1], "flags": {}, "order": index}


def sampling(*more_inputs: Json) -> Json:
    """Checkpoint, two prompts and a sampler; only the latent image comes from outside."""
    clip = linked("clip", 9, "CLIP")
    sockets = [linked(n, i, t) for i, (n, t) in enumerate((("model", "MODEL"), ("positive", "CONDITIONING")))]
    sockets += [linked("negative", 3, "CONDITIONING"), linked("latent_image", None, "LATENT")]
    values = (1, "fixed", 2, 5.5, "heun", "karras", 0.9)
    return {
        "nodes": [
            inside(0, "CheckpointLoaderSimple", values=("a.ckpt",), outputs=["MODEL", "CLIP", "VAE"]),
            inside(1, "CLIPTextEncode", clip, values=("inner 1",), outputs=["CONDITIONING"]),
            inside(2, "CLIPTextEncode", clip, values=("inner 2",), outputs=["CONDITIONING"], title="No"),
            inside(3, "KSampler", *sockets, *more_inputs, values=values, outputs=["LATENT"]),
        ],
        "links": [
            [0, 1, 1, 0, 4, "CLIP"],
            [0, 1, 2, 0, 4, "CLIP"],
            [0, 0, 3, 0, 4, "MODEL"],
            [1, 0, 3, 1, 5, "CONDITIONING"],
            [2, 0, 3, 2, 6, "CONDITIONING"],
        ],
        "external": [],
    }


def use_of(name: str, *inputs: Json, values: Sequence[object], outputs: list[str], id_: int = 7, **more: Any) -> Json:
    return node(id_, f"workflow>{name}", *inputs, values=tuple(values), outputs=outputs, **more)


def sampled(group: Json, values: Sequence[object], *inputs: Json) -> Json:
    """A latent image, the group, and what decodes and saves its result."""
    latent = linked("latent_image", 1, "LATENT")
    return ui(
        [
            node(5, "EmptyLatentImage", values=(64, 64, 1), outputs=["LATENT"]),
            use_of("Maker", latent, *inputs, values=values, outputs=["VAE", "LATENT"]),
            node(8, "VAEDecode", linked("samples", 2, "LATENT"), linked("vae", 3, "VAE"), outputs=["IMAGE"]),
            save(9, 4),
        ],
        [[1, 5, 0, 7, 0, "LATENT"], [2, 7, 1, 8, 0, "LATENT"], [3, 7, 0, 8, 1, "VAE"], [4, 8, 0, 9, 0, "IMAGE"]],
        extra={"groupNodes": {"Maker": group}},
    )


GIVEN = ("b.ckpt", "cat", "dog", 11, "randomize", 22, 6.5, "euler", "normal", 0.7)


def converted_group() -> Json:
    """A widget of a node inside was made an input, and a primitive outside feeds it."""
    values = ("b.ckpt", "cat", "dog", 11, "randomize", 6.5, "euler", "normal", 0.7, 33)
    workflow = sampled(sampling(widget("steps")), values, widget("steps", 5))
    workflow["nodes"].append(primitive(10, 44, "steps"))
    workflow["links"].append([5, 10, 0, 7, 1, "INT"])
    return workflow


def group_twice() -> Json:
    """Two uses of one group, the second fed by the first."""
    group = {
        "nodes": [
            inside(0, "ImageBlur", linked("image", None, "IMAGE"), values=(1, 1.0), outputs=["IMAGE"]),
            inside(1, "ImageInvert", linked("image", 1, "IMAGE"), values=(), outputs=["IMAGE"]),
        ],
        "links": [[0, 0, 1, 0, 1, "IMAGE"]],
        "external": [],
    }
    image = "image"
    return ui(
        [
            photo(1),
            use_of("Soft", linked(image, 1, "IMAGE"), values=(3, 2.5), outputs=["IMAGE"]),
            use_of("Soft", linked(image, 2, "IMAGE"), values=(9, 0.5), outputs=["IMAGE"], id_=8),
            save(9, 3),
        ],
        [[1, 1, 0, 7, 0, "IMAGE"], [2, 7, 0, 8, 0, "IMAGE"], [3, 8, 0, 9, 0, "IMAGE"]],
        extra={"groupNodes": {"Soft": group}},
    )


def group_configured() -> Json:
    """Names of its own, a hidden input, an output that is shown although it is used inside."""
    group = {
        "nodes": [
            inside(0, "LoadImage", values=("in.png", "image"), outputs=["IMAGE", "MASK"]),
            inside(1, "ImageBlur", linked("image", 1, "IMAGE"), values=(1, 1.0), outputs=["IMAGE"]),
            inside(
                2,
                "ImageCompositeMasked",
                linked("destination", 2, "IMAGE"),
                linked("source", None, "IMAGE"),
                linked("mask", None, "MASK"),
                values=(0, 0, False),
                outputs=["IMAGE"],
            ),
        ],
        "links": [[0, 0, 1, 0, 1, "IMAGE"], [1, 0, 2, 0, 1, "IMAGE"]],
        "external": [],
        "config": {
            "0": {"output": {"0": {"visible": True}, "1": {"visible": False}}},
            "1": {"input": {"sigma": {"name": "softness"}}},
            "2": {"input": {"mask": {"visible": False}, "x": {"name": "left"}}, "output": {"0": {"name": "picture"}}},
        },
    }
    values = ("host.png", "image", 5, 2.5, 7, 8, True)
    return ui(
        [
            photo(1),
            use_of("Named", linked("source", 1, "IMAGE"), values=values, outputs=["IMAGE", "IMAGE"]),
            save(8, 2),
            show(9, 3),
        ],
        [[1, 1, 0, 7, 0, "IMAGE"], [2, 7, 0, 8, 0, "IMAGE"], [3, 7, 1, 9, 0, "IMAGE"]],
        extra={"groupNodes": {"Named": group}},
    )


def group_primitive() -> Json:
    """A primitive inside feeds two widgets, and shows its own value."""
    edge = inside(0, "PrimitiveNode", values=(5, "fixed"), outputs=["INT"], title="Edge")
    edge["outputs"][0]["widget"] = {"name": "width"}
    group = {
        "nodes": [
            edge,
            inside(
                1, "EmptyLatentImage", widget("width", 1), widget("height", 2), values=(8, 8, 1), outputs=["LATENT"]
            ),
            inside(2, "LatentUpscaleBy", linked("samples", 3, "LATENT"), values=("bislerp", 1.5), outputs=["LATENT"]),
        ],
        "links": [[0, 0, 1, 0, 0, "INT"], [0, 0, 1, 1, 0, "INT"], [1, 0, 2, 0, 1, "LATENT"]],
        "external": [],
    }
    return ui(
        [
            use_of("Up", values=(640, "fixed", 2, "area", 3.5), outputs=["LATENT"]),
            node(1, "VAELoader", values=("pixel_space",), outputs=["VAE"]),
            node(8, "VAEDecode", linked("samples", 2, "LATENT"), linked("vae", 3, "VAE"), outputs=["IMAGE"]),
            save(9, 4),
        ],
        [[2, 7, 0, 8, 0, "LATENT"], [3, 1, 0, 8, 1, "VAE"], [4, 8, 0, 9, 0, "IMAGE"]],
        extra={"groupNodes": {"Up": group}},
    )


def group_upload() -> Json:
    """An upload button inside, and an output used both inside and outside."""
    group = {
        "nodes": [
            inside(0, "LoadImage", values=("in.png", "image"), outputs=["IMAGE", "MASK"]),
            inside(1, "ImageBlur", linked("image", 1, "IMAGE"), values=(1, 1.0), outputs=["IMAGE"]),
        ],
        "links": [[0, 0, 1, 0, 1, "IMAGE"]],
        "external": [[0, 0, "IMAGE"]],
    }
    outputs = ["IMAGE", "MASK", "IMAGE"]
    return ui(
        [use_of("Img", values=("host.png", "image", 7, 2.5), outputs=outputs), save(9, 4), show(10, 5)],
        [[4, 7, 2, 9, 0, "IMAGE"], [5, 7, 0, 10, 0, "IMAGE"]],
        extra={"groupNodes": {"Img": group}},
    )


def group_with_output_node() -> Json:
    """The group saves by itself."""
    group = {
        "nodes": [
            inside(0, "ImageInvert", linked("image", None, "IMAGE"), values=(), outputs=["IMAGE"]),
            inside(1, "SaveImage", linked("images", 1, "IMAGE"), values=("in",), outputs=[]),
        ],
        "links": [[0, 0, 1, 0, 1, "IMAGE"]],
        "external": [],
    }
    return ui(
        [photo(1), use_of("Keep", linked("image", 1, "IMAGE"), values=("out",), outputs=[])],
        [[1, 1, 0, 7, 0, "IMAGE"]],
        extra={"groupNodes": {"Keep": group}},
    )


def group_of_three_alike() -> Json:
    """Names that are taken get the node's title, or its type, before them."""
    image = linked("image", None, "IMAGE")
    group = {
        "nodes": [
            inside(0, "ImageBlur", image, values=(1, 1.0), outputs=["IMAGE"]),
            inside(1, "ImageBlur", image, values=(2, 2.0), outputs=["IMAGE"]),
            inside(2, "ImageBlur", image, values=(3, 3.0), outputs=["IMAGE"], title="Mine"),
        ],
        "links": [],
        "external": [],
    }
    names = ("image", "ImageBlur image", "Mine image")
    inputs = [linked(name, link, "IMAGE") for link, name in enumerate(names, 1)]
    return ui(
        [
            photo(1),
            use_of("Three", *inputs, values=(4, 4.5, 5, 5.5, 6, 6.5), outputs=["IMAGE"] * 3),
            save(9, 4),
            show(10, 5),
            show(11, 6),
        ],
        [
            [1, 1, 0, 7, 0, "IMAGE"],
            [2, 1, 0, 7, 1, "IMAGE"],
            [3, 1, 0, 7, 2, "IMAGE"],
            [4, 7, 0, 9, 0, "IMAGE"],
            [5, 7, 1, 10, 0, "IMAGE"],
            [6, 7, 2, 11, 0, "IMAGE"],
        ],
        extra={"groupNodes": {"Three": group}},
    )


def group_with_a_linked_widget() -> Json:
    """A node inside feeds a widget of another one."""
    group = {
        "nodes": [
            inside(0, "PrimitiveInt", values=(5, "fixed"), outputs=["INT"]),
            inside(1, "EmptyLatentImage", widget("width", 1), values=(8, 16, 1), outputs=["LATENT"]),
        ],
        "links": [[0, 0, 1, 0, 1, "INT"]],
        "external": [],
    }
    return ui(
        [
            use_of("Wide", values=(640, "fixed", 32, 2), outputs=["LATENT"]),
            node(1, "VAELoader", values=("pixel_space",), outputs=["VAE"]),
            node(8, "VAEDecode", linked("samples", 2, "LATENT"), linked("vae", 3, "VAE"), outputs=["IMAGE"]),
            save(9, 4),
        ],
        [[2, 7, 0, 8, 0, "LATENT"], [3, 1, 0, 8, 1, "VAE"], [4, 8, 0, 9, 0, "IMAGE"]],
        extra={"groupNodes": {"Wide": group}},
    )


def group_with_a_bypassed_node() -> Json:
    workflow = group_twice()
    workflow["extra"]["groupNodes"]["Soft"]["nodes"][1]["mode"] = 4
    workflow["nodes"] = [*workflow["nodes"][:2], save(9, 2)]
    workflow["links"] = [workflow["links"][0], [2, 7, 0, 9, 0, "IMAGE"]]
    return workflow


GROUPS: Mapping[str, Json] = {
    "group": sampled(sampling(), GIVEN),
    "group without values": sampled(sampling(), ()),
    "group with a widget made an input": converted_group(),
    "group used twice": group_twice(),
    "group with names of its own": group_configured(),
    "group with a primitive": group_primitive(),
    "group with an upload": group_upload(),
    "group that saves": group_with_output_node(),
    "group of three nodes alike": group_of_three_alike(),
    "group with a linked widget": group_with_a_linked_widget(),
    "group with a bypassed node": group_with_a_bypassed_node(),
}
