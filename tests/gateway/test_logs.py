"""The log: what is in its lines, and what never is."""

import asyncio
import json
import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.logs import MAX_LINE, ComfyLines, JsonFormatter, LaterHandler, request_context
from tests.gateway.api.bench import ANN, KEYS, Bench, on_bench
from tests.gateway.image import Image
from tests.support.waiting import HANG

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def shown(record: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(record)
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def record(message: str, **extra: Any) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"msg": message, "name": "pycomfy.gateway.jobs.dispatch", "levelname": "INFO", "levelno": logging.INFO}
    )
    vars(made).update(extra)
    return made


def test_a_line_has_time_level_message_and_the_ids() -> None:
    token = request_context.set({"request_id": "r1", "trace_id": "t1"})
    try:
        line = shown(record("job ended\nforged", job="j1", instance="0", nothing=None))
    finally:
        request_context.reset(token)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "message": "job ended\nforged",
        "logger": "jobs.dispatch",
        "request_id": "r1",
        "trace_id": "t1",
        "job": "j1",
        "instance": "0",
    }


def test_a_long_message_is_cut_and_what_is_no_json_is_a_text() -> None:
    line = shown(record("x" * 100_000, path=Path("/data")))
    assert len(line["message"]) < 17_000 and line["message"].endswith("(84000 more characters)")
    assert line["path"] == "/data"


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(shown(record))


def test_lines_of_the_event_loop_come_later_with_the_ids_of_their_request_and_warnings_at_once() -> None:
    kept = Kept()
    later = LaterHandler(kept)

    async def use() -> None:
        token = request_context.set({"request_id": "r1"})
        later.handle(record("one"))
        request_context.reset(token)
        assert kept.lines == []
        await asyncio.to_thread(later.handle, record("of a thread"))  # with what was before it
        assert [line["message"] for line in kept.lines] == ["one", "of a thread"]
        assert kept.lines[0]["request_id"] == "r1" and "request_id" not in kept.lines[1]
        later.handle(record("two"))
        later.handle(record("three", levelno=logging.WARNING))
        assert [line["message"] for line in kept.lines[2:]] == ["two", "three"]
        later.handle(record("last"))
        async with asyncio.timeout(HANG):
            while len(kept.lines) < 5:
                await asyncio.sleep(0.01)

    asyncio.run(use())
    later.handle(record("without a loop"))
    assert kept.lines[-1]["message"] == "without a loop"


def test_lines_of_comfyui_are_bounded_and_what_is_left_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]

    async def use() -> None:
        lines = ComfyLines(2, lambda instance: "j1", lambda job: ("sesame",), clock=lambda: now[0])
        for number in range(100):
            lines("0", f"line {number}")
        assert (len(caplog.records), lines.dropped) == (20, 80)
        while len(caplog.records) < 21:  # told although nothing comes after
            await asyncio.sleep(0.05)
        now[0] += 60
        lines("0", "\x1b[31mopen sesame\x1b[0m" + "x" * 2 * MAX_LINE)

    caplog.set_level(logging.INFO, "comfyui")
    asyncio.run(use())
    texts = [r.getMessage() for r in caplog.records]
    assert texts[20] == "ComfyUI printed too much: 80 lines are not here"
    assert texts[21].startswith("open [secret]xxx") and len(texts[21]) < MAX_LINE + 40
    assert {vars(r).get("job") for r in caplog.records if r.levelno == logging.INFO} == {"j1"}


