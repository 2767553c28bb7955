import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.catalog.templates import INDEX, parse_templates

CORE = {"LoadImage", "SaveVideo"}
PACKS = {"OfAPack"}


def workflow(*types: str) -> bytes:
    nodes = [{"id": i, "type": t, "mode": 0} for i, t in enumerate(types, start=1)]
    return json.dumps({"version": 0.4, "nodes": nodes, "links": []}).encode()


def index(**versions: object) -> bytes:
    templates = [{"name": name, "minComfyUIVersion": version} for name, version in versions.items()]
    return json.dumps([{"moduleName": "default", "templates": templates}]).encode()


def read(files: dict[str, bytes]) -> dict[str, str]:
    return parse_templates(files, CORE.__contains__, PACKS.__contains__)


def test_a_type_is_known_from_the_oldest_comfyui_that_a_template_with_it_asks_for() -> None:
    files = {
        INDEX: index(a="0.42.6", b="0.9.0", c="0.10"),
        "a.json": workflow("LoadImage", "New", "SaveVideo"),
        "b.json": workflow("LoadImage"),
        "c.json": workflow("New"),
    }
    assert read(files) == {"LoadImage": "0.9.0", "New": "0.10", "SaveVideo": "0.42.6"}


def test_a_template_with_a_node_of_a_pack_says_nothing_of_types_that_nobody_lists() -> None:
    files = {INDEX: index(a="0.42.6"), "a.json": workflow("LoadImage", "OfAPack", "Unlisted")}
    assert read(files) == {"LoadImage": "0.42.6"}


def test_what_is_not_in_order_is_left_out() -> None:
    files: dict[str, bytes] = {
        INDEX: index(a="latest", b=7, c="1.0", d="1.0", e="1.0.0.0.0.0", **{"../f": "1.0"}),
        "a.json": workflow("LoadImage"),
        "b.json": workflow("LoadImage"),
        "c.json": b"{",
        "e.json": workflow("LoadImage"),
        "f.json": workflow("LoadImage"),
    }
    assert read(files) == {}
    assert read({}) == read({INDEX: b"[" * 100_000}) == read({INDEX: b"\xff"}) == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["templates", "name", "minComfyUIVersion", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_index_is_read(value: Any) -> None:
    assert read({INDEX: json.dumps(value).encode(), "x.json": workflow("LoadImage")}) in ({}, {"LoadImage": "1.0"})
