"""What the editor sent, as the image's prompt: checked, compared with pycomfy's own, and told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.prompt.convert import Prompt, convert
from pycomfy.core.prompt.editor_prompt import (
    MAX_NAME,
    MOMENTS,
    BadAnswer,
    EditorAnswer,
    Judgement,
    judge,
    parse_answer,
    render_answer,
    same,
)
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.text_expansion import Moment, expand_texts
from tests.support.graphs import definition, node, parsed, ui

DEFINITIONS = Definitions(
    {
        "Rows": definition({"name": ["STRING", {"dynamicPrompts": True}], "seed": ["INT"], "scale": ["FLOAT"]}),
        "SaveImage": definition({"filename_prefix": ["STRING"]}),
    }
)
WORKFLOW = parsed(
    ui(
        [
            node(1, "Rows", values=("a {red|blue} hat", 7, "fixed", 2.0)),
            node(2, "SaveImage", values=("x_%date:yyyy%",)),
        ],
        [],
    )
)


def ours() -> Prompt:
    return convert(WORKFLOW, DEFINITIONS)


def judged(*prompts: Any) -> Judgement:
    """The judgement on what the editor sent at each moment; the last stands for the moments that are left."""
    all_prompts = [*prompts, *[prompts[-1]] * (len(MOMENTS) - len(prompts))]
    answer = parse_answer(json.dumps({"prompts": all_prompts}).encode())
    return judge(ours(), answer, WORKFLOW, DEFINITIONS)


def sent(**inputs: object) -> dict[str, Any]:
    """What the editor sends for `WORKFLOW`, but for these inputs of its first node."""
    prompt: dict[str, Any] = json.loads(json.dumps(ours()))
    prompt["1"]["inputs"] |= inputs
    return prompt


def test_a_prompt_without_differences_is_our_own_to_the_byte() -> None:
    theirs = sent(scale=2)  # JavaScript has one kind of number
    theirs["1"]["_meta"] = {"title": "Reihen"}
    result = judged(theirs)
    assert json.dumps(result.prompt) == json.dumps(ours())
    assert result == Judgement(ours())


def test_the_order_of_the_editor_s_nodes_is_no_difference() -> None:
    found = judged(dict(reversed(sent().items())))
    assert list(found.prompt) == list(ours()) == ["1", "2"] and not found.differences


def test_nodes_that_run_at_one_moment_only_are_told() -> None:
    found = judged({"1": sent()["1"]}, sent())
    assert list(found.prompt) == ["1"] and found.drawn == ("which nodes run at all",)
    assert not judged({"1": sent()["1"]}).drawn


def test_the_editor_s_title_is_kept_unless_it_is_long_or_no_text() -> None:
    titles: list[tuple[object, dict[str, str] | None]] = [
        ("Mine", {"title": "Mine"}),
        ("t" * MAX_NAME, {"title": "t" * MAX_NAME}),
        ("t" * (MAX_NAME + 1), None),
        (3, None),
    ]
    for title, kept in titles:
        made = sent() | {"5": {"class_type": "New", "inputs": {}, "_meta": {"title": title}}}
        assert judged(made).prompt["5"].get("_meta") == kept


def test_the_editor_s_value_wins_and_the_difference_names_the_node() -> None:
    result = judged(sent(seed=8, row_1={"on": True}))
    assert result.prompt["1"]["inputs"] == {"name": "a {red|blue} hat", "seed": 8, "scale": 2.0, "row_1": {"on": True}}
    assert result.differences == (
        "node 1 (Rows): the editor sends seed = 8, pycomfy would have sent 7",
        'node 1 (Rows): the editor sends row_1 = {"on": true}, pycomfy would have sent nothing',
    )


def test_what_the_editor_leaves_out_is_left_out_and_told() -> None:
    theirs = sent()
    del theirs["1"]["inputs"]["seed"], theirs["2"]
    result = judged(theirs)
    assert list(result.prompt) == ["1"] and "seed" not in result.prompt["1"]["inputs"]
    assert result.differences == (
        "node 2 (SaveImage): the editor sends no such node, pycomfy would have",
        "node 1 (Rows): the editor sends no seed, pycomfy would have sent 7",
    )


def test_a_node_that_only_the_editor_sends_is_told() -> None:
    other = {"class_type": "Rows", "inputs": {}}
    result = judged({**sent(), "9": other, "2": {"class_type": "Rows", "inputs": {}}})
    assert result.prompt["9"] == result.prompt["2"] == other
    assert result.differences == (
        "node 2 (Rows): the editor sends this type, pycomfy would have sent SaveImage",
        "node 9 (Rows): the editor sends this node, pycomfy would not have",
    )


def test_a_node_that_a_script_adds_is_not_hidden_by_many_other_differences() -> None:
    result = judged({**sent(**{f"x{i}": i for i in range(500)}), "9": {"class_type": "Rows", "inputs": {}}})
    assert result.differences[0] == "node 9 (Rows): the editor sends this node, pycomfy would not have"
    assert len(result.differences) == 501


def test_what_is_drawn_anew_each_time_stays_as_it_was_saved() -> None:
    result = judged(sent(seed=11), sent(seed=12))
    assert result.prompt == ours()
    assert result.drawn == ("node 1 (Rows): seed, saved as 7",)
    assert not result.differences


def test_a_choice_stays_a_choice_and_a_date_a_date() -> None:
    prompts = [sent(name="a red hat"), sent(name="a blue hat")]
    for prompt in prompts:
        prompt["2"]["inputs"]["filename_prefix"] = "x_2026"
    assert judged(*prompts) == Judgement(ours())


def test_a_text_that_the_editor_expands_at_its_moment_stays() -> None:
    """Also where it is the same at every moment, as one that names another node's value."""
    now = datetime.fromtimestamp(MOMENTS[0]["time"] / 1000, UTC)
    assert judged(expand_texts(ours(), WORKFLOW, DEFINITIONS, Moment(0, now))) == Judgement(ours())


