"""Progress for a program: each line of standard error is an event."""

import json
import threading

import pytest

from pycomfy.cli import progress_json
from pycomfy.cli.progress import make_progress
from pycomfy.cli.progress_json import VARIABLE, JsonLines


@pytest.fixture(autouse=True)
def selected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "json")
    monkeypatch.setattr(progress_json, "INTERVAL", 0.0)


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    lines = capsys.readouterr().err.splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "at"} for line in lines]


def test_a_step_begins_goes_on_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    progress = make_progress()
    assert isinstance(progress, JsonLines)
    with progress.step("Fetch", total=10, unit="bytes") as task:
        task.advance(4)
        task.note("torch")
    progress.report("note: é \u202e\n{}", "do it")
    assert events(capsys) == [
        {"event": "begin", "step": 1, "title": "Fetch", "unit": "bytes", "total": 10},
        {"event": "progress", "step": 1, "count": 4, "total": 10, "note": ""},
        {"event": "progress", "step": 1, "count": 4, "total": 10, "note": "torch"},
        {"event": "end", "step": 1, "ok": True, "count": 4, "total": 10, "note": "torch"},
        {"event": "remark", "text": "note: é \ufffd\ufffd{}: do it"},
    ]


def test_a_step_that_raises_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), JsonLines().step("Fetch"):
        raise ValueError
    assert events(capsys)[-1]["ok"] is False


def test_events_of_many_threads_are_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonLines().step("Fetch", total=400) as task:

        def advance() -> None:
            for _ in range(100):
                task.advance()

        threads = [threading.Thread(target=advance) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = events(capsys)
    assert len(found) == 402 and found[-1]["count"] == 400
