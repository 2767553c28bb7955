import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.versions.reference import Reference, check_tag, check_workflow_name, parse_reference
from pycomfy.errors import BadInput

NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._+-]{0,50}\Z")


@given(NAMES, st.none() | st.integers(1, 10**8))
def test_a_reference_is_read_as_it_is_written(name: str, version: int | None) -> None:
    reference = Reference(name, version)
    assert parse_reference(str(reference)) == reference


@given(NAMES, NAMES.filter(lambda r: not r.isdigit()))
def test_a_tag_or_commit_is_a_revision(name: str, revision: str) -> None:
    assert parse_reference(f"{name}@{revision}") == Reference(name, None, revision)


@pytest.mark.parametrize("text", ["", "@1", "a@", "a@0", "a@-1", "a@-x", "-a", ".a", "a/b", "a@1@2", "a\n", "a@1\n"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="cannot name a version"):
        parse_reference(text)


def test_a_number_is_a_number_and_forty_digits_are_a_commit() -> None:
    assert parse_reference("a@0123456") == Reference("a", None, "0123456")
    assert parse_reference("a@" + "1" * 40).revision == "1" * 40
    assert parse_reference("a@123456789").version == 123456789


@pytest.mark.parametrize("name", ["", "a..b", "a.lock", "a.", "HEAD", "-a", "a/b", "a b", "ä"])
def test_names_that_git_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="cannot be the name"):
        check_workflow_name(name)


@pytest.mark.parametrize("tag", ["", "7", "a..b", "a.lock", "-d", "a/b"])
def test_tags_that_could_be_taken_for_something_else_are_refused(tag: str) -> None:
    with pytest.raises(BadInput, match="cannot be a tag"):
        check_tag(tag)


def test_ordinary_names_are_accepted() -> None:
    assert check_workflow_name("flux.1-dev_fp8") == "flux.1-dev_fp8"
    assert check_tag("v1.0") == "v1.0"
