"""What the editor answered is kept by all that it depends on."""

from pathlib import Path

from pycomfy.adapters.browser.editor import DRIVER, answer_key, keep, read_kept
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.editor_prompt import MOMENTS, EditorAnswer

PROMPT: Prompt = {"1": {"class_type": "A", "inputs": {"a": [1, "x"]}}}
ANSWER = EditorAnswer((PROMPT,) * len(MOMENTS))
KEY = answer_key("environment", ["b", "a"], {"nodes": []})


def test_a_kept_answer_is_found_again(tmp_path: Path) -> None:
    assert read_kept(tmp_path, KEY) is None
    keep(tmp_path, KEY, ANSWER)
    assert read_kept(tmp_path, KEY) == ANSWER


def test_a_damaged_answer_counts_as_none(tmp_path: Path) -> None:
    keep(tmp_path, KEY, ANSWER)
    (file,) = (tmp_path / "editor").iterdir()
    for damage in (b"", b"{", b'{"prompts": []}', file.read_bytes()[:-5]):
        file.write_bytes(damage)
        assert read_kept(tmp_path, KEY) is None


def test_the_key_has_all_that_an_answer_depends_on() -> None:
    assert answer_key("environment", ["a", "b"], {"nodes": []}) == KEY
    others = [
        answer_key("another", ["a", "b"], {"nodes": []}),
        answer_key("environment", ["a", "c"], {"nodes": []}),
        answer_key("environment", ["a", "b"], {"nodes": [1]}),
        answer_key("environment", ["a", "b"], {"nodes": [], "extra": {}}),
        answer_key("environment", ["a", "b"], {"extra": {}, "nodes": []}),  # scripts see the order
    ]
    assert len({KEY, *others}) == 6


def test_what_is_mounted_needs_nothing_of_pycomfy() -> None:
    """The image's Python runs it, which may be older and has none of our packages."""
    assert {path.name for path in DRIVER.iterdir() if path.is_file()} == {"driver.py", "editor.js", "fonts.conf"}
    assert "pycomfy." not in (DRIVER / "driver.py").read_text()
