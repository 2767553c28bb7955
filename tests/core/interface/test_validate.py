"""What is wrong with a graph, told before it is sent."""

from typing import Any

import pytest

from pycomfy.core.interface.validate import find_cycle, find_problems, find_refusal
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.node_definitions import Definitions
from tests.support.graphs import OBJECT_INFO, definition, plain, prompt_of


def node(type_: str, **inputs: Any) -> Any:
    return {"class_type": type_, "inputs": inputs}


GOOD: Prompt = {"1": node("Photo", photo="x.png"), "9": node("Save", images=["1", 0], prefix="a")}


def test_a_good_graph_has_no_problems() -> None:
    assert find_problems(GOOD, OBJECT_INFO) == ()
    assert find_problems(prompt_of(plain()), OBJECT_INFO) == ()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"2": node("Nope")}, "unknown node type"),
        ({"9": node("Save", images=["7", 0], prefix="")}, "does not exist"),
        ({"9": node("Save", images=["1", 5], prefix="")}, "has 2"),
        ({"9": node("Save", images=["1", 1], prefix="")}, "takes IMAGE, but is linked to MASK"),
        ({"9": node("Save", prefix="")}, "not connected"),
        ({"2": node("Blank", width=1.5, height="x")}, "not a number"),
        ({"2": node("Load", file="c.exe")}, "not one of the choices"),
        ({"2": node("Blur", image=["3", 0], radius=1), "3": node("Blur", image=["2", 0], radius=1)}, "cycle"),
    ],
)
def test_each_problem_is_told_with_node_and_fix(change: Any, what: str) -> None:
    problems = find_problems({**GOOD, **change}, OBJECT_INFO)
    assert len(problems) == 1
    assert what in problems[0].what
    assert "node" in problems[0].where
    assert problems[0].fix


def test_values_out_of_range() -> None:
    prompt = prompt_of(plain())
    prompt["3"]["inputs"]["steps"] = 1000
    (problem,) = find_problems(prompt, OBJECT_INFO)
    assert problem.what == "1000 is more than 100"


def test_no_output_node() -> None:
    (problem,) = find_problems({"1": GOOD["1"]}, OBJECT_INFO)
    assert "no output node" in problem.what


def test_missing_models_and_input_files_are_no_problems_of_the_graph() -> None:
    prompt: Prompt = {**GOOD, "1": node("Photo", photo="other.png"), "2": node("Load", file="c.safetensors")}
    assert find_problems(prompt, OBJECT_INFO) == ()


def test_long_chains_and_cycles_are_found_without_recursion() -> None:
    count = 5000
    prompt: Prompt = {str(i): node("Blur", image=[str(i + 1), 0], radius=1) for i in range(count)}
    assert find_cycle(prompt) == []
    prompt[str(count)] = node("Blur", image=["0", 0], radius=1)
    assert len(find_cycle(prompt)) == count + 1


BLUR = definition({"image": ["IMAGE"], "radius": ["INT", {"max": 100}]}, outputs=["IMAGE"])
PACK = {**OBJECT_INFO, "Blur": BLUR, "Checked": {**BLUR, "python_module": "custom_nodes.pack"}}


def refusal(prompt: Prompt) -> list[str]:
    return [problem.what for problem in find_refusal(prompt, Definitions(PACK))]


def test_a_prompt_is_refused_if_every_output_needs_something_wrong() -> None:
    wrong: Prompt = {**GOOD, "9": node("Save", prefix="")}
    assert refusal(GOOD) == []
    assert refusal(wrong) == ['the required input "images" (IMAGE) is not connected']
    assert refusal({**wrong, "8": node("Save", images=["1", 0], prefix="b")}) == [], "the other one is saved"


def test_what_no_output_needs_does_not_matter() -> None:
    assert refusal({**GOOD, "2": node("Blur", radius=1)}) == []


def test_a_value_out_of_range_is_refused_unless_a_pack_may_check_it_by_itself() -> None:
    def blurred(type_: str) -> Prompt:
        return {**GOOD, "2": node(type_, image=["1", 0], radius=101), "9": node("Save", images=["2", 0], prefix="a")}

    assert refusal(blurred("Blur")) and not refusal(blurred("Checked"))
    assert refusal({**blurred("Checked"), "2": node("Checked", radius=1)}), "without its picture it cannot run"


def test_a_prompt_that_saves_nothing_is_refused() -> None:
    assert refusal({"1": node("Photo", photo="x.png")}) == ["nothing is saved: no output node"]


def test_a_long_title_does_not_make_each_of_many_problems_long() -> None:
    """A file of a few megabytes, and a thousand problems of one node, would otherwise make gigabytes."""
    required = {f"i{n}": ["INT", {}] for n in range(1000)}
    many: Any = {"Many": {"input": {"required": required}, "output": [], "name": "Many", "output_node": True}}
    titled: Any = {**node("Many"), "_meta": {"title": "x" * 2_000_000}}
    problems = find_problems({"1": titled}, many)
    assert len(problems) == 1000 and sum(len(p.what) + len(p.where) for p in problems) < 2_000_000


def test_a_name_is_whole_in_a_problem() -> None:
    name = "a\x1b[2J\nfix: evil" + "x" * 500
    unknown: Any = {**node(name), "_meta": {"title": name}}
    (problem,) = find_problems({**GOOD, "2": unknown}, OBJECT_INFO)
    assert name in problem.what and name in problem.where
