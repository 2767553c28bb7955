import pytest

from pycomfy.core.requirements.model import Provenance, RequiredNode
from pycomfy.core.requirements.providers import match_providers
from pycomfy.errors import BadConfig, ErrorGroup, UnknownNode


def node(id_: str, type_: str, title: str = "", pack: Provenance | None = None) -> RequiredNode:
    return RequiredNode(id_, type_, title or type_, "runs", pack)


def test_each_type_goes_to_the_pack_that_has_it() -> None:
    nodes = [node("1", "A"), node("2", "B"), node("3", "A"), node("4", "Core")]
    assert match_providers(nodes, {"Core"}, {"x": {"A", "Z"}, "y": {"B"}, "z": set()}, "w") == {
        "x": ("A",),
        "y": ("B",),
        "z": (),
    }


def test_built_in_types_are_never_a_packs() -> None:
    assert match_providers([node("1", "Core")], {"Core"}, {"x": {"Core"}, "y": {"Core"}}, "w") == {"x": (), "y": ()}


def test_nodes_that_do_not_run_need_nobody() -> None:
    assert (
        match_providers([RequiredNode("1", "A", "A", "muted"), RequiredNode("2", "B", "B", "bypassed")], (), {}, "w")
        == {}
    )


def test_every_unknown_type_is_told_with_its_nodes_and_a_way_out() -> None:
    said = Provenance(aux_id="owner/repo")
    with pytest.raises(ErrorGroup) as e:
        match_providers([node("7", "B", "My title", said), node("3", "A"), node("4", "A")], (), {}, "w.json")
    first, second = e.value.problems
    assert isinstance(first, UnknownNode) and isinstance(second, UnknownNode)
    assert first.where == "node 3, node 4 of w.json" and "--pack NAME=URL" in first.fix
    assert second.where == "node 7 (My title) of w.json" and "owner/repo" in second.what
    assert "--pack repo=" in second.fix and "packs.repo = {" in second.fix


def test_a_type_of_two_packs_names_both() -> None:
    with pytest.raises(BadConfig, match="x and y both"):
        match_providers([node("1", "A")], (), {"y": {"A"}, "x": {"A"}}, "w")
