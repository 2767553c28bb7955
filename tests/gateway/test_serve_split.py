"""The branches of one job on two ComfyUIs: however they end, it is one job.

With the real ComfyUI in `tests/stories`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.image import Image
from tests.gateway.serving import Serving
from tests.support.waiting import wait_until

SETTINGS: dict[str, Any] = {"PYCOMFY_WORKERS": "2", "PYCOMFY_SPLIT": "apart", "PYCOMFY_MAX_ATTEMPTS": "2"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("split")
    made = Serving(Image(folder), PYCOMFY_LOG_FILE=str(folder / "log"), **SETTINGS)
    wait_until(lambda: knows_types(made))
    wait_until_both_work(made)
    yield made
    assert made.stop() == 0


def knows_types(serving: Serving) -> bool:
    """ComfyUI's node types are known."""
    answer = serving.client.post("/api/v2/jobs", json={"workflow": graph("NoSuchType")})
    return answer.status_code == 422


def wait_until_both_work(serving: Serving) -> None:
    """Each takes a job of its own: neither is starting, or lent to a job that is over."""
    jobs = [serving.submit("Hang") for _ in range(2)]
    wait_until(lambda: all(serving.job(job)["status"] == "running" for job in jobs))
    for job in jobs:
        serving.client.post(job["urls"]["cancel"])
        serving.finish(job)


def graph(*kinds: str) -> dict[str, Any]:
    return {str(n): {"class_type": kind, "inputs": {}} for n, kind in enumerate(kinds, 1)}


def run(serving: Serving, *kinds: str) -> dict[str, Any]:
    done = serving.finish(serving.submit_graph(graph(*kinds)))
    wait_until_both_work(serving)
    return done


def outputs(done: dict[str, Any]) -> list[tuple[str, str]]:
    return [(o["node_id"], o["name"]) for o in done["outputs"]]


def warnings(serving: Serving, done: dict[str, Any]) -> str:
    return "\n".join(serving.client.get(f"/v1/jobs/{done['id']}").json()["warnings"])


def take_files(serving: Serving) -> list[Path]:
    """What is left in the folders of the ComfyUIs that ran "Save"; it is gone then."""
    found = list((serving.image.root / "data").glob("**/output/sub/a.png"))
    for path in found:
        path.unlink()
    return found


def saved(*nodes: str) -> list[tuple[str, str]]:
    return [(node, name) for node in nodes for name in ("a.png", "t.png")]


def test_both_branches_are_in_one_job(serving: Serving) -> None:
    take_files(serving)
    job = serving.submit_graph(graph("Save", "Save"))
    with serving.client.stream("GET", job["urls"]["events"]) as stream:
        told = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: ")]
    done = serving.finish(job)
    assert (done["status"], outputs(done)) == ("succeeded", saved("1", "2")), done
    assert (done["progress"]["nodes_done"], done["progress"]["nodes_total"]) == (2, 2)
    assert [event["status"] for event in told if "status" in event][-2:] == ["running", "succeeded"]
    steps = [event["nodes_done"] for event in told if "nodes_done" in event]
    assert steps == sorted(steps)
    assert len(take_files(serving)) == 2, "one ComfyUI did it all"


def test_a_branch_that_fails_ends_the_others(serving: Serving) -> None:
    for kinds, node in ((("Hang", "Raise"), "2"), (("Raise", "Hang"), "1")):
        done = run(serving, *kinds)
        error = done["error"]
        assert (done["status"], error["code"], error["node_id"]) == ("failed", "node_execution_error", node)


def test_a_branch_that_is_refused_ends_the_others(serving: Serving) -> None:
    error = run(serving, "Hang", "Half")["error"]
    assert (error["code"], error["message"]) == ("invalid_workflow", "Value not in list: x: 'y' not in []")


def test_a_cancel_ends_all_branches(serving: Serving) -> None:
    job = serving.submit_graph(graph("Hang", "Hang"))
    wait_until(lambda: serving.job(job)["status"] == "running")
    serving.client.post(job["urls"]["cancel"])
    assert serving.finish(job)["status"] == "canceled"
    wait_until_both_work(serving)


def test_a_branch_whose_comfyui_dies_once_runs_again_and_outputs_are_there_once(serving: Serving) -> None:
    done = run(serving, "Save", "ExitOnce")
    assert (done["status"], outputs(done)) == ("succeeded", saved("1", "2")), done
    assert "Attempt 1 ended before it was done" in warnings(serving, done)


def test_a_branch_whose_comfyui_dies_ends_the_others(serving: Serving) -> None:
    job = serving.submit_graph(graph("Exit", "Hang"))
    assert serving.finish(job)["error"]["code"] == "worker_lost", "the second attempt is a whole one that exits first"
    wait_until_both_work(serving)


def test_a_branch_whose_comfyui_always_dies_fails_the_job_with_its_reason(serving: Serving) -> None:
    done = run(serving, "Save", "Exit")
    assert (done["status"], done["error"]["code"]) == ("failed", "worker_lost")
    assert "exited with status 7" in done["error"]["message"]


def test_a_branch_without_memory_is_tried_once_more_alone(serving: Serving) -> None:
    done = run(serving, "Save", "Full")
    assert (done["status"], outputs(done)) == ("succeeded", saved("1", "2")), done
    assert "models were unloaded" in warnings(serving, done)
    assert not list((serving.image.root / "data").rglob("half.mp4"))


def test_a_job_is_not_split_while_another_runs(serving: Serving) -> None:
    other = serving.submit("Hang")
    wait_until(lambda: serving.job(other)["status"] == "running")
    take_files(serving)
    assert outputs(serving.finish(serving.submit_graph(graph("Save", "Save")))) == saved("1", "2")
    assert len(take_files(serving)) == 1
    serving.client.post(other["urls"]["cancel"])
    serving.finish(other)


def test_all_branches_have_the_deadline_of_their_job(image: Image) -> None:
    serving = Serving(image, PYCOMFY_JOB_TIMEOUT="2", **SETTINGS)
    wait_until(lambda: knows_types(serving))
    wait_until_both_work(serving)
    done = serving.finish(serving.submit_graph(graph("Hang", "Hang")))
    assert (done["status"], done["error"]["code"]) == ("expired", "deadline_exceeded")
    assert serving.stop() == 0
