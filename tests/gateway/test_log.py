from hypothesis import given
from hypothesis import strategies as st

from pycomfy.gateway.log import LINE_LIMIT, Lines, Log

FAILED = """\
Traceback (most recent call last):
  File "other.py", line 1, in <module>
KeyError: 'of another pack, long ago'
It goes on.
Traceback (most recent call last):
  File "a.py", line 1, in <module>
ModuleNotFoundError: No module named 'x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 2, in <module>
RuntimeError: broken
Cannot import /opt/ComfyUI/custom_nodes/painter module for custom nodes: broken
Skip /opt/ComfyUI/custom_nodes/empty module for custom nodes due to the lack of NODE_CLASS_MAPPINGS
Failed to execute startup-script: /opt/ComfyUI/custom_nodes/early/prestartup_script.py / no
   0.0 seconds (IMPORT FAILED): /opt/ComfyUI/custom_nodes/painter
   0.0 seconds (IMPORT FAILED): /opt/ComfyUI/custom_nodes/silent
IMPORT FAILED: nodes_audio.py
"""


def test_import_failures_have_their_own_traceback_and_no_other() -> None:
    log = Log()
    for line in FAILED.splitlines():
        log.add(line)
    found = {f.pack: f for f in log.failures}
    assert set(found) == {"painter", "empty", "early", "silent", "nodes_audio.py"}
    assert found["painter"].message == "broken"
    assert found["painter"].traceback.startswith('Traceback (most recent call last):\n  File "a.py"')
    assert found["painter"].traceback.endswith("RuntimeError: broken")
    assert found["empty"].traceback == ""


def test_a_log_that_only_mentions_imports_has_no_failures() -> None:
    log = Log()
    for line in ("   0.1 seconds: /opt/ComfyUI/custom_nodes/good", "import failed? no", "Traceback is a word"):
        log.add(line)
    assert log.failures == []


def test_colours_are_removed_and_long_lines_cut() -> None:
    log = Log()
    log.add("\x1b[31mred\x1b[0m")
    log.add("x" * 10 * LINE_LIMIT)
    assert log.tail[0] == "red"
    assert len(log.tail[1]) == LINE_LIMIT


@given(st.lists(st.text(alphabet="ab€ ", max_size=10)), st.integers(1, 7))
def test_lines_are_the_same_however_the_bytes_are_cut(lines: list[str], size: int) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    reader = Lines()
    got = [line for i in range(0, len(data), size) for line in reader.feed(data[i : i + size])]
    assert [*got, *reader.end()] == [line.rstrip() for line in lines]


def test_a_progress_bar_is_lines_too() -> None:
    assert list(Lines().feed(b"10%\r20%\r\ndone\nrest")) == ["10%", "20%", "done"]


def test_a_traceback_comes_before_what_a_start_script_said() -> None:
    log = Log()
    lines = """Failed to execute startup-script: /opt/ComfyUI/custom_nodes/early/prestartup_script.py / no pip
Traceback (most recent call last):
ImportError: Bad git executable.
Cannot import /opt/ComfyUI/custom_nodes/early module for custom nodes: Bad git executable."""
    for line in lines.splitlines():
        log.add(line)
    (failure,) = log.failures
    assert failure.message == "Bad git executable." and failure.traceback.endswith("Bad git executable.")
