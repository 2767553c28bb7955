import contextlib
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.adapters.containers.job_protocol import (
    MAX_ERRORS,
    MAX_NAME,
    MAX_TEXT,
    BadEvent,
    Error,
    JobReport,
    JobRequest,
    Output,
    Value,
    explain,
    parse_event,
)
from pycomfy.errors import Placeholder, suggest, suggest_retry


def test_the_request_is_one_line() -> None:
    line = JobRequest({"1": {"inputs": {"text": "two\nlines"}}}, None, 3).line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["timeout"] == 3


def test_an_event_of_a_later_image_is_ignored_and_more_keys_too() -> None:
    assert parse_event(b'{"event": "dreaming"}') is None
    assert parse_event(b'{"event": "ready", "seconds": 1, "new": 2}') is not None


@pytest.mark.parametrize("path", ["output/renders\\hello_00001_.png", "output/a\tb.png", "results/漢/x.png"])
def test_an_output_may_have_any_name_below_the_job_s_folder(path: str) -> None:
    event = {
        "event": "output",
        "node": "1",
        "kind": "k",
        "file": "f",
        "type": "output",
        "media_type": "m",
        "path": path,
    }
    parsed = parse_event(json.dumps(event).encode())
    assert isinstance(parsed, Output) and parsed.path == path


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b"3",
        b'{"event": 3}',
        b'{"event": "ready"}',
        b"[" * 100_000,
        b'{"event": "output", "node": "1", "kind": "k", "file": "f", "type": "t", "media_type": "m", "path": "../x"}',
        b'{"event": "output", "node": "1", "kind": "k", "file": "f", "type": "t", "media_type": "m", "path": "/x"}',
    ],
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(BadEvent):
        parse_event(line)


OUTPUT = {"event": "output", "node": "1", "kind": "k", "file": "f", "type": "t", "media_type": "m/x", "path": "a"}
ADVANCE = {"event": "progress", "node": "1", "title": "x", "step": 1, "of": 2}
VALUE = {"event": "value", "node": "1", "kind": "k"}


@pytest.mark.parametrize(
    "event",
    [
        *({**ADVANCE, "step": step} for step in (float("inf"), float("nan"), -1, 10**400, "1e999", 1e300, None)),
        *({**ADVANCE, "of": of} for of in (float("inf"), -5, 10**5000)),
        {"event": "done", "outputs": -1, "seconds": 1},
        {"event": "done", "outputs": 10**30, "seconds": 1},
        {"event": "executing", "node": "1", "title": "x", "index": -1, "of": 1},
        *({**OUTPUT, "path": path} for path in ("", "a//b", "a/", "/a", "a/../b", "./a", "a\0b", "x" * 5000, 3)),
        {**OUTPUT, "size": -1},
        {**OUTPUT, "sha256": "no"},
        {**VALUE, "value": eval("[" * 90 + "]" * 90), "node": []},
    ],
)
def test_a_number_or_path_that_cannot_be_is_refused(event: dict[str, Any]) -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        line = json.dumps(event).encode()
    finally:
        sys.set_int_max_str_digits(limit)
    with pytest.raises(BadEvent):
        parse_event(line)


def test_a_value_that_is_too_deep_is_refused_and_a_deep_one_is_not() -> None:
    for depth, refused in ((150, False), (201, True), (900, True)):
        line = json.dumps(VALUE).encode()[:-1] + b', "value": ' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(BadEvent) if refused else contextlib.nullcontext():
            assert parse_event(line) is not None


def test_what_is_odd_in_a_text_is_replaced_and_long_ones_are_cut() -> None:
    half = "\ud800"
    parsed = parse_event(json.dumps({**VALUE, "kind": half + "k" * 5000, "value": {half: [half, "ok"]}}).encode())
    assert isinstance(parsed, Value)
    assert parsed.value == {"?": ["?", "ok"]} and parsed.kind == "?" + "k" * (MAX_NAME - 1)
    error = parse_event(json.dumps({"event": "error", "type": "T", "message": "m" * 100_000}).encode())
    assert isinstance(error, Error) and len(error.message) == MAX_TEXT
    output = parse_event(json.dumps({**OUTPUT, "media_type": "a/b\n"}).encode())
    assert isinstance(output, Output) and output.media_type == "application/octet-stream"


