"""Workflows of our own, of real nodes, for what no official template has: group nodes, Set and Get, texts."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from tests.flow.prompt.build import Json, linked, node, slot, subgraph, ui, widget

UUID = "11111111-2222-4333-8444-555555555555"


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


def setter(id_: int, name: str, link: int | None, **more: Any) -> Json:
    return node(id_, "SetNode", linked("*", link), values=(name,), outputs=["*"], **more)


def getter(id_: int, name: str, **more: Any) -> Json:
    return node(id_, "GetNode", values=(name,), outputs=["*"], **more)


def primitive(id_: int, value: object, name: str, type_: str = "INT", **more: Any) -> Json:
    made = node(id_, "PrimitiveNode", values=(value, "fixed"), outputs=[type_], **more)
    made["outputs"][0]["widget"] = {"name": name}
    return made


# Group nodes. Inside one, nodes have an index, and links are [from, slot, to, slot, id of the first node, type].


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


# Set and Get


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


def get_of_nothing_in_subgraph() -> Json:
    inner = soft(
        getter(3, "none"),
        node(
            5,
            "ImageCompositeMasked",
            linked("destination", 80, "IMAGE"),
            linked("source", 81, "IMAGE"),
            values=(1, 2, False),
            outputs=["IMAGE"],
        ),
        links=[[80, -10, 0, 5, 0, "IMAGE"], [81, 3, 0, 5, 1, "IMAGE"], [90, 5, 0, -20, 0, "IMAGE"]],
    )
    return hosted(inner, photo(6, "other.png"), setter(4, "pic", 7), links=[[7, 6, 0, 4, 0, "IMAGE"]])


def both_in_subgraph() -> Json:
    """The same name in a subgraph and around it: the nearer one counts."""
    inner = soft(
        blur(5, 80),
        setter(6, "pic", 81),
        getter(3, "pic"),
        blur(7, 82, 3),
        links=[
            [80, -10, 0, 5, 0, "IMAGE"],
            [81, 5, 0, 6, 0, "IMAGE"],
            [82, 3, 0, 7, 0, "IMAGE"],
            [90, 7, 0, -20, 0, "IMAGE"],
        ],
    )
    return hosted(inner, photo(6, "other.png"), setter(4, "pic", 7), links=[[7, 6, 0, 4, 0, "IMAGE"]])


def set_and_get(*nodes: Json, links: Sequence[Sequence[object]]) -> Json:
    return ui([photo(1), *nodes], [list(li) for li in links])


def chain_of_gets() -> Json:
    """Set a, get a, set b, get b, with reroutes between."""
    return set_and_get(
        setter(2, "a", 1),
        getter(3, "a"),
        node(4, "Reroute", linked("", 2), outputs=["*"]),
        setter(5, "b", 3),
        getter(6, "b"),
        save(9, 4),
        links=[
            [1, 1, 0, 2, 0, "IMAGE"],
            [2, 3, 0, 4, 0, "*"],
            [3, 4, 0, 5, 0, "*"],
            [4, 6, 0, 9, 0, "IMAGE"],
        ],
    )


def set_passes_on() -> Json:
    """A Set's own output is what goes in."""
    return set_and_get(setter(2, "a", 1), save(9, 2), links=[[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 9, 0, "IMAGE"]])


