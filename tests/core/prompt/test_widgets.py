"""The widgets of a node in the order of its saved values, and which value each of them takes."""

from typing import Any

import pytest

from pycomfy.core.prompt import widgets as module
from pycomfy.core.prompt.node_definitions import InputSpec, parse_node_spec
from pycomfy.core.prompt.widgets import RestoredWidgets, Widget, make_widgets, restore_widgets
from pycomfy.core.workflow.model import Node
from tests.support.graphs import Json, definition


def made(*inputs: Any, **named: Any) -> list[Widget]:
    """The widgets of inputs `a`, `b`, … or of those with names."""
    required = dict(zip("abcdefgh", inputs, strict=False)) | named
    return make_widgets(parse_node_spec("T", definition(required, outputs=["X"])).inputs)


def names(*inputs: Any, **named: Any) -> list[str]:
    return [w.name for w in made(*inputs, **named)]


def restored(required: Json, values: Any = (), named: Json | None = None, type_: str = "T") -> RestoredWidgets:
    spec = parse_node_spec(type_, definition(required, outputs=["X"]))
    return restore_widgets(spec, make_widgets(spec.inputs), Node("1", type_, values=values, named=named))


def values(required: Json, *given: Any, named: Json | None = None, type_: str = "T") -> Json:
    return dict(restored(required, given, named, type_).values)


CONTROLLED = {"control_after_generate": True}


