"""ComfyUI is watched: whatever it does, each job ends once, and it is said why.

The real ComfyUI is behind the gateway in `tests/stories`.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.image import Image
from tests.gateway.serving import Serving
from tests.support.waiting import wait_until

SECRET = "comfyui-0123456789abcdef"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One for all tests that leave it in order: to start one takes seconds."""
    folder = tmp_path_factory.mktemp("watched")
    made = Serving(
        Image(folder),
        PYCOMFY_MAX_ATTEMPTS="2",
        PYCOMFY_INTERRUPT_LIMIT="0.2",
        PYCOMFY_LOG_FILE=str(folder / "log"),
    )
    yield made
    assert made.stop() == 0


def test_a_flood_of_messages_of_any_shape_costs_no_job(serving: Serving) -> None:
    done = serving.run("Flood")
    assert done["status"] == "succeeded", done
    assert len(done["outputs"]) == 2
    assert serving.run("Save")["status"] == "succeeded", "the connection was made again"


def test_a_connection_that_closes_costs_no_job(serving: Serving) -> None:
    assert serving.run("Drop")["status"] == "succeeded"


def test_a_flood_of_lines_is_bounded_and_told(serving: Serving) -> None:
    assert serving.run("Chatty")["status"] == "succeeded"
    log = serving.image.root / "log"
    wait_until(lambda: "ComfyUI printed too much" in log.read_text())
    assert log.stat().st_size < 1 << 20


def test_many_outputs_come_all_and_in_order(serving: Serving) -> None:
    done = serving.run("Many")
    assert done["status"] == "succeeded"
    texts = [o for o in done["outputs"] if o["name"].startswith("text_")]
    assert [o["name"] for o in texts] == [f"text_{number:05}.txt" for number in range(1, 251)]
    assert serving.client.get(texts[-1]["url"]).text == "text 249"


def test_a_file_is_one_output_however_its_folder_is_written(serving: Serving) -> None:
    done = serving.run("Around")
    assert done["status"] == "succeeded"
    assert sorted(o["name"] for o in done["outputs"]) == ["a.png", "around.png", "t.png"]


def test_a_file_that_is_not_there_fails_the_job_and_the_others_are_kept(serving: Serving) -> None:
    done = serving.run("Absent")
    assert (done["status"], done["error"]["code"]) == ("failed", "output_lost")
    assert "output//absent.png" in done["error"]["message"]
    assert {o["name"] for o in done["outputs"]} == {"a.png", "t.png"}


def test_a_prompt_that_comfyui_forgets_fails_the_job(serving: Serving) -> None:
    done = serving.run("Forgotten")
    assert (done["status"], done["error"]["code"]) == ("failed", "worker_lost")
    assert done["error"]["message"] == "ComfyUI does not know the prompt any more"


def test_a_history_that_cannot_be_read_fails_the_job(serving: Serving) -> None:
    error = serving.run("Deep")["error"]
    assert (error["code"], error["message"]) == ("worker_lost", "ComfyUI does not give what the prompt made: HTTP 500")


def test_of_a_job_of_which_all_was_told_the_history_is_not_asked(serving: Serving) -> None:
    done = serving.run("Told")
    assert (done["status"], [output["name"] for output in done["outputs"]]) == ("succeeded", ["told.png"])


@pytest.mark.parametrize("kind", ["ToldBusy", "ToldInPieces"])
def test_the_history_is_asked_where_comfyui_is_not_idle_or_messages_may_be_missing(serving: Serving, kind: str) -> None:
    done = serving.run(kind)
    assert done["status"] == "failed"
    assert "absent.png" in done["error"]["message"]


def test_a_job_without_memory_is_tried_once_more_after_models_were_unloaded(serving: Serving) -> None:
    done = serving.run("Full")
    assert done["status"] == "succeeded"
    assert {o["name"] for o in done["outputs"]} == {"a.png", "t.png"}, "nothing of the first try"
    assert not (serving.image.root / "data" / "output" / "half.mp4").exists()


def test_a_job_that_needs_more_memory_than_there_is_fails_with_that_reason(serving: Serving) -> None:
    error = serving.run("TooLarge")["error"]
    assert (error["code"], error["node_id"]) == ("out_of_memory", "1")
    assert "Tried to allocate 80 GiB" in error["message"]