def test_a_path_keeps_the_bytes_that_are_not_utf_8() -> None:
    parsed = parse_event(json.dumps({**OUTPUT, "path": "output/caf\udce9.txt"}).encode())
    assert isinstance(parsed, Output) and parsed.path is not None
    assert parsed.path.encode(errors="surrogateescape") == b"output/caf\xe9.txt"


def test_a_report_of_a_flood_is_bounded_and_counts_the_rest() -> None:
    report = JobReport()
    for n in range(MAX_ERRORS + 3):
        report.add(Error(event="error", type="T", message=str(n)))
    for _ in range(20):
        report.add(Value(event="value", node="1", kind="k", value="x" * (1 << 20)))
    assert len(report.errors) == MAX_ERRORS and len(report.values) == 15
    assert (report.ignored, report.ignored_because) == (8, "more than 100 errors")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(line: bytes) -> None:
    with contextlib.suppress(BadEvent):
        parse_event(line)


def test_a_report_sorts_the_events() -> None:
    report = JobReport()
    for text in (
        '{"event": "starting", "device": "cpu"}',
        '{"event": "output", "node": null, "kind": "k", "file": "f", "type": "t", "media_type": "m", "path": "a/f"}',
        '{"event": "value", "node": "1", "kind": "n", "value": [1]}',
        '{"event": "error", "type": "t", "message": "m"}',
        '{"event": "done", "outputs": 1, "seconds": 2.5}',
    ):
        event = parse_event(text.encode())
        assert event is not None
        report.add(event)
    assert (report.device, report.seconds) == ("cpu", 2.5)
    assert [o.path for o in report.outputs] == ["a/f"]
    assert [v.value for v in report.values] == [[1]]
    assert len(report.errors) == 1
    assert isinstance(report.outputs[0], Output)


def test_an_error_names_the_node_and_what_to_do() -> None:
    error = Error(
        event="error",
        type="value_not_in_list",
        message="Value not in list",
        details="ckpt_name: 'x' not in []",
        node="4",
        title="Load",
        class_type="CheckpointLoaderSimple",
    )
    told = explain(error, "/logs/1", "portrait@1")
    assert told.what == "Value not in list: ckpt_name: 'x' not in []"
    assert told.where == 'node 4 "Load" (CheckpointLoaderSimple)'
    assert suggest("models status", "if it is a model", target="portrait@1") in told.fixes
    assert suggest_retry("run", "if the model is there", models=Placeholder("FOLDER")) in told.fixes


@pytest.mark.parametrize(
    ("type_", "message", "argument"),
    [
        ("out-of-memory", "the container's memory was used up, and ComfyUI was killed", "memory"),
        ("comfyui-exited", "ComfyUI was killed (out of memory?) while it ran the prompt", "memory"),
        ("RuntimeError", "can't start new thread", "pids"),
        ("OSError", "[Errno 28] No space left on device: '/tmp/x'", "tmp"),
    ],
)
def test_a_limit_that_was_hit_is_named_with_what_raises_it(type_: str, message: str, argument: str) -> None:
    told = explain(Error(event="error", type=type_, message=message, node="4"), "/logs/1", "w")
    assert any(argument in fix.arguments for fix in told.fixes if not isinstance(fix, str))


def test_an_exception_keeps_its_type_and_the_end_of_its_traceback() -> None:
    trace = "".join(f"line {n}\n" for n in range(50))
    told = explain(Error(event="error", type="ValueError", message="no", node="4", traceback=trace), "/logs/1", "w")
    assert told.what == "ValueError: no"
    assert told.details.endswith("line 49")
    assert "line 0\n" not in told.details
    assert "/logs/1" in told.fix


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("[Errno 2] No such file or directory: 'git'", 'apt = ["git"]'),
        ("No module named 'cv2'", 'requirements = ["opencv-python-headless"]'),
        ("libXss.so.1: cannot open shared object file: No such file or directory", 'apt = ["libxss1"]'),
    ],
)
def test_what_a_node_lacks_when_it_runs_is_told_with_the_line_that_adds_it(message: str, line: str) -> None:
    told = explain(Error(event="error", type="Exception", message=message, node="4"), "/logs/1", "w")
    assert f"write into pycomfy.toml, and lock and build again: {line}" in told.fix
    assert "/logs/1" in told.fix
