"""The job as its caller sees it: a process with a request on its standard input."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.events import Failure
from pycomfy.gateway.job import parse_request
from pycomfy.gateway.places import Places
from tests.gateway.image import Image
from tests.support.waiting import HANG


def prompt(kind: str) -> dict[str, Any]:
    return {"prompt": {"1": {"class_type": kind, "_meta": {"title": "Mine"}}}}


def errors(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [e for e in events if e["event"] == "error"]


def test_a_job_tells_everything_from_start_to_outputs(image: Image) -> None:
    status, events = image.job({"prompt": None})
    told = [e for e in events if e["event"] != "log"]
    assert status == 0
    assert [e["event"] for e in told] == [
        "starting",
        "import-failure",
        "ready",
        "executing",
        "progress",
        "progress",
        "output",
        "output",
        "done",
    ]
    assert told[1] == {
        "event": "import-failure",
        "pack": "broken",
        "message": "no",
        "traceback": "Traceback (most recent call last):\n  File ...\nImportError: no",
    }
    assert [told[4][k] for k in ("title", "step", "of")] == ["Mine", 0, 2]
    assert told[5]["step"] == 2
    saved, preview = told[6], told[7]
    assert (saved["path"], saved["size"], saved["media_type"]) == ("output/sub/a.png", 3, "image/png")
    assert (image.root / "data" / preview["path"]).read_bytes() == b"temporary"
    assert told[8]["outputs"] == 2


@pytest.mark.parametrize(
    ("kind", "type_", "message"),
    [
        ("Unknown", "invalid_prompt", "no such node"),
        ("Half", "value_not_in_list", "Value not in list"),
        ("Raise", "ValueError", "no"),
        ("Exit", "comfyui-exited", "ComfyUI exited with status 7 while it ran the prompt"),
        ("Deep", "no-history", "ComfyUI cannot tell what the nodes returned"),
        ("Kill", "comfyui-exited", "ComfyUI was killed (out of memory?) while it ran the prompt"),
    ],
)
def test_a_failure_is_told_and_the_status_says_so(image: Image, kind: str, type_: str, message: str) -> None:
    status, events = image.job(prompt(kind))
    assert status == 1
    (error,) = errors(events)
    assert (error["type"], error["message"]) == (type_, message)
    if kind in ("Half", "Raise"):
        assert (error["node"], error["title"], error["class_type"]) == ("1", "Mine", kind)
    assert all(e["event"] != "done" for e in events)


def test_a_comfyui_that_dies_while_it_starts_is_quoted(image: Image) -> None:
    (image.root / "ComfyUI" / "mode").write_text("dies")
    status, events = image.job({"prompt": None})
    (error,) = errors(events)
    assert status == 1
    assert error["message"] == "ComfyUI exited with status 1 while it started"
    assert "cannot start: a module is missing" in error["log"]


def test_a_job_that_is_ended_halfway_tells_what_is_done_and_what_is_not(image: Image) -> None:
    process = image.start("job")
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(prompt("Halfway")).encode() + b"\n")
    process.stdin.flush()
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "executing" and events[-1]["node"] == "2":
            process.send_signal(signal.SIGTERM)
    assert process.wait(HANG) == 143
    process.stdin.close()
    outputs = [(e["node"], e["kind"], e["path"]) for e in events if e["event"] == "output"]
    assert outputs == [("1", "text", "results/1/text_00000.txt"), ("1", "images", "output/done.png")]
    assert [e["path"] for e in events if e["event"] == "unfinished"] == ["output/half.mp4"]


def test_progress_that_is_no_number_is_not_told(image: Image) -> None:
    status, events = image.job(prompt("Unlimited"))
    assert status == 0
    assert [(e["step"], e["of"]) for e in events if e["event"] == "progress"] == [(0, 2), (2, 2)]


def test_outputs_come_through_when_the_websocket_drops(image: Image) -> None:
    status, events = image.job(prompt("Drop"))
    assert status == 0
    assert [e["event"] for e in events][-3:] == ["output", "output", "done"]


def test_a_job_ends_after_its_timeout(image: Image) -> None:
    status, events = image.job({**prompt("Hang"), "timeout": 1})
    assert (status, errors(events)[0]["type"]) == (1, "timeout")


def test_a_job_ends_when_its_caller_is_gone(image: Image) -> None:
    process = image.hang()
    assert process.stdin
    process.stdin.close()
    assert process.wait(HANG) == 143


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_ends_on_a_signal(image: Image, number: signal.Signals) -> None:
    process = image.hang()
    process.send_signal(number)
    assert process.wait(HANG) == 143


def test_without_watching_a_job_outlives_its_standard_input(image: Image) -> None:
    request = json.dumps({"prompt": None}, indent=1).encode()
    done = subprocess.run([*image.command, "job", "--no-watch"], input=request, capture_output=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "done"


def test_object_info_is_the_answer_with_import_failures_and_remarks(image: Image) -> None:
    (image.root / "ComfyUI" / "custom_nodes" / "talkative").mkdir(parents=True)
    done = subprocess.run([*image.command, "object-info"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["object_info"]["Exit"]["output_node"] is True
    assert [f["pack"] for f in answer["import_failures"]] == ["broken"]
    text = "[Talkative] Warning: I go on without half of my nodes"
    assert answer["remarks"] == [{"pack": "talkative", "text": text}]


def test_object_info_of_a_comfyui_that_dies_has_the_failures_before_it(image: Image) -> None:
    (image.root / "ComfyUI" / "mode").write_text("dies")
    done = subprocess.run([*image.command, "object-info"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == 1 and "object_info" not in answer
    assert answer["error"] == "ComfyUI exited with status 1 while it started"
    assert [f["pack"] for f in answer["import_failures"]] == ["broken"]
    assert b"cannot start: a module is missing" in done.stderr


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"prompt": []}',
        b'{"prompt": {}}',
        b'{"prompt": {"1": {}}, "timeout": 0}',
        b'{"prompt": {"1": {}}, "timeout": true}',
        b'{"prompt": {"1": {}}, "workflow": 3}',
        b'{"prompt": {"1": {}}, "more": 3}',
        b'{"prompt": null}',
    ],
)
def test_anything_but_a_request_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Failure) as caught:
        parse_request(data, Places(project=tmp_path))
    assert caught.value.events[0]["type"] == "bad-request"
