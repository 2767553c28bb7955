import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.catalog.repository_url import parse_repository_url

REPO = "github.com/owner/some.repo"


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/Owner/Some.Repo",
        "https://github.com/owner/some.repo.git",
        "https://github.com/owner/some.repo/",
        "https://www.github.com/owner/some.repo",
        "https://user:secret@github.com/owner/some.repo",
        "git@github.com:owner/some.repo.git",
        "ssh://git@github.com/owner/some.repo",
        "owner/some.repo",
        "https://github.com/owner/some.repo/tree/main/nodes",
        "https://github.com/owner/some.repo/wiki/Home",
        "https://github.com/owner/some.repo#readme",
        "https://raw.githubusercontent.com/owner/some.repo/main/node.py",
        "https://github.com/owner/some.repo/raw/refs/heads/main/node.py",
    ],
)
def test_all_ways_to_write_an_address_are_one_identity(text: str) -> None:
    place = parse_repository_url(text)
    assert place is not None and place.identity == REPO
    assert "secret" not in place.url


def test_a_python_file_is_named_beside_its_repository() -> None:
    place = parse_repository_url("https://raw.githubusercontent.com/o/r/main/a%20b.py")
    assert place is not None and place.url == "https://github.com/o/r"
    assert place.file == "https://raw.githubusercontent.com/o/r/main/a%20b.py"


@pytest.mark.parametrize(
    "text",
    ["", "word", "file:///etc", "/etc/passwd", "ext::sh -c x", "-oProxyCommand=x", "http://h/x", "../up", "a" * 2000],
)
def test_what_nobody_should_follow_names_no_repository(text: str) -> None:
    assert parse_repository_url(text) is None


@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    place = parse_repository_url(text)
    assert place is None or place.identity


def test_a_repository_may_be_called_like_a_file() -> None:
    place = parse_repository_url("https://github.com/o/nodes.py")
    assert place is not None and place.file is None and place.identity == "github.com/o/nodes.py"


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
FORMS = (
    "https://github.com/{}/{}",
    "https://GitHub.com/{}/{}.git",
    "https://www.github.com/{}/{}/",
    "https://token@github.com/{}/{}.git",
    "https://github.com:443/{}/{}",
    "ssh://git@github.com/{}/{}.git",
    "git@github.com:{}/{}.git",
    "{}/{}",
    "https://raw.githubusercontent.com/{}/{}/main/x.py",
    "https://github.com/{}/{}/tree/main",
)


@given(NAMES, NAMES, st.sampled_from(FORMS), st.sampled_from((str.lower, str.upper, str)))
def test_however_a_repository_is_written_it_is_the_same(owner: str, name: str, form: str, case: type[str]) -> None:
    place = parse_repository_url(form.format(case(owner), case(name)))
    assert place is not None and place.identity == f"github.com/{owner}/{name}".lower()


@given(NAMES, NAMES, NAMES)
def test_another_owner_or_name_is_another_repository(owner: str, name: str, other: str) -> None:
    here, there = parse_repository_url(f"{owner}/{name}"), parse_repository_url(f"{owner}/{other}")
    assert here is not None and there is not None
    assert (here.identity == there.identity) == (name.lower() == other.lower())
