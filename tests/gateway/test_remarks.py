from hypothesis import given
from hypothesis import strategies as st

from pycomfy.gateway.remarks import LONGEST, MOST, find_remarks

LOG = """\
Total VRAM 2000 MB
/opt/ComfyUI/custom_nodes/painter/brush.py:12: DeprecationWarning: old
  import thing
\x1b[33m[Card] Warning: segno is not installed\x1b[0m
Warning: nobody knows whose
Traceback (most recent call last):
  File "/opt/ComfyUI/custom_nodes/painter/more.py", line 3, in <module>
    import rare
ModuleNotFoundError: No module named 'rare'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/opt/ComfyUI/custom_nodes/painter/__init__.py", line 3, in <module>
ValueError: not found
painter goes on
Traceback (most recent call last):
  File "/opt/ComfyUI/custom_nodes/broken/__init__.py", line 1, in <module>
KeyError: 'x'
Cannot import /opt/ComfyUI/custom_nodes/broken module for custom nodes: 'x'
   0.0 seconds (IMPORT FAILED): /opt/ComfyUI/custom_nodes/broken
   0.0 seconds: /opt/ComfyUI/custom_nodes/painter
"""


def test_warnings_and_caught_tracebacks_are_their_packs() -> None:
    found = find_remarks(LOG.splitlines(), ["broken", "card", "painter"])
    assert [(r["pack"], r["text"].splitlines()[0]) for r in found] == [
        ("card", "[Card] Warning: segno is not installed"),
        ("painter", "/opt/ComfyUI/custom_nodes/painter/brush.py:12: DeprecationWarning: old"),
        ("painter", "Traceback (most recent call last):"),
    ]
    assert found[2]["text"].splitlines()[-1] == "ValueError: not found"
    assert "'rare'" in found[2]["text"]


def test_empty_lines_that_the_server_drops_make_no_difference() -> None:
    packs = ["broken", "card", "painter"]
    bare = find_remarks([line for line in LOG.splitlines() if line.strip()], packs)
    assert [r["text"].replace("\n\n", "\n") for r in find_remarks(LOG.splitlines(), packs)] == [r["text"] for r in bare]


def test_a_pack_that_never_stops_is_cut_short() -> None:
    lines = ["painter: error " + "x" * 2 * LONGEST + str(n) for n in range(10 * MOST)]
    found = find_remarks(lines, ["painter"])
    assert len(found) == MOST and {len(r["text"]) for r in found} == {LONGEST}


words = st.sampled_from(["Traceback (most recent call last):", "  File", "ValueError: x", "painter error", "", "ok"])


@given(st.lists(words, max_size=12))
def test_no_log_is_too_strange(lines: list[str]) -> None:
    for remark in find_remarks(lines, ["painter"]):
        assert remark["pack"] == "painter" and remark["text"] in "\n".join(lines)
