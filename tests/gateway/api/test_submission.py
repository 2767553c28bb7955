"""Jobs that are not accepted: both faces say so in their way."""

from pathlib import Path

import pytest

from tests.gateway.api.bench import Bench, on_bench


@pytest.mark.parametrize(
    ("setting", "value"), [("PYCOMFY_MAX_QUEUED", "2"), ("PYCOMFY_MAX_QUEUED_BYTES", "700")], ids=["jobs", "bytes"]
)
def test_a_full_queue_is_told_by_both_faces_with_the_time_to_come_back(
    tmp_path: Path, setting: str, value: str
) -> None:
    async def use(bench: Bench) -> None:
        assert [(await bench.submit()).status_code for _ in range(2)] == [201, 201]
        full = await bench.submit()
        assert (full.status_code, full.json()["error"]["code"]) == (429, "queue_full")
        typed = await bench.client.post("/v1/jobs", json={"inputs": {}})
        assert (typed.status_code, typed.json()["code"]) == (429, "queue_full")
        for answer, message in ((full, full.json()["error"]["message"]), (typed, typed.json()["detail"])):
            assert int(answer.headers["Retry-After"]) >= 1
            assert f"({setting})" in message

    on_bench(tmp_path, use, **{setting: value})


def test_a_job_larger_than_the_whole_queue_is_not_told_to_wait(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        answer = await bench.submit()
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "batch_too_large")
        assert "Retry-After" not in answer.headers

    on_bench(tmp_path, use, PYCOMFY_MAX_QUEUED_BYTES="50")