class TestMaking:
    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            (["INT"], 0),
            (["FLOAT"], 0),
            (["BOOLEAN"], False),
            (["STRING"], ""),
            (["COLOR"], ""),
            (["INT", {"default": 5}], 5),
            (["INT", {"default": 0}], 0),
            (["COMBO", {"options": ["a", "b"]}], "a"),
            (["COMBO", {"options": ["a", "b"], "default": "b"}], "b"),
            (["COMBO", {"options": ["a", "b"], "default": ""}], "a"),
            (["COMBO", {"options": []}], None),
            (["COMBO", {"options": [], "remote": {"route": "/x"}}], "Loading..."),
            (["COMBO", {"options": ["a"], "multi_select": True, "default": "a"}], []),
            (["CURVE"], {"points": [[0, 0], [1, 1]], "interpolation": "monotone_cubic"}),
            (["CURVE", {"default": 1}], 1),
            (["*", {"widgetType": "STRING"}], ""),
            (["INT", {"widgetType": 3}], 0),
        ],
    )
    def test_without_a_value_a_widget_has_its_default(self, spec: Any, expected: object) -> None:
        assert made(spec)[0].default == expected and type(made(spec)[0].default) is type(expected)

    def test_its_kind_is_its_widget_type_and_only_some_kinds_are_saved_and_sent(self) -> None:
        assert made(["*", {"widgetType": "STRING"}])[0].kind == "STRING"
        assert made(["INT", {"widgetType": 3}])[0].kind == "INT"
        kinds = ("INT", "AUDIO_UI", "IMAGECOMPARE", "RESOLUTION_PREVIEW", "CAMERA_INFO_STATE", "CAMERA_ANGLE_VIEW",
                 "IMAGEUPLOAD", "AUDIOUPLOAD")  # fmt: skip
        found = {kind: (w.saved, w.sent) for kind in kinds for w in made([kind])}
        assert found == {
            "INT": (True, True),
            **dict.fromkeys(kinds[1:6], (False, False)),
            **dict.fromkeys(kinds[6:], (True, False)),
        }

    def test_choices_and_options_are_the_definition_s(self) -> None:
        (widget,) = made(["COMBO", {"options": ["a", "b"]}])
        assert (widget.choices, widget.options, widget.parts, widget.rows) == (
            ("a", "b"),
            {"options": ["a", "b"]},
            None,
            None,
        )
        assert made(["INT", {"min": 3}])[0].options == {"min": 3} and made(["INT"])[0].choices == ()

    def test_sockets_have_none(self) -> None:
        assert names(["IMAGE"], ["INT", {"forceInput": True}], ["INT"]) == ["c"]

    @pytest.mark.parametrize(
        ("name", "spec", "control"),
        [
            ("seed", ["INT"], ["randomize"]),
            ("noise_seed", ["INT"], ["randomize"]),
            ("steps", ["INT"], []),
            ("seed", ["INT", {"control_after_generate": False}], []),
            ("steps", ["INT", CONTROLLED], ["randomize"]),
            ("seed", ["FLOAT"], []),
            ("x", ["FLOAT", CONTROLLED], ["fixed"]),
            ("x", ["COMBO", {"options": ["a"], **CONTROLLED}], ["randomize", ""]),
            ("seed", ["COMBO", {"options": ["a"]}], []),
            ("x", ["STRING", CONTROLLED], []),
        ],
    )
    def test_a_value_that_changes_between_runs_has_controls(self, name: str, spec: Any, control: list[str]) -> None:
        first, *controls = made(**{name: spec})
        assert first.name == name and [c.default for c in controls] == control
        assert [c.name for c in controls] == ["control_after_generate", "control_filter_list"][: len(control)]
        assert all((c.kind, c.saved, c.sent) == ("CONTROL", True, False) for c in controls)

    def test_buttons_are_saved_and_those_of_a_3d_view_are_sent_too(self) -> None:
        view = [
            ("upload 3d model", "upload3dmodel"),
            ("upload extra resources", "uploadExtraResources"),
            ("clear", "clear"),
        ]
        for kind in ("LOAD_3D", "LOAD_3D_ANIMATION"):
            *buttons, last = made([kind])
            assert [(b.name, b.default) for b in buttons] == view and last.name == "a"
            assert all((b.kind, b.saved, b.sent) == ("BUTTON", True, True) for b in buttons)
        assert names(["PREVIEW_3D"]) == ["a"]
        first, button = made(["AUDIO_RECORD"])
        assert (first.name, button) == ("a", Widget("a button", "BUTTON", "", sent=False))

    @pytest.mark.parametrize(
        ("options", "buttons"),
        [
            ({"remote": {"route": "/x"}}, [("Auto-refresh after generation", False)]),
            (
                {"remote": {"refresh_button": True}},
                [("Auto-refresh after generation", False), ("refresh", "refresh")],
            ),
            ({"remote": "x"}, []),
            ({}, []),
        ],
    )
    def test_choices_from_elsewhere_have_a_toggle_and_a_button(self, options: Json, buttons: list[Any]) -> None:
        _, *found = made(["COMBO", {"options": ["a"], **options}])
        assert found == [Widget(name, "BUTTON", value, sent=False) for name, value in buttons]
        assert len(made(["INT", options])) == 1

    def test_a_pack_s_combo_has_the_inputs_of_its_choice_after_it(self) -> None:
        formats = {"gif": [["loops", "INT", {"default": 3}], "x", ["odd"]], "mp4": [["crf", "INT", {}]]}
        first, loops = made([["gif", "mp4"], {"formats": formats}])
        assert (first.name, loops.name, loops.default) == ("a", "loops", 3) and list(first.parts or ()) == [
            "gif",
            "mp4",
        ]
        assert names([["mp4", "gif"], {"formats": formats}]) == ["a", "crf"]
        assert names([["x"], {"formats": formats}]) == ["a"]
        assert names(["STRING", {"formats": formats, "default": "gif"}]) == ["a"]

    def test_no_definition_makes_more_widgets_than_a_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert len(module.make_widgets([InputSpec(f"{n}", "INT", {}) for n in range(10_001)])) == 10_000
        monkeypatch.setattr(module, "MAX_WIDGETS", 3)
        assert names(["INT"], ["INT"], ["INT"], ["INT"]) == ["a", "b", "c"]
        assert values({n: ["INT"] for n in "abcd"}, 1, 2, 3, 4) == {"a": 1, "b": 2, "c": 3}


def dynamic(*options: Any) -> list[Any]:
    return ["COMFY_DYNAMICCOMBO_V3", {"options": list(options)}]


SIZE = {
    "key": "size",
    "inputs": {"required": {"width": ["INT"], "seed": ["INT", CONTROLLED]}, "optional": {"x": ["INT"]}},
}
TEXT = {"key": "text", "inputs": {"required": {"text": ["STRING"]}, "optional": {"odd": 3}}}


