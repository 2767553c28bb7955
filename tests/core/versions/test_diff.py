"""What changed, in the words of the domain."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.schema import parse_lock
from pycomfy.core.sources.path import PathSource
from pycomfy.core.versions.diff import Change, Diff, Moved, NodeChanges, diff, diff_nodes
from pycomfy.core.versions.diff_text import describe_diff, describe_image, summarise
from pycomfy.core.versions.node_view import NodeView, read_prompt_nodes
from pycomfy.core.versions.snapshot import Snapshot, read_snapshot
from tests.support.service_projects import PROMPT, make_files, make_image, node, with_steps

VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | st.text(max_size=3)
NODES = st.builds(
    NodeView,
    st.just(""),
    st.sampled_from(("A", "B")),
    st.just("title"),
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    st.dictionaries(st.sampled_from("xyz"), st.sampled_from(("1[0]", "2[1]")), max_size=3),
)
GRAPHS = st.dictionaries(st.sampled_from("12345"), NODES, max_size=5).map(
    lambda graph: {id_: replace(node, id=id_) for id_, node in graph.items()}
)


def snapshot(prompt: Mapping[str, Any] = PROMPT, label: str = "hello@1", **pins: Any) -> Snapshot:
    return read_snapshot(label, make_files("hello", prompt, **pins))


def apply_nodes(nodes: Mapping[str, NodeView], changes: NodeChanges) -> dict[str, NodeView]:
    """The nodes that `changes` make of others."""
    made = {id_: node for id_, node in nodes.items() if id_ not in {n.id for n in changes.removed}}
    for retyped in changes.retyped:
        made[retyped.node] = replace(made[retyped.node], type=retyped.new)
    for field, listed in (("values", changes.parameters), ("links", changes.rewired)):
        for change in listed:
            inputs = dict(getattr(made[change.node], field))
            if change.removed:
                del inputs[change.input]
            else:
                inputs[change.input] = change.new
            fields: dict[str, Any] = {field: inputs}
            made[change.node] = replace(made[change.node], **fields)
    return {**made, **{n.id: n for n in changes.added}}


def as_json(nodes: Mapping[str, NodeView]) -> str:
    """For a comparison in which 1 is not True."""
    return json.dumps({id_: [n.type, n.values, n.links] for id_, n in nodes.items()}, sort_keys=True, default=dict)


@given(GRAPHS)
def test_nodes_do_not_differ_from_themselves(nodes: dict[str, NodeView]) -> None:
    assert diff_nodes(nodes, copy.deepcopy(nodes)) == NodeChanges()


@given(GRAPHS, GRAPHS)
def test_the_changes_make_the_one_of_the_other(old: dict[str, NodeView], new: dict[str, NodeView]) -> None:
    assert as_json(apply_nodes(old, diff_nodes(old, new))) == as_json(new)


@given(GRAPHS, GRAPHS)
def test_the_way_back_is_the_reverse(old: dict[str, NodeView], new: dict[str, NodeView]) -> None:
    there, back = diff_nodes(old, new), diff_nodes(new, old)
    assert {n.id for n in there.added} == {n.id for n in back.removed}
    assert {(c.node, c.input, str(c.old), str(c.new)) for c in there.parameters} == {
        (c.node, c.input, str(c.new), str(c.old)) for c in back.parameters
    }


@given(st.recursive(VALUES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3)))
def test_anything_may_stand_where_a_prompt_should(value: Any) -> None:
    for prompt in (value, {"1": value}, {"1": {"class_type": value, "inputs": value, "_meta": value}}):
        if isinstance(prompt, dict):
            diff_nodes(read_prompt_nodes(prompt), {})


def test_a_version_does_not_differ_from_itself() -> None:
    found = diff(snapshot(), snapshot())
    assert found.empty and found == Diff("hello@1", "hello@1", NodeChanges())
    assert describe_diff(found) == []
    assert summarise(found) == "the same, built by another pycomfy"


def test_a_parameter_changes_from_old_to_new() -> None:
    found = diff(snapshot(), snapshot(with_steps(30)))
    assert found.nodes == NodeChanges(parameters=(Change("2", "KSampler", "", "steps", 20, 30),))
    assert describe_diff(found) == ["node 2 (KSampler): steps 20 → 30"]


def test_one_is_neither_true_nor_a_float() -> None:
    found = diff(snapshot(), snapshot({**PROMPT, "2": node("KSampler", steps=20, cfg=1, latent=["1", 0])}))
    assert [(c.old, c.new) for c in found.nodes.parameters] == [(1.0, 1)]


def test_nodes_are_added_removed_rewired_and_retyped() -> None:
    new = {
        "1": node("LoadImageMask", image="a.png"),
        "2": node("KSampler", steps=20, cfg=1.0, latent=["4", 1]),
        "4": node("VAEEncode", pixels=["1", 0]),
    }
    found = diff(snapshot(), snapshot(new))
    assert describe_diff(found) == [
        "node 4 added: VAEEncode",
        "node 3 removed: SaveImage",
        "node 1: LoadImage → LoadImageMask",
        "node 2 (KSampler): latent linked to 4[1], was 1[0]",
    ]
    assert summarise(found).endswith("; and 1 more")


def test_packs_and_packages_move() -> None:
    found = diff(snapshot(pack="a"), snapshot(pack="b", torch="2.9.1"))
    assert describe_diff(found) == [
        "node pack painter: aaaaaaaaaaaa of https://x.test/p → bbbbbbbbbbbb of https://x.test/p",
        "package torch: 2.9.0 (bbbbbbbbbbbb) → 2.9.1 (bbbbbbbbbbbb)",
    ]
    assert diff(snapshot(pack=None), snapshot()).packs == (Moved("painter", None, "dddddddddddd of https://x.test/p"),)


def test_a_package_of_one_platform_names_it() -> None:
    files = make_files("hello")
    data = json.loads(files["pycomfy.lock"])
    data["platforms"]["linux/arm64"] = copy.deepcopy(data["platforms"]["linux/amd64"])
    two = {**files, "pycomfy.lock": json.dumps(data).encode()}
    data["platforms"]["linux/arm64"]["root"]["packages"][0]["version"] = "2"
    moved = {**files, "pycomfy.lock": json.dumps(data).encode()}
    (package,) = diff(read_snapshot("a", two), read_snapshot("b", moved)).debian
    assert (package.name, package.platforms) == ("tini", ("linux/arm64",))
    (setting,) = diff(read_snapshot("a", files), read_snapshot("b", two)).settings
    assert setting == Moved("platforms", "linux/amd64", "linux/amd64, linux/arm64")


def test_comfyui_moves_with_its_version_and_source() -> None:
    old = snapshot()
    source = PathSource(path="comfyui", tree="sha256-" + "B" * 43 + "=")
    comfyui = old.lock.comfyui.model_copy(update={"version": "0.4.0", "source": source})
    new = replace(old, lock=old.lock.model_copy(update={"comfyui": comfyui}))
    assert describe_diff(diff(old, new)) == [
        "ComfyUI 0.3.75 (AAAAAAAAAAAA of comfyui) → 0.4.0 (BBBBBBBBBBBB of comfyui)",
    ]


def test_images_are_compared_by_their_layers() -> None:
    old = replace(snapshot(), images={"linux/amd64": make_image("root", "torch:1", "workflow:1", size=2_000_000_000)})
    new = replace(snapshot(), images={"linux/amd64": make_image("root", "torch:1", "workflow:2", size=3_000_000_000)})
    (image,) = diff(old, new).images
    assert (image.shared, image.added, image.removed) == (2, ("workflow",), ("workflow",))
    assert describe_image(image) == "linux/amd64: 2.00 GB → 3.00 GB, 2 layers shared, other: workflow"


UI = {
    "version": 0.4,
    "last_node_id": 2,
    "last_link_id": 1,
    "nodes": [
        {"id": 1, "type": "A", "pos": [0, 0], "mode": 0, "widgets_values": [5, "x"],
         "outputs": [{"name": "o", "type": "T", "links": [1]}]},
        {"id": 2, "type": "B", "pos": [0, 0], "mode": 0, "inputs": [{"name": "i", "type": "T", "link": 1}]},
    ],
    "links": [[1, 1, 0, 2, 0, "T"]],
}  # fmt: skip


def from_editor(change: Any = None) -> Snapshot:
    """A version without a prompt: nobody asked its image for its nodes."""
    workflow = copy.deepcopy(UI)
    if change is not None:
        change(workflow)
    files = make_files("hello", workflow)
    del files["prompt.json"]
    return read_snapshot("hello@1", files)


def test_without_a_prompt_the_editors_nodes_are_compared() -> None:
    def change(workflow: Any) -> None:
        workflow["nodes"][0]["widgets_values"][0] = 6
        workflow["links"] = []
        workflow["nodes"][1]["inputs"][0]["link"] = None

    assert describe_diff(diff(from_editor(), from_editor(change))) == [
        "node 2 (B): i is not linked any more, was 1[0]",
        "node 1 (A): widget 1 5 → 6",
    ]


def test_what_only_moved_on_the_canvas_is_layout() -> None:
    def change(workflow: Any) -> None:
        workflow["nodes"][0]["pos"] = [100, 100]

    found = diff(from_editor(), from_editor(change))
    assert found.nodes == NodeChanges(layout=True) and not found.empty
    assert describe_diff(found) == ["the workflow's layout"]


def test_a_muted_node_is_not_a_removed_one() -> None:
    def change(workflow: Any) -> None:
        workflow["nodes"][1]["mode"] = 2

    old, new = from_editor(), from_editor(change)
    assert describe_diff(diff(old, new)) == ["node 2 (B): muted"]
    assert describe_diff(diff(new, old)) == ["node 2 (B): runs again"]
    prompt = {"1": node("A", value=5), "2": node("B", i=["1", 0])}
    with_prompts = diff(replace(old, prompt=prompt), replace(new, prompt={"1": prompt["1"]}))
    assert describe_diff(with_prompts) == ["node 2 (B): muted"]


def test_the_pin_of_the_workflow_alone_is_no_change_of_the_lock() -> None:
    old, new = snapshot(), snapshot(with_steps(21))
    assert parse_lock(make_files("hello")["pycomfy.lock"].decode()).workflow != new.lock.workflow
    assert diff(old, new).settings == ()
