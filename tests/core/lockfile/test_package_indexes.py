import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.package_indexes import (
    IndexConfig,
    PackageIndex,
    find_links,
    render_index_config,
    strip_logins,
    translate_pip,
)
from pycomfy.core.python.requirements import parse_requirements
from pycomfy.errors import BadConfig, Unresolved


def test_pips_variables_become_uvs_where_uv_is_told_nothing() -> None:
    pip = {"PIP_INDEX_URL": "https://i/simple", "PIP_EXTRA_INDEX_URL": "https://a https://b", "PIP_NO_DEPS": "1"}
    assert translate_pip(pip) == {"UV_DEFAULT_INDEX": "https://i/simple", "UV_EXTRA_INDEX_URL": "https://a https://b"}
    assert translate_pip({**pip, "UV_INDEX_URL": "https://u", "UV_INDEX": "https://v"}) == {}
    assert find_links({"PIP_FIND_LINKS": "/a https://b"}) == ("/a", "https://b")
    assert find_links({"PIP_FIND_LINKS": "/a", "UV_FIND_LINKS": "/c,/d e"}) == ("/c", "/d e")


def test_an_index_is_never_shown_with_its_login() -> None:
    index_config = IndexConfig(
        (PackageIndex("ours", "https://me:secret@i.test/{accelerator}", ("torch",)),), accelerator="cu128"
    )
    assert (
        "secret" not in repr(index_config)
        and index_config.address(index_config.indexes[0]) == "https://me:secret@i.test/cu128"
    )
    config = parse_config('[[index]]\nname = "ours"\nurl = "https://me:secret@i.test"\n')
    assert "secret" not in repr(config)


@given(st.text(alphabet="ab:@%$!.", min_size=1, max_size=20))
def test_no_login_is_left_in_a_text(login: str) -> None:
    text = f"see https://{login}@i.test/simple/ and HTTP://{login}@h"
    assert strip_logins(text) == "see https://i.test/simple/ and HTTP://h"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('name = "a"\nurl = "ftp://i.test"', r"index\[0\]\.url: write an http"),
        ('name = "-a"\nurl = "https://i.test"', r"index\[0\]\.name: is malformed"),
        ('name = "a"\nurl = "https://i.test"\npackages = ["--index"]', r"index\[0\]\.packages\[0\]: is malformed"),
        ('name = "a"\nurl = "https://i.test"\ndated = false', r"index\[0\]: dated = false needs packages"),
        ('name = "a"\nurl = "https://i"\n[[index]]\nname = "A"\nurl = "https://j"', "two indexes are called a"),
        (
            'name = "a"\nurl = "https://i"\npackages=["x_y"]\n'
            '[[index]]\nname = "b"\nurl = "https://j"\npackages=["X.Y"]',
            "x-y is in the packages of two indexes",
        ),
    ],
)
def test_an_index_that_says_something_impossible_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        parse_config("[[index]]\n" + text)


def test_an_option_is_passed_over_where_the_user_chose_its_index() -> None:
    config = parse_config(
        'accelerator = "cu128"\nfind-links = ["https://w.test/wheels"]\n'
        '[[index]]\nname = "ours"\nurl = "https://me:secret@i.test/simple/"\n'
    )
    lines = (
        "--extra-index-url https://i.test/simple\n-f https://w.test/wheels/\n--index-url=https://pt.test/whl/cu128\nx\n"
    )
    wants = parse_requirements("pack a", {"requirements.txt": lines}, config.known_locations)
    assert [a.text for a in wants.requirements] == ["x"]


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("--extra-index-url https://u:p@i.test/simple", '[[index]], name = "NAME", url = "https://i.test/simple"'),
        ("-i https://i.test/simple", "[[index]]"),
        ("-ihttps://i.test/simple", "[[index]]"),
        ("--index-url https://pt.test/whl/cu128", 'accelerator = "cu128"'),
        ("--find-links=wheels", 'find-links = ["wheels"]'),
        ('-f "https://x/y\'\\" z"', "find-links = ["),
    ],
)
def test_an_option_that_names_an_index_is_refused_with_the_line_that_allows_it(line: str, mend: str) -> None:
    with pytest.raises(Unresolved, match="would take packages") as e:
        parse_requirements("pack a", {"requirements.txt": line})
    assert mend in e.value.fix and "u:p@" not in str(e.value)


def test_of_a_uv_toml_only_what_is_about_reaching_indexes_is_kept() -> None:
    text = render_index_config(
        {
            "resolution": "lowest",
            "native-tls": True,
            "pip": {"extra-index-url": ["https://a"], "constraint": "x"},
            "index": [{"name": 'q"', "url": "https://i", "default": True, "cache-control": {"api": "x"}}, 7],
        }
    )
    assert tomllib.loads(text) == {
        "native-tls": True,
        "extra-index-url": ["https://a"],
        "index": [{"name": 'q"', "url": "https://i", "default": True}],
    }
    assert render_index_config({"index": "x", "pip": 7}) == ""
