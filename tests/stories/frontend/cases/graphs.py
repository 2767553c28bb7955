"""All graphs of ours, and what the frontend of the image does not send of them."""

from collections.abc import Mapping

from tests.stories.frontend.cases.getters import GETTERS
from tests.stories.frontend.cases.groups import GROUPS
from tests.stories.frontend.cases.pieces import photo, primitive, promoted, save
from tests.stories.frontend.cases.widgets import WIDGETS
from tests.support.graphs import Json, linked, node, ui, widget


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


GRAPHS: Mapping[str, Json] = {
    **GROUPS,
    **GETTERS,
    **WIDGETS,
    "reroute of a bypassed node": rerouted(),
    "numbers between steps": between_steps(),
    "promoted widget": promoted(6),
    "promoted widget fed by a primitive": promoted(None),
}

LOST: Mapping[str, frozenset[tuple[str, str]]] = {
    "group used twice": frozenset({("8:0", "image")}),
    "group with a bypassed node": frozenset({("9", "images")}),
    "group fed by a Get": frozenset({("7:0", "image"), ("8:0", "image")}),
}
"""Links, as (node, input), that frontend 1.32.9 forgets: into a group node from another one or from a virtual node, and
out of a bypassed node in a group. 1.58.1 sends them, and the server refuses prompts without them."""