def test_what_is_told_is_short_and_printable() -> None:
    (difference,) = judged(sent(seed="\x1b[2J" + "x" * 5000)).differences
    assert difference.isprintable() and len(difference) < 200
    (whole,), (cut,) = (judged(sent(seed="x" * count)).differences for count in (58, 59))
    assert f'"{"x" * 58}", ' in whole and f'"{"x" * 59}…, ' in cut


def test_inputs_of_players_and_buttons_are_no_differences() -> None:
    result = judged(sent(audioUI="", previewMode=None))
    assert not result.differences and "audioUI" in result.prompt["1"]["inputs"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b'{"prompts": [NaN, NaN, NaN]}', "NaN"),
        (b'{"error": "the browser ended\\u001b[2J"}', "the browser ended\x1b"),
        (b'{"prompts": [1e999]}', "not JSON"),
        (b'{"prompts": [%s1%s]}' % (b"[" * 300, b"]" * 300), "nested more than 200 levels deep"),
        (b'{"prompts": []}', "one prompt for each moment"),
        (b'{"prompts": [null, null, null], "errors": [1, "TypeError: x"]}', "it sent nothing: TypeError: x"),
        (b'{"prompts": [1, 2, 3]}', "not an object of nodes"),
        (b'{"prompts": [{"1": {"class_type": "A"}}, {}, {}]}', "node 1 of the prompt has no inputs"),
        (b'{"prompts": [{"1": {"class_type": "A", "inputs": []}}, {}, {}]}', "no inputs"),
        (b'{"prompts": [{"1": {"class_type": 1, "inputs": {}}}, {}, {}]}', "not a short text"),
        (b'{"prompts": [{"1": {"class_type": "\\ud800", "inputs": {}}}, {}, {}]}', "not JSON"),
        (b'{"prompts": [{}, {}, {}], "dialogs": ["Loading aborted due to error\\n\\nx"]}', "shows an error: Loading"),
    ],
)
def test_another_answer_is_refused(answer: bytes, words: str) -> None:
    with pytest.raises(BadAnswer, match=words.replace("[", r"\[")):
        parse_answer(answer)


def test_a_long_name_is_refused() -> None:
    prompt = {"x" * (MAX_NAME + 1): {"class_type": "A", "inputs": {}}}
    with pytest.raises(BadAnswer, match="short text"):
        parse_answer(json.dumps({"prompts": [prompt] * len(MOMENTS)}).encode())


def test_a_dialog_about_missing_models_is_no_error() -> None:
    answer = {"prompts": [{}] * len(MOMENTS), "dialogs": ["Missing Models\nerror.safetensors", 3]}
    assert parse_answer(json.dumps(answer).encode()) == EditorAnswer(({},) * len(MOMENTS))


def test_nodes_that_the_editor_does_not_know_are_not_sent() -> None:
    prompt = {"1": {"class_type": "A", "inputs": {}, "_meta": {"title": "x" * 2000}}, "2": {"inputs": {}}}
    (first, *_) = parse_answer(json.dumps({"prompts": [prompt] * len(MOMENTS)}).encode()).prompts
    assert first == {"1": {"class_type": "A", "inputs": {}}}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(_JSON)
def test_any_answer_is_read_or_refused(answer: object) -> None:
    for value in (answer, {"prompts": [answer] * len(MOMENTS)}, {"prompts": [{"1": answer}] * len(MOMENTS)}):
        try:
            read = parse_answer(json.dumps(value).encode())
        except BadAnswer:
            continue
        assert parse_answer(render_answer(read)) == read


@given(_JSON)
def test_a_value_is_the_same_as_itself(value: object) -> None:
    assert same(value, json.loads(json.dumps(value)))


def test_numbers_are_the_same_whatever_their_kind_and_truth_is_no_number() -> None:
    assert same([8, {"a": 1.0}], [8.0, {"a": 1}])
    assert not same(True, 1) and not same({"a": 1}, {"a": 1, "b": 2}) and not same([1], [1, 2])


def test_values_of_different_kinds_are_never_the_same() -> None:
    values: list[object] = [{}, {"0": 1}, [], [1], "", "1", 1, None, True]
    assert [(a, b) for a in values for b in values if a is not b and same(a, b)] == []
