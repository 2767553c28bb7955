import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.errors import BadInput
from pycomfy.flow.version.reference import Reference, parse_reference


@given(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._+-]{0,50}\Z"), st.none() | st.integers(1, 10**8))
def test_a_reference_is_read_as_it_is_written(name: str, version: int | None) -> None:
    reference = Reference(name, version)
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize("text", ["", "@1", "a@", "a@0", "a@-1", "a@x", "-a", ".a", "a/b", "a@1@2", "a\n", "a@1\n"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="names no version"):
        parse_reference(text)
