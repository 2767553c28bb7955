"""What pydantic finds wrong, in plain words."""

from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, field_validator

from pycomfy.core.validation import MAX_LISTED, describe_errors, render_location

Key = Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(9, ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]


class House(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    street: str
    number: int
    named: dict[Key, Cat] = Field(default_factory=dict)
    pets: Annotated[tuple[Annotated[Cat | Dog, Field(discriminator="kind")], ...], Field(strict=False)] = ()
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$", max_length=4)] = "0000"
    rooms: Annotated[tuple[str, ...], Field(min_length=1, max_length=2, strict=False)] = ("hall",)
    height: float = Field(3.0, gt=0, lt=100)
    old: bool = False
    built: datetime | None = None

    @field_validator("street")
    @classmethod
    def _check(cls, value: str) -> str:
        if value == "nowhere":
            raise ValueError("There is no such street")
        return value


FINE = {"street": "x", "number": 1}


def described(value: object) -> list[str]:
    with pytest.raises(ValidationError) as e:
        House.model_validate(value)
    return describe_errors(e.value, "the house")


def test_the_keys_that_one_object_lacks_are_one_problem() -> None:
    assert described({}) == ["the house lacks street, number"]
    assert described({**FINE, "named": {"tom": {}}, "odd": 1}) == ["named.tom lacks kind", "odd: there is no such key"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"street": 1}, "street: must be a text"),
        ({"street": "nowhere"}, "street: there is no such street"),
        ({"number": "1"}, "number: must be a whole number"),
        ({"number": 1.5}, "number: must be a whole number"),
        ({"height": "x"}, "height: must be a number"),
        ({"height": 0.0}, "height: must be more than 0.0"),
        ({"height": 100.0}, "height: must be less than 100.0"),
        ({"old": 1}, "old: must be true or false"),
        ({"rooms": "hall"}, "rooms: must be a list"),
        ({"rooms": []}, "rooms: must have at least 1 entry"),
        ({"rooms": ["a", "b", "c"]}, "rooms: must have at most 2 entries"),
        ({"code": "12a4"}, "code: is malformed: it must match ^[0-9]{4}$"),
        ({"code": "12345"}, "code: must have at most 4 characters"),
        ({"named": []}, "named: must have keys and values"),
        ({"named": {"tom": 1}}, "named.tom: must have keys and values"),
        ({"named": {"Tom": {"kind": "cat"}}}, "named.Tom: the key is malformed: it must match ^[a-z]+$"),
        ({"named": {"tom": {"kind": "cow"}}}, "named.tom.kind: must be 'cat'"),
        ({"pets": [{"kind": "cow"}]}, "pets[0]: 'kind' must be 'cat', 'dog'"),
        ({"pets": [{}]}, "pets[0]: 'kind' is missing"),
        ({"pets": [{"kind": "cat", "lives": 10}]}, "pets[0].cat.lives: must be at most 9"),
        ({"pets": [{"kind": "cat", "lives": 0}]}, "pets[0].cat.lives: must be at least 1"),
    ],
)
def test_every_kind_of_problem_has_plain_words(changed: dict[str, Any], problem: str) -> None:
    assert described({**FINE, **changed}) == [problem]


def test_of_the_whole_document_the_sentence_names_it() -> None:
    assert described([]) == ["the house must have keys and values"]
    with pytest.raises(ValidationError) as e:
        House.model_validate_json("{")
    (problem,) = describe_errors(e.value, "the house")
    assert problem.startswith("the house is not JSON: ")


def test_a_type_without_words_of_its_own_has_those_of_pydantic() -> None:
    with pytest.raises(ValidationError) as e:
        House.model_validate({**FINE, "built": 3.5})
    assert "input should be a valid datetime" in describe_errors(e.value, "the house")[0]


def test_of_many_problems_the_others_are_counted() -> None:
    with pytest.raises(ValidationError) as e:
        TypeAdapter(list[int]).validate_python(["x"] * (MAX_LISTED + 2))
    problems = describe_errors(e.value, "the list")
    assert len(problems) == MAX_LISTED + 1 and problems[-1] == "2 more problems"
    assert len(describe_errors(e.value, "the list", limit=None)) == MAX_LISTED + 2


def test_a_location_is_a_path_that_does_not_act_on_a_terminal() -> None:
    assert render_location(("packs", 0, "a b", "x")) == 'packs[0]."a b".x'
    assert render_location(("packs", "ü\x1b[31m")) == 'packs."ü\\u001b[31m"'
    assert render_location(()) == ""
