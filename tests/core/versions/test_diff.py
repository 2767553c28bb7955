"""What changed, in the words of the domain."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.schema import Lock, ModelFile, Pack, Step, Wheel, parse_lock
from pycomfy.core.sources.path import PathSource
from pycomfy.core.versions.diff import Change, Diff, ImageChange, Moved, NodeChanges, Retyped, diff, diff_nodes
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
    assert package == Moved("tini", f"1 ({'c' * 12})", f"2 ({'c' * 12})", ("linux/arm64",))
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


def relocked(snapshot: Snapshot, **changes: Any) -> Snapshot:
    """The same version with another lock."""
    return replace(snapshot, lock=snapshot.lock.model_copy(update=changes))


def on_platforms(wheels: Mapping[str, list[tuple[str, str]]]) -> Lock:
    """A lock with these packages: platform -> name and version."""
    lock = snapshot().lock
    (parts,) = lock.platforms.values()

    def make(name: str, version: str) -> Wheel:
        return parts.wheels[0].model_copy(update={"name": name, "version": version})

    platforms = {p: parts.model_copy(update={"wheels": tuple(make(*w) for w in ws)}) for p, ws in wheels.items()}
    return lock.model_copy(update={"platforms": platforms})


def moved_packages(old: Mapping[str, list[tuple[str, str]]], new: Mapping[str, list[tuple[str, str]]]) -> list[Any]:
    before, after = (replace(snapshot(), lock=on_platforms(wheels)) for wheels in (old, new))
    file = " (bbbbbbbbbbbb)"
    return [
        (m.name, m.old and m.old.removesuffix(file), m.new and m.new.removesuffix(file), m.platforms)
        for m in diff(before, after).packages
    ]


def test_the_settings_of_a_lock_are_told_by_their_names() -> None:
    old = snapshot()
    (parts,) = old.lock.platforms.values()
    other = parts.model_copy(update={"root": parts.root.model_copy(update={"suite": "trixie"})})
    new = relocked(
        old,
        name="other",
        as_of="2026-01-01T00:00:00Z",
        python="3.13",
        accelerator="cu128",
        compiler=True,
        platforms={"linux/arm64": other, "linux/amd64": parts},
    )
    found = diff(old, new)
    assert found.settings == (
        Moved("accelerator", "none", "cu128"),
        Moved("as-of", "2025-12-05T00:00:00Z", "2026-01-01T00:00:00Z"),
        Moved("compiler", "none", "in the image"),
        Moved("debian", "bookworm", "bookworm, trixie"),
        Moved("name", "hello", "other"),
        Moved("platforms", "linux/amd64", "linux/amd64, linux/arm64"),
        Moved("python", old.lock.python, "3.13"),
    )
    assert not found.empty


def test_any_change_of_what_an_image_is_made_from_is_a_change() -> None:
    old = snapshot()
    none = diff(old, old)
    for field in ("settings", "comfyui", "packs", "packages", "debian", "models", "gateway"):
        changed: dict[str, Any] = {field: (Moved("x", "1", "2"),)}
        assert not replace(none, **changed).empty
    image = ImageChange("linux/amd64", 1, 2, 0, (), ())
    assert replace(none, images=(image,)).empty


def test_models_are_told_by_their_place_and_the_beginning_of_their_hash() -> None:
    old = relocked(snapshot(), models=(ModelFile(folder="loras", name="b.pt", sha256="1" * 64),))
    new = relocked(
        old,
        models=(
            ModelFile(folder="loras", name="b.pt", sha256="2" * 64),
            ModelFile(folder="loras", name="a.pt", sha256="3" * 64),
        ),
    )
    assert diff(old, new).models == (Moved("loras/a.pt", None, "3" * 12), Moved("loras/b.pt", "1" * 12, "2" * 12))


def with_gateway(*versions: str) -> Snapshot:
    """A version whose gateway has a package for each of these."""
    plain = snapshot()
    pins = plain.lock.platforms["linux/amd64"]
    wheel = pins.wheels[0]
    gateway = tuple(wheel.model_copy(update={"name": f"kit{n}", "version": v}) for n, v in enumerate(versions))
    changed = pins.model_copy(update={"gateway": gateway})
    return replace(plain, lock=plain.lock.model_copy(update={"platforms": {"linux/amd64": changed}}))


def test_another_gateway_is_told_in_a_line_for_each_package_or_in_one_for_many() -> None:
    one = diff(with_gateway("1", "1"), with_gateway("1", "2"))
    assert not one.empty and one.packages == ()
    assert describe_diff(one) == ["the gateway's package kit1: 1 (bbbbbbbbbbbb) → 2 (bbbbbbbbbbbb)"]
    all_new = diff(with_gateway(), with_gateway(*"12345"))
    assert describe_diff(all_new) == ["5 packages of the gateway: kit0, kit1, kit2, …"]


def test_steps_of_a_pack_are_told_in_one_line_and_only_what_cannot_be_printed_is_escaped() -> None:
    def pack(*commands: tuple[str, ...]) -> Snapshot:
        one: Pack = snapshot().lock.packs[0].model_copy(update={"steps": tuple(Step(run=run) for run in commands)})
        return relocked(snapshot(), packs=(one,))

    (moved,) = diff(pack(), pack(("python", "é.py"), ("echo", "a\nb"))).packs
    pin = "dddddddddddd of https://x.test/p"
    assert moved == Moved("painter", pin, pin + ", then python 'é.py', then \"echo 'a\\nb'\"")


def test_packages_of_the_shared_platforms_are_compared_and_equal_changes_are_one() -> None:
    amd, arm = "linux/amd64", "linux/arm64"
    old = {amd: [("a", "1"), ("b", "1"), ("c", "1")], arm: [("a", "1"), ("b", "1"), ("d", "1")]}
    new = {amd: [("a", "2"), ("b", "2"), ("c", "1")], arm: [("a", "2"), ("b", "3"), ("d", "2")]}
    assert moved_packages(old, new) == [
        ("a", "1", "2", ()),
        ("b", "1", "2", (amd,)),
        ("b", "1", "3", (arm,)),
        ("d", "1", "2", (arm,)),
    ]
    assert moved_packages(
        {amd: [("a", "1"), ("b", "1")], arm: [("a", "1"), ("b", "1")]},
        {amd: [("a", "1"), ("b", "2")], arm: [("a", "2"), ("b", "1")]},
    ) == [("a", "1", "2", (arm,)), ("b", "1", "2", (amd,))]
    assert moved_packages({amd: old[amd], arm: []}, {arm: [("x", "1")]}) == [("x", None, "1", ())]
    assert moved_packages({amd: [("y", "1"), ("x", "1")]}, {amd: []}) == [("x", "1", None, ()), ("y", "1", None, ())]


def test_pins_are_told_in_the_order_of_their_names() -> None:
    names = [f"p{n}" for n in range(20)]
    one = snapshot().lock.packs[0]
    packs = tuple(one.model_copy(update={"name": name}) for name in reversed(names))
    assert [m.name for m in diff(relocked(snapshot(), packs=()), relocked(snapshot(), packs=packs)).packs] == sorted(
        names
    )


def test_only_prompts_of_both_versions_are_compared() -> None:
    """One of them has none where its image was not started."""

    def change(workflow: Any) -> None:
        workflow["nodes"][0]["widgets_values"][0] = 6

    old, new = from_editor(), from_editor(change)
    prompt = {"1": node("Other", value=1)}
    expected = ["node 1 (A): widget 1 5 → 6"]
    assert describe_diff(diff(replace(old, prompt=prompt), new)) == expected
    assert describe_diff(diff(old, replace(new, prompt=prompt))) == expected
    assert describe_diff(diff(replace(old, prompt=prompt), replace(new, prompt=prompt))) == ["the workflow's layout"]


def test_a_node_that_is_muted_and_one_that_is_bypassed_are_told_apart_and_in_order() -> None:
    def change(*modes: int) -> Snapshot:
        def set_modes(workflow: Any) -> None:
            for one, mode in zip(workflow["nodes"], modes, strict=True):
                one["mode"] = mode

        return from_editor(set_modes)

    found = diff(change(2, 0), change(4, 2)).nodes
    assert found.switched == (Retyped("1", "A", "muted", "bypassed"), Retyped("2", "B", "runs", "muted"))
    assert diff(change(2, 4), change(2, 4)).nodes == NodeChanges()


def test_a_node_that_is_new_and_muted_is_added_and_one_that_was_muted_and_is_gone_is_removed() -> None:
    def muted(workflow: Any) -> None:
        workflow["nodes"].append({"id": 3, "type": "C", "pos": [0, 0], "mode": 2})

    old, new = from_editor(), from_editor(muted)
    there, back = diff(old, new).nodes, diff(new, old).nodes
    assert ([n.id for n in there.added], there.switched) == (["3"], ())
    assert ([n.id for n in back.removed], back.switched) == (["3"], ())


def test_a_switched_node_is_neither_added_nor_removed_but_others_are() -> None:
    def muted(workflow: Any) -> None:
        workflow["nodes"][1]["mode"] = 2

    old, new = from_editor(), from_editor(muted)
    both = {"1": node("A", value=5), "2": node("B", i=["1", 0])}
    there = diff(replace(old, prompt=both), replace(new, prompt={"4": node("D")})).nodes
    assert ([n.id for n in there.added], [n.id for n in there.removed]) == (["4"], ["1"])
    back = diff(replace(new, prompt={"4": node("D")}), replace(old, prompt=both)).nodes
    assert ([n.id for n in back.added], [n.id for n in back.removed]) == (["1"], ["4"])


def test_a_change_beside_the_layout_is_told_alone() -> None:
    def change(workflow: Any) -> None:
        workflow["nodes"][0]["pos"] = [100, 100]
        workflow["nodes"][0]["widgets_values"][0] = 6

    assert not diff(from_editor(), from_editor(change)).nodes.layout


def test_an_input_that_is_new_or_gone_is_told_as_that_also_where_its_value_is_null() -> None:
    old = {"1": NodeView("1", "A", "t", {"gone": None, "same": 1}, {"x": "2[0]"})}
    new = {"1": NodeView("1", "A", "t", {"same": 1, "new": None}, {"y": "2[0]"})}
    found = diff_nodes(old, new)
    assert found.parameters == (
        Change("1", "A", "t", "gone", None, None, removed=True),
        Change("1", "A", "t", "new", None, None, added=True),
    )
    assert [(c.input, c.old, c.new, c.added, c.removed) for c in found.rewired] == [
        ("x", "2[0]", None, False, True),
        ("y", None, "2[0]", True, False),
    ]


def test_values_are_equal_whatever_the_order_of_their_keys() -> None:
    def view(value: object) -> dict[str, NodeView]:
        return {"1": NodeView("1", "A", "t", {"v": value})}

    assert diff_nodes(view({"a": 1, "b": 2}), view({"b": 2, "a": 1})) == NodeChanges()
    assert diff_nodes(view({1, 2}), view({1, 2})) == NodeChanges()


def test_images_of_the_shared_platforms_are_told_with_the_layers_that_are_not_shared() -> None:
    image = make_image("root", "torch:1", "workflow:1", size=5)
    arm = image.model_copy(update={"platform": "linux/arm64"})
    other = make_image("root", "torch:2", "pack:1", "workflow:1", size=7)
    unnamed = other.model_copy(update={"layer_names": ("root",)})
    old, new = replace(snapshot(), images={"linux/arm64": arm, "linux/amd64": image}), snapshot()
    assert diff(old, replace(new, images={"linux/amd64": other})).images == (
        ImageChange("linux/amd64", 5, 7, 2, ("torch", "pack"), ("torch",)),
    )
    (found,) = diff(old, replace(new, images={"linux/amd64": unnamed})).images
    assert found.added == tuple(d.removeprefix("sha256:")[:12] for d in other.diff_ids[1:3])
    both = diff(old, replace(new, images={"linux/arm64": arm, "linux/amd64": image})).images
    assert [i.platform for i in both] == ["linux/amd64", "linux/arm64"]
    assert diff(new, old).images == ()
