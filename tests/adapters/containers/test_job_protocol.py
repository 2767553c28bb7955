import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.adapters.containers.job_protocol import Error, JobReport, JobRequest, Output, explain, parse_event
from pycomfy.errors import Placeholder, RunFailed, suggest


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
def test_what_is_no_event_is_a_failed_run(line: bytes) -> None:
    with pytest.raises(RunFailed, match="not an event"):
        parse_event(line)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(line: bytes) -> None:
    with contextlib.suppress(RunFailed):
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
    assert suggest("retry", "if the model is there", models=Placeholder("FOLDER")) in told.fixes


def test_an_exception_keeps_its_type_and_the_end_of_its_traceback() -> None:
    trace = "".join(f"line {n}\n" for n in range(50))
    told = explain(Error(event="error", type="ValueError", message="no", node="4", traceback=trace), "/logs/1", "w")
    assert told.what == "ValueError: no"
    assert told.where.endswith("line 49")
    assert "line 0\n" not in told.where
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