class TestDynamicCombo:
    def test_it_begins_with_its_first_option(self) -> None:
        first, *rest = made(dynamic("no option", {"key": 3}, SIZE, TEXT))
        assert (first.name, first.kind, first.default, first.choices) == (
            "a",
            "COMFY_DYNAMICCOMBO_V3",
            "size",
            ("size", "text"),
        )
        assert [w.name for w in rest] == ["a.width", "a.seed", "control_after_generate", "a.x"]
        assert [(s.name, s.optional) for s in (first.parts or {})["size"]] == [
            ("a.width", False),
            ("a.seed", False),
            ("a.x", True),
        ]
        (empty,) = made(dynamic())
        assert (empty.default, empty.choices, empty.parts) == (None, (), {})
        assert [w.name for w in made(["COMFY_DYNAMICCOMBO_V3", {"options": 3}])] == ["a"]

    def test_another_option_brings_its_own_widgets_and_the_others_go(self) -> None:
        required = {"a": dynamic(SIZE, TEXT), "last": ["INT"]}
        found = restored(required, ("text", "hello", "randomize", 9))
        assert [w.name for w in found.widgets] == ["a", "a.text", "control_after_generate", "last"]
        assert found.values == {"a": "text", "a.text": "hello", "control_after_generate": "randomize", "last": 9}
        assert found.left == {}

    @pytest.mark.parametrize("option", ["none of them", 3, ["text"], None])
    def test_an_option_that_does_not_exist_has_no_widgets(self, option: object) -> None:
        found = restored({"a": dynamic(TEXT), "last": ["INT"]}, (option, 9)).values
        expected = {"a": option, "last": 9}
        if option is None:  # which becomes the first, after the values were taken
            expected = {"a": "text", "a.text": "", "last": 9}
        assert found == expected

    def test_the_widgets_around_it_stay_where_they_are(self) -> None:
        found = restored(
            {"x": ["INT"], "a": dynamic(TEXT, SIZE), "y": ["INT"], "z": ["INT"]}, (1, "size", 2, 3, "fixed", 4, 5, 6)
        )
        assert [w.name for w in found.widgets] == [
            "x",
            "a",
            "a.width",
            "a.seed",
            "control_after_generate",
            "a.x",
            "y",
            "z",
        ]
        assert [v for n, v in sorted(found.values.items()) if n != "control_after_generate"] == [
            "size",
            3,
            2,
            4,
            1,
            5,
            6,
        ]

    def test_a_widget_whose_name_only_begins_alike_stays(self) -> None:
        found = restored({"a": dynamic(SIZE, TEXT), "ab": ["INT"]}, ("text", "t", "fixed", 4))
        assert found.values["ab"] == 4

    def test_values_by_name(self) -> None:
        required = {"a": dynamic(SIZE, TEXT), "last": ["INT"]}
        named = {"a": "text", "a.text": "hi", "a.width": 7, "last": 3, "more": 4}
        found = restored(required, (), named)
        assert found.values == {"a": "text", "a.text": "hi", "control_after_generate": "randomize", "last": 3}
        assert found.left == {"more": 4}, "a value of another option is none that is lost"

    def test_the_widgets_of_a_pack_s_combo_are_those_of_the_saved_choice(self) -> None:
        formats = {"gif": [["loops", "INT", {"default": 3}]], "mp4": [["crf", "INT", {"default": 19}]]}
        required = {"f": [["gif", "mp4", "webm"], {"formats": formats}], "last": ["INT"]}
        assert values(required, "gif", 5, 9) == {"f": "gif", "loops": 5, "last": 9}
        assert values(required, "mp4", 5, 9) == {"f": "mp4", "crf": 5, "last": 9}
        assert values(required, "webm", 9) == {"f": "webm", "last": 9}


def rows(template: Json, **options: Any) -> list[Any]:
    return ["COMFY_DYNAMICGROUP_V3", {"template": {"required": template}, **options}]


