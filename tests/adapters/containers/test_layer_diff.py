import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pycomfy.adapters.containers.layer_diff import MAX_REPORTED, explain_json, explain_layers
from tests.support.layer_folders import Content, File, Link, write_layer_folder

A, EMPTY = File(b"same"), File(b"")


def layer(folder: Path, contents: Mapping[str, Content], **exceptions: tuple[int, int, int]) -> Path:
    write_layer_folder(folder, contents, exceptions)
    return folder


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": A}, {"a": A, "b": EMPTY}, "b: only in the rebuilt one"),
        ({"a": A, "b": EMPTY}, {"a": A}, "b: only in the recorded one"),
        ({"a": File(b"x")}, {"a": File(b"xy")}, "a: size 1 → 2"),
        ({"a": File(b"x")}, {"a": File(b"x", True)}, "a: mode 644 → 755"),
        ({"a": Link("x")}, {"a": Link("y")}, "a: target x → y"),
        ({"a": Link("x")}, {"a": File(b"x")}, "a: kind link → file, mode 777 → 644, target x → none, size none → 1"),
        ({"a": None}, {"a": EMPTY}, "a: kind folder → file, mode 755 → 644, size none → 0"),
        ({"a": A}, {"a": A}, "the files are equal: the tars were made of them by different rules"),
        (
            {"a": File(b"\0" * 3_000_000 + b"abc")},
            {"a": File(b"\0" * 3_000_000 + b"axc")},
            "a: from byte 3000001 on: 6263 → 7863",
        ),
    ],
)
def test_a_difference_is_told_by_entry(
    tmp_path: Path, old: Mapping[str, Content], new: Mapping[str, Content], told: str
) -> None:
    assert explain_layers(layer(tmp_path / "old", old), layer(tmp_path / "new", new)).lines == (told,)


def test_owners_and_modes_that_are_not_the_rules_are_compared(tmp_path: Path) -> None:
    old, new = layer(tmp_path / "old", {"data": None}), layer(tmp_path / "new", {"data": None}, data=(0o700, 5, 6))
    assert explain_layers(old, new).lines == ("data: mode 755 → 700, uid 0 → 5, gid 0 → 6",)


def test_many_differences_are_counted(tmp_path: Path) -> None:
    many = layer(tmp_path / "old", {f"{i}": EMPTY for i in range(100)})
    lines = explain_layers(many, layer(tmp_path / "new", {})).lines
    assert len(lines) == MAX_REPORTED + 1 and lines[-1] == "and 80 more"


@pytest.mark.skipif(shutil.which("diffoscope") is None, reason="diffoscope is not installed")
def test_diffoscope_reports_on_the_file(tmp_path: Path) -> None:
    old = layer(tmp_path / "old", {"a.txt": File(b"one\n")})
    report = explain_layers(old, layer(tmp_path / "new", {"a.txt": File(b"two\n")})).report
    assert "-one" in report and "+two" in report


def test_a_config_is_told_by_key(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(json.dumps({"a": {"b": [1, 2]}, "c": 1}))
    (tmp_path / "new").write_text(json.dumps({"a": {"b": [1, 3]}}))
    assert explain_json(tmp_path / "old", tmp_path / "new").lines == ("a.b[1]: 2 → 3", "c: 1 → null")
