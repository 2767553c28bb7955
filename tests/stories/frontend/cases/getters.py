"""Set and Get, of the pack in `packs`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.stories.frontend.cases.groups import group_twice
from tests.stories.frontend.cases.pieces import blur, hosted, photo, save, soft
from tests.support.graphs import Json, linked, node, ui


def setter(id_: int, name: str, link: int | None, **more: Any) -> Json:
    return node(id_, "SetNode", linked("*", link), values=(name,), outputs=["*"], **more)


def getter(id_: int, name: str, **more: Any) -> Json:
    return node(id_, "GetNode", values=(name,), outputs=["*"], **more)


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


GETTERS: Mapping[str, Json] = {
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
}
