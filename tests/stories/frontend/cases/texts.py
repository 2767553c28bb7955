"""Texts that the editor changes when it sends them."""

from collections.abc import Mapping, Sequence

from tests.stories.frontend.cases.pieces import UUID, photo, primitive, promoted, save
from tests.support.graphs import Json, linked, node, slot, subgraph, ui, widget


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
