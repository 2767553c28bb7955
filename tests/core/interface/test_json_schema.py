"""Arguments against an interface: every mistake is told with what may be given instead."""

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.interface.json_schema import apply_arguments, check_arguments, describe_type, inputs_schema
from pycomfy.core.interface.model import Interface, Parameter, Target
from pycomfy.core.prompt.convert import Prompt
from pycomfy.errors import BadInput, ErrorGroup, PycomfyError

INTERFACE = Interface(
    parameters=(
        Parameter(name="prompt", type="text", targets=(Target(node="1", input="text"),), default="a cat"),
        Parameter(name="steps", type="integer", targets=(), default=20, minimum=1, maximum=100),
        Parameter(name="cfg", type="number", targets=(), default=7.0, minimum=0),
        Parameter(name="on", type="boolean", targets=(), default=False),
        Parameter(name="sampler", type="choice", targets=(), default="euler", choices=("euler", "heun", "dpmpp_2m")),
        Parameter(name="image", type="image", targets=(), default="a.png"),
        Parameter(name="points", type="json", targets=(), default=None),
    )
)


def mistake(**arguments: object) -> BadInput:
    with pytest.raises(BadInput) as caught:
        check_arguments(INTERFACE, arguments)
    assert caught.value.where == f"inputs.{next(iter(arguments))}"
    return caught.value


@pytest.mark.parametrize(
    ("kind", "low", "high", "bounds"),
    [
        ("integer", 0.5, 2.5, {"minimum": 1, "maximum": 2}),
        ("integer", -1e30, 1e30, {"minimum": int(-1e30), "maximum": int(1e30)}),
        ("integer", float("-inf"), float("inf"), {}),
        ("number", float("nan"), float("inf"), {}),
        ("integer", -(10**400), 10**400, {}),
        ("number", -(10**400), 10**400, {}),
        ("number", 0.5, 2, {"minimum": 0.5, "maximum": 2}),
    ],
)
def test_bounds_are_those_that_a_schema_can_have(
    kind: Literal["integer", "number"], low: float, high: float, bounds: dict[str, float]
) -> None:
    """As packs write them: `"max": float("inf")`, or a float for an INT."""
    interface = Interface(
        parameters=(Parameter(name="n", type=kind, targets=(), default=2, minimum=low, maximum=high),)
    )
    schema = inputs_schema(interface)["properties"]["n"]
    assert {key: schema[key] for key in ("minimum", "maximum") if key in schema} == bounds
    json.dumps(schema, allow_nan=False)
    assert check_arguments(interface, {"n": 2}) == {"n": 2}


def test_an_unknown_input_is_told_with_the_nearest_and_all() -> None:
    fix = mistake(promt="x").fix
    assert fix.startswith("did you mean prompt? ")
    assert "steps (integer, 1 to 100), cfg (number, at least 0)" in fix and "sampler (choice, one of 3)" in fix


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("steps", "many", '"many" is not of type integer'),
        ("steps", 1.5, "1.5 is not of type integer"),
        ("steps", True, "true is not of type integer"),
        ("steps", "0", '"0" is less than 1'),
        ("steps", 101, "101 is more than 100"),
        ("steps", "9" * 5000, "is not of type integer"),
        ("cfg", True, "true is not of type number"),
        ("cfg", "nan", '"nan" is not of type number'),
        ("cfg", "inf", '"inf" is not of type number'),
        ("on", "maybe", '"maybe" is not of type boolean'),
        ("sampler", "eular", '"eular" is not one of the choices'),
        ("prompt", 5, "5 is not of type text"),
        ("prompt", "\ud800", "is not of type text"),
        ("prompt", "x" * 1_000_001, "a text of more than 1000000 characters"),
        ("image", ["a.png"], '["a.png"] is not of type image'),
    ],
)
def test_a_wrong_value_is_told_with_what_fits(name: str, value: object, what: str) -> None:
    error = mistake(**{name: value})
    assert what in error.what and len(error.what) < 300
    assert error.fix


def test_choices_are_told_nearest_first() -> None:
    assert mistake(sampler="dpm_2m").fix == "give one of: dpmpp_2m, euler, heun"


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ErrorGroup) as caught:
        check_arguments(INTERFACE, {"steps": 0, "cfg": "x", "nope": 1})
    assert {p.where for p in caught.value.problems} == {"inputs.steps", "inputs.cfg", "inputs.nope"}


@pytest.mark.parametrize("name", ["model_fields_set", "model_config", "json", "copy", "input_0", "schema"])
@pytest.mark.filterwarnings("error")
def test_an_input_may_be_called_like_something_of_a_model(name: str) -> None:
    target = Target(node="1", input="x")
    interface = Interface(parameters=(Parameter(name=name, type="integer", targets=(target,), default=1),))
    assert check_arguments(interface, {name: "5"}) == {name: 5}
    assert check_arguments(interface, {}) == {}
    prompt: Prompt = {"1": {"class_type": "X", "inputs": {"x": 1}}}
    assert apply_arguments(prompt, interface, {name: 5})["1"]["inputs"] == {"x": 5}
    assert list(inputs_schema(interface)["properties"]) == [name]


def test_a_choice_without_choices_is_told() -> None:
    interface = Interface(parameters=(Parameter(name="x", type="choice", targets=()),))
    with pytest.raises(BadInput, match="a choice without choices"):
        check_arguments(interface, {"x": "c"})


def test_choices_are_proposed_as_they_are() -> None:
    parameter = Parameter(name="x", type="choice", targets=(), default={"a": 1}, choices=("\x1b[2J", "b"))
    with pytest.raises(BadInput) as caught:
        check_arguments(Interface(parameters=(parameter,)), {"x": "c"})
    assert caught.value.fix == "give one of: \x1b[2J, b"


def test_the_type_is_described_with_its_range() -> None:
    assert describe_type(Parameter(name="x", type="number", targets=(), maximum=2)) == "number, at most 2"
    assert describe_type(Parameter(name="x", type="text", targets=())) == "text"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([p.name for p in INTERFACE.parameters]) | st.text(), JSON, max_size=4))
def test_whatever_is_given_is_taken_or_told(arguments: dict[str, object]) -> None:
    try:
        values = check_arguments(INTERFACE, arguments)
    except PycomfyError as e:
        told = e.problems if isinstance(e, ErrorGroup) else (e,)
        assert all(p.what and p.where and p.fix and isinstance(p, BadInput) for p in told)
    else:
        assert values.keys() == arguments.keys()
