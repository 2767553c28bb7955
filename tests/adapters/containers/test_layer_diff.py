import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from pycomfy.adapters.containers.layer_diff import MAX_REPORTED, explain_json, explain_layers

Entry = tuple[str, bytes, dict[str, object]]


def tar(path: Path, *entries: Entry) -> Path:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as out:
        for name, data, fields in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            out.addfile(info, io.BytesIO(data))
    return path


A: Entry = ("a", b"same", {})


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ([A], [A, ("b", b"", {})], "b: only in the rebuilt one"),
        ([A, ("b", b"", {})], [A], "b: only in the recorded one"),
        ([("a", b"x", {})], [("a", b"xy", {})], "a: size 1 → 2"),
        ([("a", b"x", {"mode": 0o644})], [("a", b"x", {"mode": 0o755})], "a: mode 644 → 755"),
        ([("a", b"x", {"mtime": 1, "uid": 0})], [("a", b"x", {"mtime": 2, "uid": 5})], "a: uid 0 → 5, mtime 1 → 2"),
        (
            [("a", b"", {"type": tarfile.SYMTYPE, "linkname": "x"})],
            [("a", b"", {"type": tarfile.SYMTYPE, "linkname": "y"})],
            "a: linkname x → y",
        ),
        ([A, ("b", b"", {})], [("b", b"", {}), A], "the order of the entries"),
        (
            [("a", b"\0" * 3_000_000 + b"abc", {})],
            [("a", b"\0" * 3_000_000 + b"axc", {})],
            "a: from byte 3000001 on: 6263 → 7863",
        ),
    ],
)
def test_a_difference_is_told_by_entry(tmp_path: Path, old: list[Entry], new: list[Entry], told: str) -> None:
    assert explain_layers(tar(tmp_path / "old", *old), tar(tmp_path / "new", *new)).lines == (told,)


def test_many_differences_are_counted(tmp_path: Path) -> None:
    many: list[Entry] = [(f"{i}", b"", {}) for i in range(100)]
    lines = explain_layers(tar(tmp_path / "old", *many), tar(tmp_path / "new")).lines
    assert len(lines) == MAX_REPORTED + 1 and lines[-1] == "and 80 more"


@pytest.mark.skipif(shutil.which("diffoscope") is None, reason="diffoscope is not installed")
def test_diffoscope_reports_on_the_file(tmp_path: Path) -> None:
    old, new = tar(tmp_path / "old", ("a.txt", b"one\n", {})), tar(tmp_path / "new", ("a.txt", b"two\n", {}))
    report = explain_layers(old, new).report
    assert "-one" in report and "+two" in report


def test_a_config_is_told_by_key(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(json.dumps({"a": {"b": [1, 2]}, "c": 1}))
    (tmp_path / "new").write_text(json.dumps({"a": {"b": [1, 3]}}))
    assert explain_json(tmp_path / "old", tmp_path / "new").lines == ("a.b[1]: 2 → 3", "c: 1 → null")
