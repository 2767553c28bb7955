"""A container in which packs do what they like: what `ask_editor` makes of it. Engine and container are real."""

import json
from pathlib import Path

import pytest

from pycomfy.adapters.browser import editor
from pycomfy.adapters.browser.editor import MAX_LOG, ask_editor
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.core.prompt.editor_prompt import MOMENTS, BadAnswer, EditorAnswer

GOOD = json.dumps({"prompts": [{}] * len(MOMENTS)})
GROW = "x=0123456789abcdef; while [ ${#x} -lt 16777216 ]; do x=$x$x; done; "


class Asker:
    def __init__(self, engine: Engine, image: StartableImage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.image, self.folder, self.monkeypatch = engine, image, folder, monkeypatch
        self.log = folder / "log"

    def ask(self, script: str, workflows: int = 1) -> list[EditorAnswer | BadAnswer]:
        """The answers of a container in which `script` runs in place of the driver."""
        for name in ("browser", "data"):
            (self.folder / name).mkdir(exist_ok=True)
        self.monkeypatch.setattr(editor, "_ENTRYPOINT", "/bin/sh")
        self.monkeypatch.setattr(editor, "_COMMAND", ("-c", script))
        browser, data = self.folder / "browser", self.folder / "data"
        return ask_editor(self.engine, self.image, browser, [{}] * workflows, data, self.log)


@pytest.fixture
def asker(engine: Engine, shell: StartableImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asker:
    return Asker(engine, shell, tmp_path, monkeypatch)


def test_answers_that_came_before_a_flood_are_kept_and_the_others_are_bad(asker: Asker) -> None:
    script = f"echo '{GOOD}'; {GROW} for i in 1 2 3; do printf '%s\\n' $x >&2; done; printf '%s' $x; printf '%s' $x"
    good, bad = asker.ask(script, 2)
    assert good == EditorAnswer(({},) * len(MOMENTS))
    assert isinstance(bad, BadAnswer) and "a line of more than 16 MiB" in str(bad)
    assert asker.log.stat().st_size < 2 * MAX_LOG + 100


def test_more_answers_than_were_asked_for_are_dropped(asker: Asker) -> None:
    assert asker.ask(f"i=0; while [ $i -lt 1000 ]; do echo '{GOOD}'; i=$((i+1)); done") == [
        EditorAnswer(({},) * len(MOMENTS))
    ]
    assert not asker.log.exists()


def test_the_last_words_of_a_container_are_short_and_printable(asker: Asker) -> None:
    (bad,) = asker.ask(f"{GROW} printf '\\033[2J%s\\n' $x >&2; exit 1")
    assert isinstance(bad, BadAnswer) and len(str(bad)) <= 201 and str(bad).isprintable()


def test_a_container_that_never_ends_is_ended(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editor, "START_LIMIT", 3.0)
    monkeypatch.setattr(editor, "WORKFLOW_LIMIT", 0.0)
    monkeypatch.setattr("pycomfy.adapters.containers.process.GRACE_PERIOD", 0.5)
    (bad,) = asker.ask("trap '' TERM; while :; do read x; done")
    assert isinstance(bad, BadAnswer) and "did not end within 3 s" in str(bad)


def test_neither_the_browser_nor_the_driver_can_be_written(asker: Asker) -> None:
    for folder in ("/run/browser", "/run/editor"):
        (bad,) = asker.ask(
            f"read request; (echo x > {folder}/x) 2>/dev/null && echo written >&2 || echo refused >&2; exit 1"
        )
        assert str(bad) == "refused"
    assert not any((asker.folder / "browser").iterdir())
