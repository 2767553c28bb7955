import json
import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.catalog.manager_lists import LIST, MAP, STATS, parse_catalog
from pycomfy.core.catalog.model import Listing
from pycomfy.errors import BadInput
from tests.support.catalog_maps import A, B, C, lists, some


def parse_packs(files: Mapping[str, bytes]) -> list[Listing]:
    """Without ComfyUI itself, which is always there."""
    return [p for p in parse_catalog(files) if not p.is_core]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(A),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.just(A), inner, max_size=4),
    max_leaves=12,
)


def test_what_the_three_lists_say_of_a_pack_is_put_together() -> None:
    a = next(p for p in some() if p.url == A)
    assert (a.identity, a.title, a.registry_id) == ("github.com/ann/comfyui-a", "Pack A", "pack-a")
    assert (a.stars, a.updated, a.types) == (5, "2025-11-17", ("Upscale", "X", "Y", "Z"))
    assert a.aliases == ("github.com/old/a",)
    b = next(p for p in some() if p.url == B)
    assert (b.stars, b.preempts) == (50, ("Z",))


def test_variants_of_one_address_are_one_pack() -> None:
    found = parse_packs(lists({A: (["X"],), A.lower() + ".git": (["Y"],), "git@github.com:ann/ComfyUI-A": (["Z"],)}))
    assert [p.types for p in found] == [("X", "Y", "Z")]


def test_a_pack_of_single_files_has_all_of_them() -> None:
    raw = "https://raw.githubusercontent.com/ann/nodes/main/"
    listed = [
        {
            "reference": "https://github.com/ann/nodes",
            "files": [raw + "a.py", raw + "b.py", raw + "c.js"],
            "install_type": "copy",
        }
    ]
    (pack,) = parse_packs(lists({raw + "a.py": (["X"],)}, listed))
    assert pack.url == "https://github.com/ann/nodes" and pack.files == (raw + "a.py", raw + "b.py")


def test_a_file_within_a_repository_that_is_listed_is_of_the_repository() -> None:
    (pack,) = parse_packs(lists({A: (["X"],), A + "/raw/refs/heads/main/y.py": (["Y"],)}))
    assert pack.types == ("X", "Y") and pack.files == ()


def test_a_pattern_that_matches_types_of_other_packs_is_loose() -> None:
    found = parse_packs(
        lists(
            {
                A: (["SmartA"], {"nodename_pattern": "Smart"}),
                B: (["TooSmart"],),
                C: (["x_cc"], {"nodename_pattern": "_cc$|^cc_"}),
            }
        )
    )
    assert {p.url: p.loose for p in found} == {A: True, B: False, C: False}


def test_the_order_of_the_lists_changes_nothing() -> None:
    data = {name: json.loads(text) for name, text in lists({A: (["X", "Y"],), B: (["Y"],), C: (["Z"],)}).items()}
    expected = parse_packs({k: json.dumps(v).encode() for k, v in data.items()})
    for seed in range(5):
        items = list(data[MAP].items())
        random.Random(seed).shuffle(items)
        assert parse_packs({MAP: json.dumps(dict(items)).encode()}) == expected


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"{}", b"[" * 100_000, b'{"ext::sh": [["X"], {}]}'])
def test_what_is_no_map_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        parse_packs({MAP: data})


def test_types_and_texts_that_would_move_the_cursor_are_left_out() -> None:
    (pack,) = parse_packs(lists({A: (["X", "Y\x1b[2J", "", "z" * 501, 3], {"title_aux": "a\x1b[2Jb\n\u202ec"})}))
    assert pack.types == ("X",) and pack.title == "a [2Jb c"


@given(JSON, JSON, JSON)
def test_no_json_breaks_it(map_: object, list_: object, stats: object) -> None:
    files = {
        MAP: {A: [["X"], {}], B: map_},
        LIST: {"custom_nodes": [list_, {"reference": list_, "files": [A]}]},
        STATS: {A: stats},
    }
    found = parse_packs({name: json.dumps(value).encode() for name, value in files.items()})
    assert any("X" in p.types for p in found)


def test_further_types_of_comfyui_are_its_own() -> None:
    core = [p for p in parse_catalog(lists({A: (["X"],)}), ["X", "New"]) if p.is_core]
    assert [p.types for p in core] == [("New", "X")]
