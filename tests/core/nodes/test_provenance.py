from pycomfy.core.nodes.pack_resolution import Knowledge
from pycomfy.core.nodes.provenance import newer_core, pack_references, read_provenance, sort_versions
from pycomfy.core.requirements.model import Provenance, RequiredNode
from tests.support.catalog_maps import A, some


def node(pack: Provenance | None) -> RequiredNode:
    return RequiredNode("1", "T", "T", "runs", pack)


def test_references_are_those_of_packs() -> None:
    nodes = [node(None), node(Provenance("comfy-core")), node(Provenance("x", "o/r")), node(Provenance("x"))]
    assert pack_references(nodes) == ("x", "o/r")


def test_an_address_goes_before_an_id() -> None:
    listings = {p.url: p for p in some()}
    said = read_provenance([node(Provenance("a", "fork/a", "1.0"))], Knowledge(named={"a": listings[A]}))
    assert [p.url for p in said.packs] == ["https://github.com/fork/a"] and said.versions == ("1.0",)


def test_versions_are_newest_first_and_commits_before_them() -> None:
    commit = "f" * 40
    assert sort_versions(["1.9", "1.10", commit, "junk!", "1.9"]) == (commit, "1.10", "1.9", "junk!")


def test_a_comfyui_newer_than_the_pinned_one_is_noticed() -> None:
    nodes = [node(Provenance("comfy-core", None, v)) for v in ("0.3.9", "0.3.75", None, "f" * 40)]
    assert newer_core(nodes, "0.3.10") == "0.3.75" and newer_core(nodes, "0.3.75") is None
    assert newer_core([node(Provenance("x", None, "9"))], "1") is None and newer_core(nodes, "unknown") is None