def test_a_node_that_does_not_end_when_it_is_canceled_is_ended_with_its_comfyui(serving: Serving) -> None:
    job, waiting = serving.submit("Stubborn"), serving.submit("Save")
    wait_until(lambda: serving.job(job)["status"] == "running")
    serving.client.post(job["urls"]["cancel"])
    assert serving.finish(job)["status"] == "canceled"
    assert serving.finish(waiting)["status"] == "succeeded", "ComfyUI was started again"


def test_files_of_an_attempt_that_was_broken_off_belong_to_no_job(serving: Serving) -> None:
    assert serving.run("Stray")["status"] == "failed"
    assert {o["name"] for o in serving.run("Save")["outputs"]} == {"a.png", "t.png"}
    assert not (serving.image.root / "data" / "output" / "stray.bin").exists()


def test_a_cached_node_runs_again_when_all_that_it_made_is_gone(serving: Serving) -> None:
    (first,) = serving.run("Cached")["outputs"]
    serving.client.delete(f"/api/v2/assets/{first['id']}").raise_for_status()
    (serving.image.root / "data" / "output" / "same.png").unlink()
    done = serving.run("Cached")
    assert done["status"] == "succeeded", done
    assert [serving.client.get(o["url"]).content for o in done["outputs"]] == [b"first"]


def test_a_secret_is_passed_on_and_is_nowhere_on_the_disk(serving: Serving) -> None:
    job = serving.submit("Secret", extra={"api_key_comfy_org": SECRET})
    assert serving.finish(job)["status"] == "succeeded"
    wait_until(lambda: "[secret]" in (serving.image.root / "log").read_text())
    assert _find(SECRET, serving.image.root) == []


def _find(text: str, folder: Path) -> list[Path]:
    files = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    return [path for path in files if path.is_file() and text.encode() in path.read_bytes()]


def test_a_secret_does_not_survive_a_restart_and_its_job_says_so(image: Image) -> None:
    serving = Serving(image)
    first, second = serving.submit("Hang"), serving.submit("Save", extra={"api_key_comfy_org": SECRET})
    wait_until(lambda: serving.job(first)["status"] == "running")
    serving.stop(signal.SIGKILL)
    subprocess.run(["pkill", "-9", "-f", str(image.root / "tmp")], check=False)
    assert _find(SECRET, image.root) == []
    serving.start()
    serving.client.post(first["urls"]["cancel"])
    assert serving.finish(second)["error"]["code"] == "secret_lost"
    assert serving.stop() == 0


def test_a_stop_in_good_order_is_no_attempt(image: Image) -> None:
    serving = Serving(image, PYCOMFY_MAX_ATTEMPTS="1", PYCOMFY_DRAIN="0")
    job = serving.submit("Hang")
    for _ in range(2):
        wait_until(lambda: serving.job(job)["status"] == "running")
        assert serving.stop() == 0
        serving.start()
    serving.client.post(job["urls"]["cancel"])
    assert serving.finish(job)["status"] == "canceled"
    assert serving.stop() == 0


def test_a_comfyui_that_hangs_is_ended_and_started_again(image: Image) -> None:
    serving = Serving(image, PYCOMFY_MAX_ATTEMPTS="1", PYCOMFY_HANG_LIMIT="2")
    error = serving.run("Stop")["error"]
    assert (error["code"], error["message"]) == ("worker_lost", "ComfyUI did not answer for 2 s, and was ended")
    wait_until(serving.is_ready)
    assert serving.stop() == 0


def test_jobs_run_without_any_message(image: Image) -> None:
    (image.root / "ComfyUI" / "mode").write_text("deaf")
    serving = Serving(image)
    assert serving.run("Save")["status"] == "succeeded"
    assert serving.stop() == 0


def test_a_comfyui_that_does_not_start_says_why_and_jobs_wait(image: Image) -> None:
    (image.root / "ComfyUI" / "mode").write_text("dies")
    serving = Serving(image, wait=False)
    why = "exited with status 1 while it started: cannot start: a module is missing"
    wait_until(lambda: why in serving.reasons())
    assert serving.job(serving.submit("Save"))["status"] == "queued"
    assert serving.stop() == 0


def test_a_job_expires_at_its_deadline_whether_it_runs_or_waits(image: Image) -> None:
    serving = Serving(image, PYCOMFY_JOB_TIMEOUT="2")
    running, waiting = serving.submit("Hang"), serving.submit("Hang")
    assert serving.finish(running)["status"] == "expired"
    done = serving.finish(waiting)
    assert (done["status"], done["error"]["code"]) == ("expired", "deadline_exceeded")
    assert serving.stop() == 0
