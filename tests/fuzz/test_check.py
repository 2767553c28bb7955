"""The fuzzer itself: what it calls a fault, and what it makes of an input."""

import json
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pycomfy.errors import BadInput
from pycomfy.services.results import Result
from tests.fuzz import check as checks
from tests.fuzz.check import check
from tests.fuzz.formats import BYTES, JSON, LINES, TAR, TOML, YAML, ZIP, Format, pack_tar, pack_zip
from tests.fuzz.minimise import minimise
from tests.fuzz.mutation import MAX_BYTES, mutate
from tests.fuzz.printing import acts_on_terminal, print_result
from tests.fuzz.target import Target


class Shown(Result):
    text: str


TREE = {"name": "x", "list": [1, 2.5, "text"], "table": {"a": {"b": "c"}}, "text": '{"in": ["it"]}'}

SEEDS = {
    BYTES: b"\x89PNG and so on",
    JSON: JSON.encode(TREE),
    LINES: b"one\ntwo\n",
    TOML: TOML.encode(TREE),
    YAML: YAML.encode(TREE),
    ZIP: pack_zip([["a/b.json", b"{}", 0, 8], ["c", b"d", 0, 0]]),
    TAR: pack_tar([["a/b", b"c", 0o644, b"0", ""], ["l", b"", 0o777, b"2", "../x"]]),
}


def fault(tmp_path: Path, run: Callable[[bytes, Path], object]) -> str:
    found = check(Target("x", run, list), b"input", tmp_path / "input")
    assert not (tmp_path / "input").exists() and list(tmp_path.glob("input*")) == []
    return "" if found is None else found.text


def test_a_result_and_an_error_of_ours_are_no_fault(tmp_path: Path) -> None:
    def refuse(data: bytes, folder: Path) -> None:
        (folder / "made").write_bytes(data)
        raise BadInput("no\x1b[31m [red]", where="x\udcff", fix="another\nline")

    assert fault(tmp_path, lambda data, folder: data) == ""
    assert fault(tmp_path, refuse) == ""


def test_any_other_exception_is_a_fault(tmp_path: Path) -> None:
    assert "ZeroDivisionError" in fault(tmp_path, lambda data, folder: 1 // 0)
    assert "RecursionError" in fault(tmp_path, lambda data, folder: json.loads("[" * 100_000))


def test_an_error_that_says_nothing_or_has_no_end_is_a_fault(tmp_path: Path) -> None:
    def refuse(text: str) -> Callable[[bytes, Path], None]:
        def run(data: bytes, folder: Path) -> None:
            raise BadInput(text)

        return run

    assert "says nothing" in fault(tmp_path, refuse(" "))
    assert "a message without end" in fault(tmp_path, refuse("x" * 2_000_000))


def test_writing_outside_of_the_folder_is_a_fault_whoever_writes(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    link = tmp_path / "link"
    assert "outside" in fault(tmp_path, lambda data, folder: outside.write_bytes(data))
    assert "outside" in fault(tmp_path, lambda data, folder: outside.mkdir())
    assert "link" in fault(tmp_path, lambda data, folder: link.symlink_to("x"))
    assert "input" in fault(tmp_path, lambda data, folder: folder.rename(outside))
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_that_stays_is_a_fault(tmp_path: Path) -> None:
    assert "left in the folder for temporary files" in fault(tmp_path, lambda data, folder: tempfile.mkdtemp())


def test_a_connection_to_another_machine_is_a_fault(tmp_path: Path) -> None:
    assert "192.0.2.1" in fault(tmp_path, lambda data, folder: socket.create_connection(("192.0.2.1", 9)))


def test_a_result_is_printed_as_the_commands_print_it() -> None:
    print_result(Shown(text="a\udcff\x1b[2J"))
    assert acts_on_terminal("\x1b[2J") and acts_on_terminal("\udcff") and not acts_on_terminal("a\tb\n")


def test_computing_without_end_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CPU_SECONDS", 0.05)

    def run(data: bytes, folder: Path) -> None:
        while True:
            try:
                sum(range(1000))
            except Exception:  # noqa: BLE001  (it must not help)
                continue

    assert "_TooSlow" in fault(tmp_path, run)


@pytest.mark.parametrize("format_", SEEDS, ids=lambda f: f.name)
def test_new_inputs_are_others_and_mostly_of_the_format(format_: Format) -> None:
    made = [mutate(SEEDS[format_], format_, Random(number)) for number in range(200)]
    assert made == [mutate(SEEDS[format_], format_, Random(number)) for number in range(200)]
    assert len(set(made)) > 100 and max(map(len, made)) <= MAX_BYTES
    assert sum(_has_format(data, format_) for data in made) > 100


def _has_format(data: bytes, format_: Format) -> bool:
    try:
        format_.decode(data)
    except Exception:  # noqa: BLE001
        return False
    return True


@pytest.mark.parametrize("format_", SEEDS, ids=lambda f: f.name)
def test_an_input_is_put_together_as_it_was(format_: Format) -> None:
    tree = format_.decode(SEEDS[format_])
    assert format_.decode(format_.encode(tree)) == tree


def test_an_input_is_made_as_small_as_its_fault_allows() -> None:
    value = {"many": list(range(50)), "table": {"bad": ["a", "\0", "c"]}, "more": "x" * 100}
    smallest = minimise(json.dumps(value).encode(), JSON, lambda data: b"\\u0000" in data)
    assert smallest == b"\\u0000"
