"""What browser code of packs makes of saved values and links, each on a case of our own."""

from typing import Any

import pytest

from tests.support.graphs import OBJECT_INFO, Json, chain, definition, inputs_of, linked, node, ui

LOADER = {
    "force_rate": ["FLOAT", {"min": 0, "max": 60, "round": 0.01}],
    "custom_width": ["INT", {"min": 8, "max": 800, "step": 8}],
    "meta_batch": ["VHS_BatchManager"],
}
INFO: Json = {
    **OBJECT_INFO,
    "VHS_LoadVideo": definition(LOADER, outputs=["IMAGE"]),
    "VHS_BatchManager": definition(outputs=["VHS_BatchManager"]),
    "Power Puter (rgthree)": definition(outputs=["*"]),
    "Curve (mtb)": definition({"curve": ["FLOAT_CURVE"]}),
    "easy table": definition({"table": ["EASY_TABLE_EDITOR"]}),
}


def values(type_: str, saved: Any) -> dict[str, object]:
    return inputs_of(ui([node(1, type_, values=saved)], []), INFO)["1"]


@pytest.mark.parametrize(
    ("name", "saved", "sent"),
    [
        ("force_rate", 29.974, 29.97),
        ("force_rate", 1.005, 1.01),
        ("force_rate", 61, 60),
        ("custom_width", 3, 8),
        ("custom_width", 810, 800),
        ("custom_width", 13, 16),
        ("custom_width", 11, 8),
    ],
)
def test_numbers_of_videohelpersuite_are_on_a_step_between_their_bounds(name: str, saved: float, sent: float) -> None:
    assert values("VHS_LoadVideo", {name: saved})[name] == pytest.approx(sent, abs=1e-9)


def test_a_list_that_is_shorter_than_an_old_one_is_of_today_s_widgets() -> None:
    assert values("VHS_LoadVideo", (12, 64)) == {"force_rate": 12, "custom_width": 64}


def test_a_batch_manager_is_linked_by_its_name_of_today() -> None:
    workflow = ui(
        [node(1, "VHS_BatchManager"), node(2, "VHS_LoadVideo", linked("batch_manager", 1), values={"force_rate": 5})],
        [[1, 1, 0, 2, 0, "VHS_BatchManager"]],
    )
    assert inputs_of(workflow, INFO)["2"]["meta_batch"] == ["1", 0]


def test_a_link_of_use_everywhere_may_lead_into_a_reroute() -> None:
    workflow = chain(node(2, "Reroute", linked("", None)), links=[[9, 2, 0, 9, 0, "IMAGE"]])
    link = {"upstream": 1, "upstream_slot": 0, "downstream": 2, "downstream_slot": 0, "type": "IMAGE"}
    assert inputs_of({**workflow, "extra": {"ue_links": [link]}})["9"]["images"] == ["1", 0]


@pytest.mark.parametrize("lacking", ["upstream", "upstream_slot", "downstream", "downstream_slot"])
def test_a_link_of_use_everywhere_that_lacks_an_end_is_none(lacking: str) -> None:
    workflow = chain(links=[])
    workflow["nodes"][-1]["inputs"][0]["link"] = None
    link = {"upstream": 1, "upstream_slot": 0, "downstream": 9, "downstream_slot": 0, "type": "IMAGE"}
    assert inputs_of({**workflow, "extra": {"ue_links": [link]}})["9"]["images"] == ["1", 0]
    broken: list[Json] = [{**link, lacking: None}, {**link, lacking: []}]
    assert "images" not in inputs_of({**workflow, "extra": {"ue_links": [*broken, "text", None]}})["9"]


@pytest.mark.parametrize("outputs", ["INT", {"outputs": ["INT"]}])
def test_the_outputs_of_a_power_puter_are_one_type_or_a_list(outputs: object) -> None:
    assert values("Power Puter (rgthree)", (outputs, "a + b")) == {"outputs": {"outputs": ["INT"]}, "code": "a + b"}


def test_a_curve_of_mtb_begins_as_a_straight_line() -> None:
    assert values("Curve (mtb)", ()) == {"curve": {"0": {"x": 0, "y": 0}, "1": {"x": 1, "y": 1}}}


def test_json_of_easy_use_is_sent_as_text_as_browsers_write_it() -> None:
    info = {"easy multiAngle": definition({"multi_angle": ["EASY_MULTI_ANGLE"]})}
    workflow = ui([node(1, "easy multiAngle", values=([{"prompt": "角", "zoom": 5}],))], [])
    assert inputs_of(workflow, info)["1"] == {"multi_angle": '[{"prompt":"角","zoom":5}]'}


def test_a_table_that_cannot_be_read_is_the_one_that_the_editor_begins_with() -> None:
    assert values("easy table", ("[" * 100_000,)) == values("easy table", ())


def test_a_format_brings_the_widgets_that_have_a_name_and_a_type() -> None:
    listed = [[], [1, "INT", {}], ["nothing"], "text", ["crf", "INT", {"default": 19}]]
    info = {"Encode": definition({"format": [["gif", "mp4"], {"formats": {"mp4": listed}}]})}
    workflow = ui([node(1, "Encode", values={"format": "mp4"})], [])
    assert inputs_of(workflow, info)["1"] == {"format": "mp4", "crf": 19}