class TestDynamicGroup:
    @pytest.mark.parametrize(("least", "count"), [(2, 2), (0, 0), (-1, 0), (None, 0), (True, 0), ("2", 0), (1.5, 0)])
    def test_it_begins_with_its_minimum(self, least: object, count: int) -> None:
        group, *fields = made(rows({"n": ["INT"]}, min=least))
        assert (group.default, group.saved, group.sent) == (count, True, False)
        assert [w.name for w in fields] == [f"a.{i}.n" for i in range(count)]

    def test_it_gets_as_many_rows_as_were_saved_and_at_least_its_minimum(self) -> None:
        required = {"a": rows({"n": ["INT"], "seed": ["INT", CONTROLLED]}, min=1), "last": ["INT"]}
        found = restored(required, (2, 5, 6, "fixed", 7, 8, "fixed", 9))
        assert [w.name for w in found.widgets] == [
            "a", "a.0.n", "a.0.seed", "a.0.seed.0", "a.1.n", "a.1.seed", "a.1.seed.0", "last",
        ]  # fmt: skip
        assert {n: v for n, v in found.values.items() if "seed." not in n} == {
            "a": 2, "a.0.n": 5, "a.0.seed": 6, "a.1.n": 7, "a.1.seed": 8, "last": 9,
        }  # fmt: skip
        for saved in (0, -5, "x", None):
            assert values(required, saved, 5, 6, "fixed", 9)["a"] == 1
            assert values(required, saved, 5, 6, "fixed", 9)["last"] == 9

    def test_the_widgets_around_it_stay_where_they_are(self) -> None:
        found = restored(
            {"x": ["INT"], "a": rows({"n": ["INT"]}, min=2), "y": ["INT"], "z": ["INT"]}, (7, 3, 4, 5, 6, 8, 9)
        )
        assert [w.name for w in found.widgets] == ["x", "a", "a.0.n", "a.1.n", "a.2.n", "y", "z"]
        assert found.values == {"x": 7, "a": 3, "a.0.n": 4, "a.1.n": 5, "a.2.n": 6, "y": 8, "z": 9}

    def test_rows_and_options_without_values_have_their_defaults(self) -> None:
        assert values({"a": rows({"n": ["INT", {"default": 5}]})}, 2) == {"a": 2, "a.0.n": 5, "a.1.n": 5}
        assert values({"a": dynamic(SIZE, TEXT)}, "text")["a.text"] == ""

    def test_there_are_no_more_rows_than_a_bound(self) -> None:
        assert values({"a": rows({"n": ["INT"]})}, 10_000)["a"] == module.MAX_ROWS
        assert len(made(rows({"n": ["INT"]}, min=10_000))) == 1 + module.MAX_ROWS

    def test_without_fields_it_has_no_rows(self) -> None:
        assert values({"a": ["COMFY_DYNAMICGROUP_V3", {"template": 3, "min": 2}], "last": ["INT"]}, 2, 9) == {
            "a": 2,
            "last": 9,
        }

    def test_a_widget_whose_name_only_begins_alike_stays(self) -> None:
        assert values({"a": rows({"n": ["INT"]}, min=1), "ab": ["INT"]}, 0, 4, 5) == {"a": 1, "a.0.n": 4, "ab": 5}

    def test_values_of_forced_inputs_are_not_looked_for_beside_it(self) -> None:
        required = {"a": rows({"n": ["INT"]}), "f": ["INT", {"forceInput": True}], "last": ["INT"]}
        assert values(required, 0, 9) == {"a": 0, "last": 9}
        found = restored(required, (0, 9, 8))
        assert (found.values["last"], found.left) == (9, {"[2]": 8})


class TestRestoring:
    def test_a_widget_that_is_not_saved_takes_no_value(self) -> None:
        required = {"a": ["INT"], "player": ["AUDIO_UI"], "b": ["INT"]}
        assert values(required, 1, 2) == {"a": 1, "player": "", "b": 2}
        assert values(required, named={"a": 1, "player": 5, "b": 2}) == {"a": 1, "player": "", "b": 2}

    def test_values_by_name_win_and_a_mapping_is_by_name_too(self) -> None:
        required = {"a": ["INT"], "b": ["INT"]}
        assert values(required, 1, 2, named={"b": 5}) == {"a": 0, "b": 5}
        assert restored(required, {"b": 5}).values == {"a": 0, "b": 5}
        assert restored(required, {"b": 5}, {"b": 6}).values == {"a": 0, "b": 6}

    def test_a_control_is_not_restored_by_name(self) -> None:
        found = restored({"seed": ["INT"], "n": ["INT"]}, (), {"seed": 3, "control_after_generate": "fixed", "n": 4})
        assert found.values == {"seed": 3, "control_after_generate": "randomize", "n": 4} and found.left == {}

    def test_what_no_widget_takes_is_left_but_for_what_says_nothing(self) -> None:
        assert restored({"a": ["INT"]}, (1, 2, None, "", [], {}, "x")).left == {"[1]": 2, "[6]": "x"}
        assert restored({"a": ["INT"]}, (1, 0, False)).left == {"[1]": 0, "[2]": False}
        kept = {"fixed": 1, "increment": 1, "decrement": 1, "randomize": 1, "control_filter_list": 1}
        named = {"a": 1, "b": 2, "c": None, "control_after_generate": "fixed", **kept}
        assert restored({"a": ["INT"]}, (), named).left == {"b": 2}

    def test_a_combo_without_choices_is_unset_until_it_has_a_value(self) -> None:
        empty = {"a": ["COMBO", {"options": []}], "b": ["COMBO", {"options": ["x"]}], "s": ["STRING"]}
        assert restored(empty).unset == {"a"} and restored(empty, ("v",)).unset == frozenset()
        assert restored(empty, (), {"b": "x"}).unset == {"a"}
        assert restored({"a": ["COMBO", {"options": [None, "x"]}]}).unset == frozenset()
        assert restored({"a": dynamic()}).unset == frozenset(), "a combo of another kind is sent as null"
        remote = {"a": ["COMBO", {"options": [], "remote": {"route": "/x"}}]}
        assert restored(remote).unset == frozenset()

    @pytest.mark.parametrize(
        ("spec", "saved", "expected"),
        [
            ([["x", "y"]], None, "x"),
            ([[]], None, None),
            ([["x"]], "z", "z"),
            (["STRING", {"multiline": True}], None, ""),
            (["STRING", {"multiline": True}], "t", "t"),
            (["STRING", {"multiline": False}], None, None),
            (["INT", {"multiline": True}], None, None),
        ],
    )
    def test_null_is_the_first_choice_or_an_empty_text(self, spec: Any, saved: object, expected: object) -> None:
        assert values({"a": spec}, saved) == {"a": expected}

    @pytest.mark.parametrize(
        ("type_", "name", "saved", "expected"),
        [
            ("KSampler", "sampler_name", "sample_euler", "euler"),
            ("KSamplerAdvanced", "sampler_name", "sample_euler", "euler"),
            ("KSampler", "sampler_name", "euler", "euler"),
            ("KSampler", "sampler_name", 3, 3),
            ("KSampler", "other", "sample_euler", "sample_euler"),
            ("Other", "sampler_name", "sample_euler", "sample_euler"),
        ],
    )
    def test_an_old_name_of_a_sampler_loses_its_prefix(
        self, type_: str, name: str, saved: object, expected: object
    ) -> None:
        assert values({name: [["euler"]]}, saved, type_=type_) == {name: expected}


