"""Which output nodes of a graph can run apart."""

from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pycomfy.gateway.graph.branches import Branch, find_branches, join_branches

TYPES: dict[str, Any] = {
    "Save": {"output_node": True, "input": {"required": {"images": ["IMAGE"], "name": ["STRING", {}]}}},
    "Show": {"output_node": True, "input": {"required": {"images": ["IMAGE"], "format": [["png", "jpg"], {}]}}},
    "Paint": {"output_node": False, "input": {"required": {"seed": ["INT", {}]}}},
    "Load": {"output_node": False, "input": {"required": {"model": [["a.safetensors"], {}]}}},
}


def node(kind: str, **inputs: object) -> dict[str, object]:
    return {"class_type": kind, "inputs": inputs}


def branches(graph: dict[str, Any], *, share_models: bool = False) -> list[tuple[tuple[str, ...], set[str]]]:
    return [(b.targets, set(b.nodes)) for b in find_branches(graph, TYPES, share_models=share_models)]


def test_output_nodes_that_need_nothing_of_each_other_are_apart() -> None:
    graph = {
        "1": node("Paint", seed=1),
        "2": node("Show", images=["1", 0]),
        "3": node("Paint", seed=1),
        "4": node("Show", images=["3", 0]),
        "5": node("Paint", seed=1),
    }
    assert branches(graph) == [(("2",), {"1", "2"}), (("4",), {"3", "4"})], "what nothing needs is in none"


def test_output_nodes_with_a_common_source_are_together() -> None:
    graph = {"1": node("Paint"), "2": node("Show", images=["1", 0]), "3": node("Show", images=["1", 0])}
    assert branches(graph) == [(("2", "3"), {"1", "2", "3"})]


def test_a_node_that_no_output_needs_joins_nothing() -> None:
    graph = {
        "1": node("Paint"),
        "2": node("Show", images=["1", 0]),
        "3": node("Paint"),
        "4": node("Show", images=["3", 0]),
        "5": node("Paint", a=["1", 0], b=["3", 0]),
    }
    assert [targets for targets, _ in branches(graph)] == [("2",), ("4",)]


def two(one: object, other: object, kind: str = "Save") -> dict[str, Any]:
    return {"1": node(kind, name=one, format="png"), "2": node(kind, name=other, format="png"), "3": node("Paint")}


def test_output_nodes_that_could_write_files_of_one_name_are_together() -> None:
    assert len(branches(two("a", "b"))) == 2
    assert len(branches(two("a", "a"))) == 1
    assert len(branches(two("a", "./x/../a"))) == 1
    assert len(branches(two("2026", "%year%"))) == 1
    assert len(branches(two("a", "../output/a"))) == 1
    assert len(branches(two("a", "/data/output/a"))) == 1
    assert len(branches(two("a", "a", "Show"))) == 2, "it has no free text"


def test_a_linked_name_may_be_any() -> None:
    assert len(branches(two("a", ["3", 0]))) == 1
    assert len(branches({**two(["3", 0], "a"), "4": node("Save", name="b"), "5": node("Show")})) == 2


def test_loaders_of_models_may_be_in_several_branches() -> None:
    graph = {
        "1": node("Load", model="a.safetensors"),
        "2": node("Show", images=["1", 0]),
        "3": node("Show", images=["1", 0]),
        "4": node("Load", model="b.safetensors", like=["1", 0]),
        "5": node("Show", images=["4", 0]),
    }
    assert len(branches(graph)) == 1
    assert branches(graph, share_models=True) == [
        (("2",), {"1", "2"}),
        (("3",), {"1", "3"}),
        (("5",), {"1", "4", "5"}),
    ]
    assert len(branches({**graph, "3": node("Show", images=["4", 0])}, share_models=True)) == 2, "4 has a link"


def test_any_graph_is_understood() -> None:
    assert branches({}) == []
    assert branches({"1": None, "2": {"class_type": []}, "3": {"class_type": "Show", "inputs": []}}) == [
        (("3",), {"3"})
    ]
    circle = {"1": node("Show", a=["2", 0]), "2": node("Show", a=["1", 0]), "3": node("Show", a=["9", 0])}
    assert branches(circle) == [(("1", "2"), {"1", "2"}), (("3",), {"3"})]
    assert find_branches({"1": node("Show")}, {"Show": 1}) == []


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(1, 9))
def test_joined_branches_are_all_there_once_and_as_even_as_can_be(sizes: list[int], count: int) -> None:
    made = [Branch((str(n),), frozenset(f"{n}.{i}" for i in range(size))) for n, size in enumerate(sizes)]
    joined = join_branches(made, count)
    assert len(joined) == min(count, len(made))
    assert sorted(chain.from_iterable(b.targets for b in joined)) == sorted(t for b in made for t in b.targets)
    assert all(b.nodes == frozenset().union(*(made[int(t)].nodes for t in b.targets)) for b in joined)
    lengths = [len(b.nodes) for b in joined]
    assert max(lengths) - min(lengths) <= max(sizes)
