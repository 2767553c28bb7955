"""Files that a graph names and that are not there."""

from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.graph.missing_files import MissingFile, find_missing_files

TYPES: dict[str, Any] = {
    "Load": {"input": {"required": {"image": [["offered.png"], {"image_upload": True}]}}},
    "LoadNew": {"input": {"required": {"image": ["COMBO", {"options": ["offered.png"], "video_upload": True}]}}},
    "LoadPath": {"input": {"optional": {"image": ["STRING", {"file_upload": True}]}}},
    "Model": {"input": {"required": {"image": [["a.safetensors"], {}]}}},
    "Save": {"input": {"required": {"images": ["IMAGE"]}}, "output_node": True},
}
KINDS = ["Load", "LoadNew", "LoadPath"]


def missing(folder: Path, kind: str, value: object, *, used: bool = True) -> list[MissingFile]:
    folders = {name: folder / name for name in ("input", "output")}
    for path in folders.values():
        path.mkdir(exist_ok=True)
    graph: dict[str, Any] = {"1": {"class_type": kind, "inputs": {"image": value}}, "3": {"class_type": "Save"}}
    graph["2"] = {"class_type": "Save", "inputs": {"images": ["1", 0] if used else ["3", 0]}}
    return find_missing_files(graph, TYPES, folders)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["own.png", "sub/own.png", "own.png [output]", "own.png [input]", "", "a" * 300])
def test_a_file_that_is_nowhere_is_found(tmp_path: Path, kind: str, name: str) -> None:
    assert missing(tmp_path, kind, name) == [MissingFile("1", "image", name)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_in_comfyui_s_folders_is_there(tmp_path: Path, kind: str) -> None:
    missing(tmp_path, kind, "")
    (tmp_path / "input" / "sub").mkdir()
    for path in ("input/own.png", "input/sub/own.png", "output/made.png"):
        (tmp_path / path).touch()
    for name in ("own.png", "own.png [input]", "sub/own.png", "made.png [output]"):
        assert missing(tmp_path, kind, name) == []
    assert missing(tmp_path, kind, "made.png"), "it lies in the other folder"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Load", "offered.png"),
        ("LoadNew", "offered.png"),
        ("Load", "https://example.com/a.png"),
        ("Load", "/somewhere/a.png"),
        ("Load", "a.png [temp]"),
        ("Load", {"__type": "core/ASSET", "info": {"id": "x"}}),
        ("Load", ["3", 0]),
        ("Load", 7),
        ("Model", "b.safetensors"),
        ("Unknown", "a.png"),
    ],
)
def test_what_comfyui_may_take_is_not_judged(tmp_path: Path, kind: str, value: object) -> None:
    assert missing(tmp_path, kind, value) == []


def test_a_node_that_does_not_run_needs_no_file(tmp_path: Path) -> None:
    assert missing(tmp_path, "Load", "own.png", used=False) == []
