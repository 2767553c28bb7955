"""Keys that no format knows, at every level; and what is wrong with a file, in plain words."""

import json
from typing import Any

import pytest
from pydantic import Field

from pycomfy.core.interchange.document import MAX_LISTED, ForeignModel, Text, describe_unknown_keys, validate
from pycomfy.core.interchange.parse import list_zip_layouts, parse_environment, parse_members
from pycomfy.errors import PycomfyError


class Leaf(ForeignModel):
    size: int = 0
    known: object = None


class Tree(ForeignModel):
    leaf: Leaf = Leaf()
    leaves: tuple[Leaf, ...] = ()
    named: dict[Text, Leaf] = Field(default_factory=dict)
    pairs: tuple[dict[Text, Leaf], ...] = ()
    anything: object = None


def test_unknown_keys_of_every_level_are_listed_by_their_paths_each_once() -> None:
    document = {
        "odd": 1,
        "leaf": {"odd": {"deeper": 1}},
        "leaves": [{"odd": 1}, {"odd": 2, "other": 3}, {"known": {"x": 1}}],
        "named": {"a": {"odd": 1}, "b": {"size": 1}},
        "pairs": [{"a": {"odd": 1}}],
        "anything": {"x": [{"y": 1}]},
    }
    tree = validate(Tree, document, "here")
    expected = ("leaf.odd", "leaves.*.odd", "leaves.*.other", "named.*.odd", "odd", "pairs.*.*.odd")
    assert tree.unknown_keys == expected
    assert describe_unknown_keys(tree) == (f"unknown keys, ignored: {', '.join(expected)}",)
    assert describe_unknown_keys(Tree()) == ()


def test_of_many_unknown_keys_the_others_are_counted() -> None:
    (note,) = describe_unknown_keys(validate(Tree, {f"k{n:02}": 1 for n in range(MAX_LISTED + 5)}, "here"))
    assert note.endswith("k19 and 5 more")


def test_an_unknown_key_is_named_as_it_is() -> None:
    (note,) = describe_unknown_keys(validate(Tree, {"leaf": {"\x1b[31m": 1}}, "here"))
    assert note == "unknown keys, ignored: leaf.\x1b[31m"


A = "a" * 40
MANAGER: dict[str, Any] = {"comfyui": A, "git_custom_nodes": {"https://h/x": {"hash": A, "new": 1}}, "pips": {}}
DESKTOP: dict[str, Any] = {"customNodes": [{"type": "file", "dirName": "x.py", "new": 1}], "pipPackages": {}}
CLI = {"schema": "distribution-definition/0", "models": [{"type": "vae", "new": 1}], "environment": {"new": 1}}
FIELD = {"title": "x", "workflowPath": ["1", "inputs", "x"], "new": 1}
VIEW = {"viewComfyJSON": {"inputs": [{"title": "group", "inputs": [FIELD]}]}, "workflowApiJSON": {"1": {"new": 1}}}
NODE = {"url": "https://h/x", "new": 1}


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        (MANAGER, "git_custom_nodes.*.new"),
        ({"custom_nodes": MANAGER, "new": 1}, "custom_nodes.git_custom_nodes.*.new, new"),
        ({"custom_nodes": {"https://h/x": NODE}, "missing_nodes": []}, "custom_nodes.*.new"),
        (CLI, "environment.new, models.*.new"),
        (
            {"schema": "comfy-build/1", "definition": CLI, "new": 1},
            "definition.environment.new, definition.models.*.new, new",
        ),
        (DESKTOP, "customNodes.*.new"),
        ({"type": "comfyui-desktop-2-snapshot", "new": 1, "snapshots": [{"customNodes": []}]}, "new"),
        ({"file_type": "view_comfy", "workflows": [VIEW]}, "workflows.*.viewComfyJSON.inputs.*.inputs.*.new"),
        ({"lock-version": "1.0", "packages": [{"name": "x", "version": "1", "wheels": [{"new": 1}]}]}, "wheels.*.new"),
    ],
)
def test_every_format_reports_the_unknown_keys_of_parts(document: object, paths: str) -> None:
    _, environment = parse_environment(json.dumps(document).encode(), "x.json")
    (note,) = (n for n in environment.notes if n.startswith("unknown keys"))
    assert note.endswith(paths)


@pytest.mark.parametrize(
    ("snapshot", "paths"),
    [
        ({**MANAGER, "models": [{"filename": "x", "source": {"new": 1}}]}, "models.*.source.new"),
        ({"custom_nodes": [{"url": "https://h/x", "new": 1}]}, "custom_nodes.*.new"),
    ],
)
def test_packages_of_comfy_pack_do_so_too(snapshot: object, paths: str) -> None:
    (layout,) = list_zip_layouts()
    _, environment = parse_members({"snapshot.json": json.dumps(snapshot).encode()}, layout, "x.cpack.zip")
    (note,) = (n for n in environment.notes if n.startswith("unknown keys"))
    assert note.endswith(paths)


def test_what_is_wrong_is_reported_in_plain_words() -> None:
    document = {"git_custom_nodes": {"x": {"hash": 3}}, "file_custom_nodes": [{}], "comfyui": 4}
    with pytest.raises(PycomfyError) as e:
        parse_environment(json.dumps(document).encode(), "x.json")
    told = str(e.value)
    for expected in (
        "git_custom_nodes.x.hash: must be a text",
        "file_custom_nodes[0] lacks filename",
        "comfyui: must be a text",
    ):
        assert expected in told
