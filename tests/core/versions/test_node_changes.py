"""What became of the node types between two answers of `/object_info`."""

from typing import Any

from pycomfy.core.versions.node_changes import compare_nodes


def definition(module: str = "custom_nodes.painter", output: tuple[str, ...] = ("IMAGE",), **inputs: Any) -> Any:
    optional = inputs.pop("optional", {})
    return {
        "input": {"required": inputs, **({"optional": optional} if optional else {})},
        "output": list(output),
        "output_name": list(output),
        "python_module": module,
    }


SEED = ["INT", {"default": 0, "min": 0}]


def test_new_and_removed_types_are_named_with_their_packs() -> None:
    changes = compare_nodes(
        {"A": definition(), "B": definition("nodes")}, {"B": definition("nodes"), "C": definition()}
    )
    assert changes.added == {"C": "custom_nodes.painter"} and changes.removed == {"A": "custom_nodes.painter"}
    assert not changes.changed and changes


def test_equal_answers_have_no_changes() -> None:
    assert not compare_nodes({"A": definition(seed=SEED)}, {"A": definition(seed=SEED)})


def test_each_change_of_an_input_is_told() -> None:
    before = definition(seed=SEED, old=["FLOAT"], palette=[["dawn", "noon"]], size=["INT", {}], mask=["MASK"])
    after = definition(
        seed=["INT", {"default": 7, "min": 0, "max": 9}],
        palette=[["dawn", "dusk"]],
        size=["FLOAT", {}],
        new=["STRING", {}],
        optional={"mask": ["MASK"]},
    )
    (lines,) = compare_nodes({"A": before}, {"A": after}).changed.values()
    assert lines == (
        "new input new (STRING)",
        "no input old any more",
        "seed: default 0 → 7, max none → 9",
        "palette: new choice dusk, no choice noon",
        "size: INT → FLOAT",
        "mask: optional now",
    )


def test_an_order_in_which_saved_values_change_their_meaning_is_told() -> None:
    changes = compare_nodes({"A": definition(a=["INT"], b=["INT"])}, {"A": definition(b=["INT"], a=["INT"])})
    assert changes.changed == {"A": ("its inputs are in another order, in which saved workflows have their values",)}


def test_other_outputs_and_another_pack_are_told() -> None:
    changes = compare_nodes({"A": definition()}, {"A": definition("nodes", ("IMAGE", "MASK"))})
    assert changes.changed == {"A": ("outputs IMAGE → IMAGE, MASK", "from nodes, before from custom_nodes.painter")}


def test_a_text_alone_is_no_change() -> None:
    before, after = definition(), {**definition(), "description": "better"}
    assert not compare_nodes({"A": before}, {"A": after})


def test_what_is_no_definition_changes_nothing() -> None:
    assert not compare_nodes({"A": None, "B": definition()}, {"A": [1], "B": definition()})


def test_long_values_and_many_choices_are_cut() -> None:
    before, after = definition(a=[["x"], {"tooltip": "a"}]), definition(a=[list(range(90)), {"tooltip": "b" * 999}])
    ((line,),) = compare_nodes({"A": before}, {"A": after}).changed.values()
    assert line == "a: new choices 0, 1, 2, 3, 4 and 85 more, no choice x, tooltip a → " + "b" * 60 + "…"
