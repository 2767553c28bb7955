"""The server as its callers see it: a process, over HTTP, before a stand-in for ComfyUI.

The real ComfyUI is behind it in `tests/stories`.
"""

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway.image import Image
from tests.gateway.serving import Serving
from tests.support.waiting import HANG, wait_until


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One for all tests that leave it without a job."""
    with started(Image(tmp_path_factory.mktemp("image"))) as serving:
        yield serving


@pytest.fixture
def own(image: Image) -> Iterator[Serving]:
    """One to end."""
    with started(image) as serving:
        yield serving


@contextlib.contextmanager
def started(image: Image) -> Iterator[Serving]:
    serving = Serving(image)
    yield serving
    if serving.process.poll() is None:
        serving.stop()


def test_a_job_is_queued_runs_and_gives_its_files_back(serving: Serving) -> None:
    job = serving.submit("Save")
    assert job["status"] == "queued"
    done = serving.finish(job)
    assert done["status"] == "succeeded", done
    contents = {o["name"]: serving.client.get(o["url"]).content for o in done["outputs"]}
    assert contents == {"a.png": b"png", "t.png": b"temporary"}
    assert done["progress"]["value"] == 1


def test_events_end_with_the_terminal_status(serving: Serving) -> None:
    job = serving.submit("Save")
    with serving.client.stream("GET", job["urls"]["events"]) as stream:
        events = [line for line in stream.iter_lines() if line]
    assert json.loads(events[-1].removeprefix("data: "))["status"] == "succeeded"
    with serving.client.stream("GET", job["urls"]["events"]) as stream:
        assert len([line for line in stream.iter_lines() if line]) == 2, "of a job that is over, only its status"


def test_the_official_client_keeps_its_connection_over_the_last_event(serving: Serving) -> None:
    def read(agent: str) -> tuple[list[str], list[Any]]:
        """Lines up to the end of the last event, as that client reads them; the connections of it and of the next."""
        job, lines = serving.submit("Save"), list[str]()
        headers = {"User-Agent": agent}
        with serving.client.stream("GET", job["urls"]["events"], headers=headers) as stream:
            used = [stream.extensions["network_stream"].get_extra_info("socket")]
            for line in stream.iter_lines():
                lines.append(line)
                if not line and "succeeded" in lines[-2]:
                    break
        answer = serving.client.get(job["urls"]["self"], headers=headers)
        return lines, [*used, answer.extensions["network_stream"].get_extra_info("socket")]

    lines, (first, second) = read("comfy-sdk-python/0.5.0 (CPython 3.13)")
    assert lines[-3] == "event: status"
    assert first is second
    _, (first, second) = read("other/1.0")
    assert first is not second, "for others the last event ends as all do"


def read_events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_outputs_that_come_with_the_end_are_told_once_and_before_it(serving: Serving) -> None:
    job = serving.submit("Wait")
    with serving.client.stream("GET", job["urls"]["events"]) as stream:
        events = read_events(stream.iter_lines())
        assert next(events)[0] == "status"
        (serving.image.root / "data" / "input" / "go").touch()
        left = list(events)
    assert left[-1] == ("status", {"status": "succeeded", "queue_position": None})
    told = [data["id"] for name, data in left if name == "output"]
    assert len(told) == 2
    assert sorted(told) == sorted(output["id"] for output in serving.job(job)["outputs"])


def test_an_output_is_in_the_record_of_a_running_job_as_soon_as_it_is_told(serving: Serving) -> None:
    job = serving.submit("Halfway")
    with serving.client.stream("GET", job["urls"]["events"]) as stream:
        for name, data in read_events(stream.iter_lines()):
            if name == "output" and data["name"] == "done.png":
                seen = serving.job(job)
                break
    assert seen["status"] == "running"
    assert data["id"] in {output["id"] for output in seen["outputs"]}
    assert serving.client.post(job["urls"]["cancel"]).json()["status"] in ("canceling", "canceled")
    assert serving.finish(job)["status"] == "canceled"


def test_the_history_of_comfyui_is_emptied_of_jobs_that_are_over(serving: Serving) -> None:
    jobs = [serving.submit("Save") for _ in range(3)]
    for job in jobs:
        serving.finish(job)

    def has_entry(job: dict[str, Any]) -> bool:
        return bool(httpx.get(f"http://127.0.0.1:{serving.image.port}/history/{job['id']}").json())

    wait_until(lambda: not any(has_entry(job) for job in jobs))


def test_a_cached_node_gives_the_bytes_of_its_run_whatever_the_file_has_become(serving: Serving) -> None:
    def contents() -> list[bytes]:
        done = serving.finish(serving.submit("Cached"))
        return [serving.client.get(output["url"]).content for output in done["outputs"]]

    assert contents() == [b"first"]
    file = serving.image.root / "data" / "output" / "same.png"
    file.write_bytes(b"of another job")
    assert contents() == [b"first"]
    file.unlink()
    assert contents() == [b"first"]


def test_a_node_that_fails_is_named(serving: Serving) -> None:
    error = serving.finish(serving.submit("Raise"))["error"]
    assert (error["code"], error["node_id"], error["class_type"]) == ("node_execution_error", "1", "Raise")
    assert error["message"] == "ValueError: no"
    assert error["traceback"] == "a\nb\n"


def test_a_running_job_is_canceled(serving: Serving) -> None:
    job = serving.submit("Hang")
    wait_until(lambda: serving.job(job)["status"] == "running")
    assert serving.client.post(job["urls"]["cancel"]).json()["status"] == "canceling"
    assert serving.finish(job)["status"] == "canceled"
    assert serving.client.post(job["urls"]["cancel"]).json()["status"] == "canceled", "once more changes nothing"


def test_a_waiting_job_is_canceled_at_once(serving: Serving) -> None:
    first, second = serving.submit("Hang"), serving.submit("Save")
    assert serving.client.post(second["urls"]["cancel"]).json()["status"] == "canceled"
    serving.client.post(first["urls"]["cancel"])
    assert serving.finish(second)["started_at"] is None
    serving.finish(first)


def test_a_comfyui_that_dies_in_every_attempt_fails_the_job_with_its_reason(image: Image) -> None:
    serving = Serving(image, PYCOMFY_MAX_ATTEMPTS="2")
    done = serving.finish(serving.submit("Exit"))
    assert (done["status"], done["error"]["code"]) == ("failed", "worker_lost")
    assert "exited with status 7" in done["error"]["message"]
    assert serving.finish(serving.submit("Save"))["status"] == "succeeded", "ComfyUI was started again"
    assert serving.stop() == 0


def test_jobs_survive_the_sudden_end_of_the_gateway(own: Serving) -> None:
    done = own.finish(own.submit("Save"))
    running = own.submit("Hang")
    waiting = [own.submit("Save") for _ in range(3)]
    wait_until(lambda: own.job(running)["status"] == "running")
    own.stop(signal.SIGKILL)
    subprocess.run(["pkill", "-9", "-f", str(own.image.root / "tmp")], check=False)
    own.start()
    assert own.job(done)["outputs"] == done["outputs"] or own.job(done)["status"] == "succeeded"
    assert own.client.get(done["outputs"][0]["url"]).content == b"png"
    wait_until(lambda: own.job(running)["status"] == "running")
    own.client.post(running["urls"]["cancel"])
    assert [own.finish(job)["status"] for job in waiting] == ["succeeded"] * 3
    assert own.finish(running)["status"] == "canceled"


def test_a_stop_ends_it_in_order_and_gives_the_running_job_back(own: Serving) -> None:
    job = own.submit("Save")
    own.finish(job)
    assert own.stop() == 0


def test_missing_models_are_named_until_they_are_there(image: Image) -> None:
    model = {"folder": "vae", "name": "a.pt", "sha256": "0" * 64, "size": 3, "sources": []}
    models = [model, {**model, "folder": "loras", "name": "y"}]
    (image.root / "project" / "pycomfy.lock").write_text(json.dumps({"name": "mine", "models": models}))
    serving = Serving(image, wait=False)
    wait_until(serving.reasons)
    answer = serving.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"][0].startswith("models are missing: vae/a.pt, loras/y")
    said = serving.run("Half")["error"]["message"]  # its node refuses "y"
    assert said.startswith("models are missing: loras/y (Value not in list: x: 'y'")
    for name in ("vae/a.pt", "loras/y"):
        path = image.root / "models" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"abc")
    wait_until(serving.is_ready)
    assert serving.run("Half")["error"]["message"].startswith("Value not in list")
    assert serving.stop() == 0


def test_a_warm_up_runs_before_the_first_job(image: Image) -> None:
    (image.root / "project" / "prompt.json").write_text('{"1": {"class_type": "Save", "inputs": {}}}')
    log = image.root / "log"
    serving = Serving(image, PYCOMFY_WARMUP="1", PYCOMFY_LOG_FILE=str(log))
    assert serving.client.get("/api/v2/jobs").json()["jobs"] == []
    assert serving.stop() == 0
    assert "the warm-up ran" in log.read_text()


def test_the_files_of_a_warm_up_go_and_those_that_were_there_stay(image: Image) -> None:
    (image.root / "project" / "prompt.json").write_text('{"1": {"class_type": "Save", "inputs": {}}}')
    outputs, temp = image.root / "data" / "output", image.root / "tmp" / "temp"
    outputs.mkdir(parents=True)
    (outputs / "before.png").write_bytes(b"before")
    serving = Serving(image, PYCOMFY_WARMUP="1")
    assert [path.name for path in (*outputs.rglob("*"), *temp.rglob("*"))] == ["before.png"]
    assert len(serving.run("Save")["outputs"]) == 2
    assert serving.stop() == 0


def test_a_job_of_the_same_graph_as_the_warm_up_makes_files_of_its_own(image: Image) -> None:
    (image.root / "project" / "prompt.json").write_text('{"1": {"class_type": "Cached", "inputs": {}}}')
    log = image.root / "log"
    serving = Serving(image, PYCOMFY_WARMUP="1", PYCOMFY_LOG_FILE=str(log))
    done = serving.run("Cached")
    assert (done["status"], [output["name"] for output in done["outputs"]]) == ("succeeded", ["same.png"])
    assert "it runs again" not in log.read_text(), "that would have unloaded the models"
    assert serving.stop() == 0


def test_a_warm_up_that_fails_is_told_and_jobs_wait(image: Image) -> None:
    (image.root / "project" / "prompt.json").write_text('{"1": {"class_type": "Raise", "inputs": {}}}')
    serving = Serving(image, wait=False, PYCOMFY_WARMUP="1")

    def reasons() -> str:
        return " ".join(serving.client.get("/readyz").json()["reasons"]) if serving.socket.exists() else ""

    wait_until(lambda: "the warm-up failed: no" in reasons())
    assert serving.client.get("/startupz").status_code == 503
    assert serving.job(serving.submit("Save"))["status"] == "queued"
    assert serving.stop() == 0


def test_it_ends_when_its_starter_does(image: Image) -> None:
    process = image.start("serve", "--until-eof", environment={"PYCOMFY_SOCKET": str(image.root / "s")})
    wait_until(lambda: (image.root / "s").exists())
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(HANG) == 0


def test_health_follows_the_server(image: Image) -> None:
    environment = {"PYCOMFY_SOCKET": str(image.root / "s")}

    def health() -> int:
        process = image.start("health", environment=environment)
        return process.wait(HANG)

    assert health() == 1
    serving = Serving(image)
    assert health() == 0
    assert serving.stop() == 0


@pytest.mark.parametrize(("name", "value"), [("PYCOMFY_PORT", "many"), ("PYCOMFY_GRAPHS", "some")])
def test_a_bad_setting_is_named_without_its_value(image: Image, name: str, value: str) -> None:
    command = [*image.command, "serve"]
    done = subprocess.run(command, env={name: value}, capture_output=True, text=True, check=False, timeout=HANG)
    assert done.returncode == 1
    assert name in done.stderr
    assert value not in done.stderr
