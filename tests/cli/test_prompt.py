"""The question on a terminal: a real one, with this test at its other end."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.cli.prompt import find_asker
from tests.support.waiting import HANG

ROOT = Path(__file__).parents[2]
ASK = """
from pycomfy.cli.prompt import find_asker
from pycomfy.operation import Option, Question
ask = find_asker()
assert ask is not None
options = (Option("bob/ComfyUI-B", "50 stars"), Option("ann/ComfyUI-A", "[red]"))
print("answer:", ask(Question("Y", "which node pack?", "two have it", options)))
"""


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("1\n", "0"),
        ("0\n9\nb\n2\n", "1"),
        ("\n", "None"),
        ("\x04", "None"),
    ],
)
def test_a_candidate_is_chosen_by_its_number(typed: str, answer: str) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=env, text=True
    ) as asked:
        os.close(theirs)
        os.write(ours, typed.encode())
        out, _ = asked.communicate(timeout=HANG)
        assert out.strip() == f"answer: {answer}"
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "which node pack?" in shown and "50 stars" in shown and "[red]" in shown


def test_nobody_is_asked_where_there_is_no_terminal() -> None:
    code = "from pycomfy.cli.prompt import find_asker; print(find_asker())"
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "None\n" and callable(find_asker)