def set_of_bypassed() -> Json:
    """What is set is bypassed, so the Get takes what is before it."""
    return set_and_get(
        blur(2, 1, mode=4),
        setter(3, "a", 2),
        getter(4, "a"),
        save(9, 3),
        links=[[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"], [3, 4, 0, 9, 0, "IMAGE"]],
    )


def one_pair(setter_mode: int = 0, getter_mode: int = 0, asked: str = "a", *, given: bool = True) -> Json:
    links = [[1, 1, 0, 2, 0, "IMAGE"]] if given else []
    return set_and_get(
        setter(2, "a", 1 if given else None, mode=setter_mode),
        getter(4, asked, mode=getter_mode),
        save(9, 3),
        links=[*links, [3, 4, 0, 9, 0, "IMAGE"]],
    )


def set_twice() -> Json:
    return set_and_get(
        setter(2, "a", 1),
        blur(5, 4),
        setter(6, "a", 2),
        getter(4, "a"),
        save(9, 3),
        links=[
            [1, 1, 0, 2, 0, "IMAGE"],
            [4, 1, 0, 5, 0, "IMAGE"],
            [2, 5, 0, 6, 0, "IMAGE"],
            [3, 4, 0, 9, 0, "IMAGE"],
        ],
    )


def set_into_group() -> Json:
    workflow = group_twice()
    workflow["nodes"] += [setter(20, "p", 11), getter(21, "p")]
    workflow["links"] = [
        [11, 1, 0, 20, 0, "IMAGE"],
        [1, 21, 0, 7, 0, "IMAGE"],
        *workflow["links"][1:],
    ]
    return workflow


def rerouted() -> Json:
    """A mask for an image: the bypassed node passes on what fits the one who finally takes it."""
    return ui(
        [
            photo(1),
            node(
                2,
                "ImageCompositeMasked",
                linked("destination", None, "IMAGE"),
                linked("source", 8, "IMAGE"),
                linked("mask", 7, "MASK"),
                values=(0, 0, False),
                mode=4,
                outputs=["IMAGE"],
            ),
            node(3, "Reroute", linked("", 9), outputs=["IMAGE"]),
            save(9, 10),
        ],
        [
            [7, 1, 1, 2, 2, "MASK"],
            [8, 1, 0, 2, 1, "IMAGE"],
            [9, 2, 0, 3, 0, "IMAGE"],
            [10, 3, 0, 9, 0, "IMAGE"],
        ],
    )


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


# Texts


def said(text: str, *more: Json, links: Sequence[Sequence[object]] = ()) -> Json:
    """A prompt of the kind in which words are chosen."""
    return ui(
        [
            node(4, "CheckpointLoaderSimple", values=("m/o.ckpt",), outputs=["MODEL", "CLIP", "VAE"]),
            node(1, "CLIPTextEncode", linked("clip", 1, "CLIP"), values=(text,), outputs=["CONDITIONING"]),
            *more,
        ],
        [[1, 4, 1, 1, 0, "CLIP"], *(list(li) for li in links)],
    )


def named(prefix: str, *more: Json, links: Sequence[Sequence[object]] = ()) -> Json:
    """A picture is saved under `prefix`; what it may name stands around."""
    sockets = [linked(n, None, t) for n, t in (("model", "MODEL"), ("positive", "CONDITIONING"))]
    return ui(
        [
            photo(2, title="Pic Ture"),
            save(9, 9, prefix),
            node(5, "EmptyLatentImage", values=(64, 32, 1), outputs=["LATENT"]),
            node(6, "EmptyLatentImage", values=(65, 33, 1), outputs=["LATENT"], title="Second"),
            node(3, "KSampler", *sockets, values=(7, "fixed", 20, 8.0, "euler", "normal", 0.00001), outputs=["LATENT"]),
            node(
                4,
                "CheckpointLoaderSimple",
                values=("m/o:d.ckpt",),
                outputs=["MODEL", "CLIP", "VAE"],
                properties={"Node name for S&R": "CK"},
            ),
            *more,
        ],
        [[9, 2, 0, 9, 0, "IMAGE"], *(list(li) for li in links)],
    )


def named_by_primitive() -> Json:
    """The width that the prefix names is set by a primitive."""
    latent = node(7, "EmptyLatentImage", widget("width", 3), values=(1, 2, 3), outputs=["LATENT"], title="Fed")
    number = primitive(8, 96, "width", title="Number")
    return named("%Fed.width%_%Number.value%_%PrimitiveNode.value%", latent, number, links=[[3, 8, 0, 7, 0, "INT"]])


def named_in_subgraph() -> Json:
    """A node inside a subgraph is named, and its host."""
    workflow = promoted(6)
    inner = workflow["definitions"]["subgraphs"][0]["nodes"][0]
    inner |= {"title": "Inner", "properties": {"Node name for S&R": "Soft"}}
    workflow["nodes"][1]["title"] = "Host"
    workflow["nodes"][2]["widgets_values"] = ["%Soft.sigma%_%Inner.sigma%_%Host.blur_radius%"]
    return workflow


def saved_in_subgraph() -> Json:
    """The save node stands inside, and names a node outside."""
    inner = subgraph(
        UUID, [save(5, 80, "%Pic Ture.image%_{a|b}")], [[80, -10, 0, 5, 0, "IMAGE"]], [slot("image", "IMAGE", 80)], []
    )
    host = node(2, UUID, linked("image", 8, "IMAGE"))
    return ui([photo(1, title="Pic Ture"), host], [[8, 1, 0, 2, 0, "IMAGE"]], definitions={"subgraphs": [inner]})


def promoted_text() -> Json:
    """A prompt with choices that a host sets."""
    inner = subgraph(
        UUID,
        [
            node(
                5,
                "CLIPTextEncode",
                linked("clip", 80, "CLIP"),
                widget("text", 81, "STRING"),
                values=("{x|y}",),
                outputs=["CONDITIONING"],
            )
        ],
        [[80, -10, 0, 5, 0, "CLIP"], [81, -10, 1, 5, 1, "STRING"], [90, 5, 0, -20, 0, "CONDITIONING"]],
        [slot("clip", "CLIP", 80), slot("text", "STRING", 81)],
        [slot("CONDITIONING", "CONDITIONING", 90)],
    )
    host = node(
        2,
        UUID,
        linked("clip", 1, "CLIP"),
        widget("text", None, "STRING"),
        values=("{a|b} // c",),
        outputs=["CONDITIONING"],
    )
    loader = node(4, "CheckpointLoaderSimple", values=("m/o.ckpt",), outputs=["MODEL", "CLIP", "VAE"])
    return ui([loader, host], [[1, 4, 1, 2, 0, "CLIP"]], definitions={"subgraphs": [inner]})


def primitive_text() -> Json:
    """Choices that a primitive writes into a prompt."""
    words = primitive(7, "{a|b} /* c */", "text", "STRING")
    workflow = said("own", words, links=[[2, 7, 0, 1, 1, "STRING"]])
    workflow["nodes"][1]["inputs"].append(widget("text", 2, "STRING"))
    return workflow


def replacing_primitive() -> Json:
    """Names in a primitive's text, and choices around them."""
    workflow = primitive_text()
    workflow["nodes"][2]["widgets_values"] = ["{a|b} %CheckpointLoaderSimple.ckpt_name%"]
    workflow["nodes"][2]["properties"] = {"Run widget replace on values": True}
    return workflow


def between_steps() -> Json:
    """Numbers of primitives that the widgets round."""
    sockets = [linked(n, None, t) for n, t in (("model", "MODEL"), ("positive", "CONDITIONING"))]
    return ui(
        [
            primitive(1, 99, "width"),
            primitive(2, 7.25, "cfg", "FLOAT"),
            primitive(3, 0.126, "denoise", "FLOAT"),
            node(5, "EmptyLatentImage", widget("width", 1), values=(64, 33, 1), outputs=["LATENT"]),
            node(
                6,
                "KSampler",
                *sockets,
                widget("cfg", 2, "FLOAT"),
                widget("denoise", 3, "FLOAT"),
                values=(7, "fixed", 20, 8.0, "euler", "normal", 1.0),
                outputs=["LATENT"],
            ),
        ],
        [[1, 1, 0, 5, 0, "INT"], [2, 2, 0, 6, 2, "FLOAT"], [3, 3, 0, 6, 3, "FLOAT"]],
    )


TEXTS: Mapping[str, Json] = {
    "choices": said("a {b|c} {d|{e|f}} {|g}"),
    "choice of one": said("{only} {{x}} {}"),
    "escapes": said(r"\{a\|b\} \| {c\|d|e\}f} \\ \n"),
    "comments": said("a /* no\n{x|y} */ b // end {x|y}\nz {p/*q|r*/|s} // a\u2028b\nc http://x"),
    "unclosed": said("a {b|c"),
    "closed twice": said("a } b | c {d|e}}"),
    "nothing": said(""),
    "primitive with choices": primitive_text(),
    "primitive that replaces names": replacing_primitive(),
    "promoted choices": promoted_text(),
    "dates": named("%date:yyyy-MM-dd hh.mm.ss%_%date:yy.M.d.h.m.s%_%date:yyy y MMM%_%date:%_%dates%"),
    "names": named("%CK.ckpt_name%_%Pic Ture.image%_%LoadImage.image%_%EmptyLatentImage.width%_%Second.width%"),
    "numbers": named("%KSampler.cfg%_%KSampler.denoise%_%KSampler.seed%_%KSampler.control_after_generate%"),
    "not names": named("%No.x%_%width%_%CK.no%_%a.b.c%_%%_100%_%SaveImage.filename_prefix%_%Load Image.image%"),
    "a primitive's name": named_by_primitive(),
    "a name in a subgraph": named_in_subgraph(),
    "a prefix in a subgraph": saved_in_subgraph(),
}


GRAPHS: Mapping[str, Json] = {
    "group": sampled(sampling(), GIVEN),
    "group without values": sampled(sampling(), ()),
    "group with a widget made an input": converted_group(),
    "group used twice": group_twice(),
    "group with names of its own": group_configured(),
    "group with a primitive": group_primitive(),
    "group with an upload": group_upload(),
    "group that saves": group_with_output_node(),
    "group fed by a Get": set_into_group(),
    "set and get": one_pair(),
    "get of nothing": one_pair(asked="b"),
    "get without a name": one_pair(asked=""),
    "set of nothing": one_pair(given=False),
    "muted set": one_pair(setter_mode=2),
    "bypassed set": one_pair(setter_mode=4),
    "bypassed get": one_pair(getter_mode=4),
    "set of a bypassed node": set_of_bypassed(),
    "set that passes on": set_passes_on(),
    "set twice": set_twice(),
    "chain of sets and gets": chain_of_gets(),
    "get of nothing in a subgraph": get_of_nothing_in_subgraph(),
    "set in a subgraph and around it": both_in_subgraph(),
    "reroute of a bypassed node": rerouted(),
    "numbers between steps": between_steps(),
    "promoted widget": promoted(6),
    "promoted widget fed by a primitive": promoted(None),
}


LOST: Mapping[str, frozenset[tuple[str, str]]] = {
    "group used twice": frozenset({("8:0", "image")}),
    "group fed by a Get": frozenset({("7:0", "image"), ("8:0", "image")}),
}
"""Links, as (node, input), that frontend 1.32.9 forgets: into a group node from another one, or from a virtual node.

Older and newer frontends send them (checked with 1.58.1), and the server refuses prompts without them.
"""
