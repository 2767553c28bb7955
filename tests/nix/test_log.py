import json

import pytest

from pycomfy.adapters.nix.internal_json import LogReader, explain_failure
from pycomfy.errors import NoSpace


def line(**data: object) -> str:
    return "@nix " + json.dumps(data)


def test_nothing_that_a_terminal_obeys_comes_out_of_a_builder_of_strangers() -> None:
    reader = LogReader()
    reader.read(line(action="start", id=1, type=105, fields=["/nix/store/" + "a" * 32 + "-layer-a-x.drv"]))
    said = "\x1b[31mred\x1b[0m \x1b]0;title\x07x\x01\x00y\tz"
    _, text = reader.read(line(action="result", id=1, type=101, fields=[said]))
    assert text == "layer-a-x> red x y\tz"


@pytest.mark.parametrize("said", ["writing: No space left on device", "setting journal mode: database or disk is full"])
def test_a_full_disk_is_known_whoever_notices_it_and_told_with_what_is_free(said: str) -> None:
    reader = LogReader()
    reader.read(line(action="msg", level=0, msg=f"error: {said}"))
    error = explain_failure(reader, "x.log")
    assert isinstance(error, NoSpace) and error.what.count("MB free in") == 2 and error.fix


def test_nix_only_waits_while_it_waits_for_a_lock_and_neither_builds_nor_fetches_nor_asks() -> None:
    reader = LogReader()
    seen = []
    for step in (
        line(action="start", id=1, type=104, text="", fields=[]),
        line(action="start", id=2, type=111, text="waiting for lock on '/nix/store/x'", fields=[]),
        line(action="start", id=3, type=101, fields=["https://x.example/f"]),
        line(action="start", id=4, type=109, fields=["/nix/store/y", "https://x.example"]),
        line(action="stop", id=3),
        line(action="stop", id=4),
        line(action="stop", id=2),
    ):
        reader.read(step)
        seen.append(reader.only_waits)
    assert seen == [False, True, False, False, False, True, False]
