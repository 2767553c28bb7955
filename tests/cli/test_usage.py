"""Calling the command line wrongly is told as such, not as a bug."""

import os
from pathlib import Path

import pytest

from tests.support.command_line import call


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nope"], "No such command"),
        (["lock"], "WORKFLOW"),
        (["lock", "--nope", "x.json"], "--nope"),
        (["lock", "--pack", "x", "x.json"], "NAME=URL"),
        (["build", "--platform", "linux/riscv64", "x.json"], "linux/amd64"),
        (["convert", "a.json", "b.json", "--object-info", "i.json"], "-o DIR"),
    ],
)
def test_a_wrong_call_is_a_usage_error(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = call(*arguments, cwd=tmp_path, env=os.environ)
    assert done.status == 2
    assert told in done.err and "Traceback" not in done.err and done.out == ""