FORCED = ["INT", {"forceInput": True}]


class TestForced:
    @pytest.mark.parametrize("given", [(1, 2, 3), (1, 3)])
    def test_a_forced_input_has_a_value_where_the_file_has_one_too_many(self, given: tuple[int, ...]) -> None:
        assert values({"a": ["INT"], "f": FORCED, "c": ["INT"]}, *given) == {"a": 1, "c": 3}

    def test_with_any_other_number_values_are_taken_as_they_are(self) -> None:
        assert restored({"a": ["INT"], "f": FORCED, "c": ["INT"]}, (1, 2, 3, 4)).left == {"[2]": 3, "[3]": 4}
        assert values({"a": ["INT"], "f": FORCED, "c": ["INT"]}, 1) == {"a": 1, "c": 0}

    def test_a_forced_seed_had_a_control_beside_its_value(self) -> None:
        required = {"f": ["INT", {"forceInput": True, **CONTROLLED}], "c": ["INT"]}
        # Of value and control only the value goes, as in the editor.
        assert values(required, 1, "fixed", 9)["c"] == "fixed"

    def test_a_seed_before_it_keeps_its_control(self) -> None:
        required = {"s": ["INT", CONTROLLED], "f": FORCED, "c": ["INT"]}
        assert values(required, 1, "fixed", 2, 3) == {"s": 1, "control_after_generate": "fixed", "c": 3}

    def test_what_is_not_saved_counts_for_nothing(self) -> None:
        required = {"player": ["AUDIO_UI"], "f": FORCED, "c": ["INT"]}
        assert values(required, 2, 3) == {"player": "", "c": 3}
        assert values(required, "p", 2, 3)["c"] == 3, "a value for it that is saved nonetheless"

    def test_a_container_of_growing_inputs_counts_for_nothing(self) -> None:
        grow = ["COMFY_AUTOGROW_V3", {"forceInput": True, "template": {}}]
        assert values({"g": grow, "f": FORCED, "c": ["INT"]}, 2, 3) == {"c": 3}

    def test_sockets_count_for_nothing(self) -> None:
        assert values({"i": ["IMAGE"], "f": FORCED, "c": ["INT"]}, 2, 3) == {"c": 3}

    def test_values_that_are_left_keep_their_numbers_in_the_file(self) -> None:
        assert restored({"a": ["INT"], "f": FORCED}, (1, 2)).left == {}
        found = restored({"a": ["INT"], "player": ["AUDIO_UI"], "c": ["INT"]}, (1, 2, 3))
        assert (found.values["c"], found.left) == (3, {})
