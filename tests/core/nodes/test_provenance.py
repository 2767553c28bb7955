import pytest

from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_resolution import Knowledge
from pycomfy.core.nodes.provenance import newer_core, newest, pack_references, read_provenance, sort_versions
from pycomfy.core.requirements.model import Provenance, RequiredNode
from tests.support.catalog_maps import CORE, A, B, some

LISTINGS = {p.url: p for p in some()}
NAMED = {"a": LISTINGS[A], "b": LISTINGS[B], "core": LISTINGS[CORE]}


def node(pack: Provenance | None) -> RequiredNode:
    return RequiredNode("1", "T", "T", "runs", pack)


def test_references_are_those_of_packs() -> None:
    nodes = [node(None), node(Provenance("comfy-core")), node(Provenance("x", "o/r")), node(Provenance("x"))]
    assert pack_references(nodes) == ("x", "o/r")


def test_an_address_goes_before_an_id() -> None:
    said = read_provenance([node(Provenance("a", "fork/a", "1.0"))], Knowledge(named=NAMED))
    assert [p.url for p in said.packs] == ["https://github.com/fork/a"] and said.versions == ("1.0",)


def test_versions_are_newest_first_and_commits_before_them() -> None:
    commit = "f" * 40
    assert sort_versions(["1.9", "1.10", commit, "junk!", "1.9"]) == (commit, "1.10", "1.9", "junk!")
    assert sort_versions(["junk!", "0.dev1", "0"]) == ("0", "0.dev1", "junk!"), "what is no version is the last"


def test_a_comfyui_newer_than_the_pinned_one_is_noticed() -> None:
    nodes = [node(Provenance("comfy-core", None, v)) for v in ("0.3.9", "0.3.75", None, "f" * 40)]
    assert newer_core(nodes, "0.3.10") == "0.3.75" and newer_core(nodes, "0.3.75") is None
    assert newer_core([node(Provenance("x", None, "9"))], "1") is None and newer_core(nodes, "unknown") is None


def test_a_node_without_provenance_changes_nothing_for_the_others() -> None:
    assert read_provenance([node(None), node(Provenance("a"))], Knowledge(named=NAMED)).packs == (LISTINGS[A],)
    assert newer_core([node(None), node(Provenance("comfy-core", None, "2"))], "1") == "2"
    assert pack_references([node(None), node(Provenance(None, "o/r"))]) == ("o/r",)


def test_nodes_of_comfyui_have_its_versions_and_no_pack() -> None:
    nodes = [node(Provenance("comfy-core", None, "1.0")), node(Provenance("comfy-core")), node(Provenance("a"))]
    said = read_provenance(nodes, Knowledge(named=NAMED))
    assert (said.core, said.packs, said.versions, said.by_pack) == (True, (LISTINGS[A],), ("1.0",), {})
    assert not read_provenance([node(Provenance("a"))], Knowledge(named=NAMED)).core
    assert read_provenance([], Knowledge()).core is False


def test_comfyui_s_own_repository_is_comfyui_and_no_pack() -> None:
    said = read_provenance([node(Provenance("core")), node(Provenance("a"))], Knowledge(named=NAMED))
    assert (said.core, said.packs) == (True, (LISTINGS[A],))


def test_the_versions_of_each_pack_are_its_own() -> None:
    nodes = [node(Provenance(*one)) for one in (("a", None, "1.0"), ("b", None, "2.0"), ("a", None, "1.1"), ("b",))]
    said = read_provenance(nodes, Knowledge(named=NAMED))
    assert said.versions == ("2.0", "1.1", "1.0")
    assert (said.versions_of(LISTINGS[A]), said.versions_of(LISTINGS[B])) == (("1.1", "1.0"), ("2.0",))
    assert said.versions_of(LISTINGS[CORE]) == ()


def test_an_unknown_pack_is_named_by_its_id_and_its_address_with_its_versions() -> None:
    nodes = [node(Provenance("x", "ssh://h/o/r", "1.0")), node(Provenance("x", None, "2.0")), node(Provenance("y"))]
    said = read_provenance(nodes, Knowledge())
    assert said.unknown_names == ("x", "ssh://h/o/r", "y")
    assert (said.unknown_versions, said.versions, said.packs, said.core) == (("2.0", "1.0"), (), (), False)


@pytest.mark.parametrize(
    ("names", "listing", "expected"),
    [
        (("My_Pack",), Listing("github.com/o/my-pack", "u"), ("1.0",)),
        (("its.id",), Listing("github.com/o/r", "u", registry_id="Its-ID"), ("1.0",)),
        (("its.id", "r"), Listing("github.com/o/r", "u", registry_id="Its-ID"), ("1.0",)),
        (("its.id", "other"), Listing("github.com/o/r", "u", registry_id="Its-ID"), ()),
        (("r2",), Listing("github.com/o/r", "u"), ()),
    ],
)
def test_the_versions_of_an_unknown_pack_are_those_of_one_that_has_all_its_names(
    names: tuple[str, ...], listing: Listing, expected: tuple[str, ...]
) -> None:
    said = read_provenance([node(Provenance(name, None, "1.0")) for name in names], Knowledge())
    assert said.versions_of(listing) == expected
    known = read_provenance([*(node(Provenance(name, None, "1.0")) for name in names), node(Provenance("a"))],
                            Knowledge(named=NAMED))  # fmt: skip
    assert known.versions_of(listing) == ()


def test_an_address_that_the_catalog_knows_is_its_pack_there() -> None:
    said = read_provenance([node(Provenance("b", "old/A", "1"))], Knowledge(named={**NAMED, "old/A": LISTINGS[A]}))
    assert said.packs == (LISTINGS[A],)


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/o/r/blob/main/node.py",
        "https://gist.github.com/o/r",
        "https://intranet/o/r",
        "ssh://h/o/r",
        "-x",
    ],
)
def test_an_address_that_is_no_repository_of_a_forge_is_not_taken_and_the_id_is(address: str) -> None:
    said = read_provenance([node(Provenance("a", address))], Knowledge(named=NAMED))
    assert said.packs == (LISTINGS[A],)
    assert read_provenance([node(Provenance(None, address))], Knowledge(named=NAMED)).packs == ()


def test_the_newest_of_versions_is_a_commit_where_there_is_one() -> None:
    assert newest("1.0", None, "1.1") == "1.1" and newest("1.0", "a" * 40) == "a" * 40 and newest(None) is None
    commits = ("b" * 40, "a" * 40)
    assert sort_versions(("0.1", *reversed(commits), "x", "y", "1rc1", "1")) == (*commits, "1", "1rc1", "0.1", "y", "x")


def test_a_commit_of_comfyui_is_no_newer_version() -> None:
    commits = [node(Provenance("comfy-core", None, "f" * 40))]
    assert newer_core(commits, "1.0") is None
    assert newer_core([*commits, node(Provenance("comfy-core", None, "1.1"))], "1.0") == "1.1"
    assert newer_core([node(Provenance("comfy-core", None, "1.0"))], "1.0") is None
