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
