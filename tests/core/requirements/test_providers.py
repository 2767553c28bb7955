import pytest

from pycomfy.core.requirements.model import Provenance, RequiredNode
from pycomfy.core.requirements.providers import match_providers
from pycomfy.errors import BadConfig, ErrorGroup, Fix, Placeholder, PycomfyError, UnknownNode


def node(id_: str, type_: str, title: str = "", pack: Provenance | None = None) -> RequiredNode:
    return RequiredNode(id_, type_, title or type_, "runs", pack)


def _pack(error: PycomfyError) -> object:
    """The node pack that the first fix would lock `w.json` with."""
    fix = error.fixes[0]
    assert isinstance(fix, Fix) and (fix.action, fix.arguments["workflow"]) == ("lock", "w.json")
    return fix.arguments["pack"]


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
    assert first.where == "node 3, node 4 of w.json" and _pack(first) == Placeholder("NAME=URL")
    assert second.where == "node 7 (My title) of w.json" and "owner/repo" in second.what
    assert _pack(second) == Placeholder("repo=URL") and "packs.repo = {" in second.fix


def test_a_type_of_two_packs_names_both() -> None:
    with pytest.raises(BadConfig, match="several node packs have the node type 'A': x and y"):
        match_providers([node("1", "A")], (), {"y": {"A"}, "x": {"A"}}, "w")


def test_a_name_from_the_workflow_is_no_more_than_a_name() -> None:
    """It may come from a stranger: `$(x)` and the like are not in it."""
    stated = Provenance(aux_id="owner/$(touch x); y")
    with pytest.raises(UnknownNode) as e:
        match_providers([node("7", "B", "My title", stated)], (), {}, "w.json")
    assert _pack(e.value) == Placeholder("touch-x-y=URL")
