"""Calling the command line wrongly is told as such, not as a bug."""

import subprocess
import sys

import pytest


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
def test_a_wrong_call_is_a_usage_error(arguments: list[str], told: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pycomfy", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr and done.stdout == ""