def test_ids_of_a_request_are_taken_given_back_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[dict[str, str]] = []

    class Note(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            if "accepted" in record.getMessage():
                seen.append({**request_context.get(), "job": vars(record)["job"]})
            return True

    async def use(bench: Bench) -> None:
        answer = await bench.submit({**ANN, "X-Request-Id": "my-id", "traceparent": TRACE})
        assert (answer.headers["X-Request-Id"], answer.headers["traceparent"]) == ("my-id", TRACE)
        job = await bench.gateway.store.get(answer.json()["id"])
        assert job is not None and job.request.traceparent == TRACE
        assert seen == [{"request_id": "my-id", "trace_id": TRACE[3:35], "job": job.id}]
        for bad in ("a b", "a\x01", "x" * 200, "é"):
            headers = {**ANN, "X-Request-Id": bad, "traceparent": bad}
            answer = await bench.submit({k: v.encode("latin-1") for k, v in headers.items()})  # type: ignore[misc]
            assert len(answer.headers["X-Request-Id"]) == 32
            assert "traceparent" not in answer.headers
            job = await bench.gateway.store.get(answer.json()["id"])
            assert job is not None and job.request.traceparent is None

    logger, note = logging.getLogger("pycomfy.gateway.api.submission"), Note()
    caplog.set_level(logging.INFO, logger.name)
    logger.addFilter(note)
    try:
        on_bench(tmp_path, use, **KEYS)
    finally:
        logger.removeFilter(note)


def test_no_log_has_a_secret(image: Image, tmp_path: Path) -> None:
    """As a process, at its most talkative: keys that are right and wrong, and one that goes to ComfyUI."""
    secrets = ["key-of-ann", "wrong-key-1", "comfy-org-key-1", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    log = tmp_path / "logs" / "gateway.log"
    environment = {
        "PYCOMFY_SOCKET": str(image.root / "s"),
        "PYCOMFY_API_KEYS": "ann:key-of-ann",
        "PYCOMFY_WEBHOOK_SECRET": secrets[3],
        "PYCOMFY_LOG_LEVEL": "debug",
        "PYCOMFY_LOG_FILE": str(log),
        "PYCOMFY_GRAPHS": "any",
    }
    process = image.start("serve", environment=environment)
    try:

        def call(path: str, key: str, *more: str) -> str:
            command = ["curl", "-s", "--max-time", "60", "--unix-socket", str(image.root / "s"), f"http://g{path}"]
            command += ["-H", f"Authorization: Bearer {key}", *more]
            return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG).stdout

        while '"ok"' not in call("/readyz", ""):
            assert process.poll() is None
        assert "unauthorized" in call("/v1/jobs", "wrong-key-1")
        for kind, ends in (("Save", "succeeded"), ("Raise", "failed")):
            body = {"workflow": {"1": {"class_type": kind}}, "extra_data": {"api_key_comfy_org": "comfy-org-key-1"}}
            sent = ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
            job = json.loads(call("/api/v2/jobs", "key-of-ann", *sent))
            while (found := json.loads(call(job["urls"]["self"], "key-of-ann")))["status"] in ("queued", "running"):
                assert process.poll() is None
            assert found["status"] == ends, json.dumps(found["error"])
        # Services answer with the key that they refuse, and nodes raise that.
        assert "[secret]" in found["error"]["message"]
        assert "[secret]" in found["error"]["traceback"]
    finally:
        process.terminate()
        process.wait(HANG)
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"job accepted", "job ended"} <= {line["message"].removeprefix("1 ") for line in lines}
    assert any(line["logger"] == "comfyui" for line in lines)
    assert not [secret for secret in secrets if secret in text]
    database = b"".join(path.read_bytes() for path in (image.root / "data").glob("jobs.db*"))
    assert b"comfy-org-key-1" not in database


def test_a_log_file_is_rotated(image: Image, tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    code = (
        "import sys, logging; sys.path.insert(0, sys.argv[1])\n"
        "from pycomfy.gateway.logs import set_up; from pycomfy.gateway.settings import read_settings\n"
        "given = {'PYCOMFY_LOG_FILE': sys.argv[2], 'PYCOMFY_LOG_BYTES': '4096', 'PYCOMFY_LOG_FILES': '2'}\n"
        "set_up(read_settings(given))\n"
        "for n in range(500): logging.getLogger('x').info('line %d', n)\n"
    )
    root = str(Path(__file__).parents[2])
    python = image.command[0]
    subprocess.run([python, "-c", code, root, str(log)], check=True, capture_output=True, timeout=HANG)
    files = sorted(p.name for p in tmp_path.glob("gateway.log*"))
    assert files == ["gateway.log", "gateway.log.1", "gateway.log.2"]
    assert all(p.stat().st_size <= 4096 for p in tmp_path.glob("gateway.log*"))
    assert "line 499" in log.read_text()
