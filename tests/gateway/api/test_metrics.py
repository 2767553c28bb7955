"""What Prometheus reads."""

from datetime import timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pycomfy.gateway.jobs.model import Job, JobRequest
from pycomfy.gateway.metrics import MAX_CLASSES
from tests.gateway.api.bench import ANN, KEYS, Bench, on_bench


async def read(bench: Bench) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = await bench.client.get("/metrics", headers=ANN)
    assert answer.status_code == 200
    samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            samples[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return samples


def test_jobs_are_counted_by_state_and_timed(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        await bench.submit(ANN)
        canceled = (await bench.submit(ANN)).json()
        await bench.client.post(canceled["urls"]["cancel"], headers=ANN)
        now = bench.gateway.clock()
        done = Job(
            id="x",
            request=JobRequest(graph={}),
            state="succeeded",
            created_at=now,
            started_at=now + timedelta(seconds=2),
            completed_at=now + timedelta(seconds=5),
            expires_at=now,
        )
        await bench.gateway.dispatcher.tell(done)
        found = await read(bench)
        assert found["pycomfy_jobs_total", (("state", "canceled"),)] == 1
        assert found["pycomfy_jobs_total", (("state", "succeeded"),)] == 1
        assert found["pycomfy_jobs_total", (("state", "failed"),)] == 0
        assert found["pycomfy_job_duration_seconds_sum", (("state", "succeeded"),)] == 3
        assert found["pycomfy_queue_wait_seconds_sum", ()] == 2
        assert found["pycomfy_queue_depth", ()] == 1
        assert found["pycomfy_jobs_in_progress", ()] == 0
        assert found["pycomfy_disk_free_bytes", ()] > 0
        assert found["pycomfy_comfyui_ready", (("instance", "0"),)] == 0
        assert any(name == "pycomfy_build_info" for name, _ in found)

    on_bench(tmp_path, use, **KEYS)


def test_no_label_has_what_a_client_chose(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        job = (await bench.submit(ANN)).json()
        await bench.client.get(job["urls"]["self"], headers=ANN)
        await bench.client.get(f"/v1/jobs/{job['id']}", headers=ANN)
        for number in range(50):
            await bench.client.get(f"/nothing/{number}", headers=ANN)
            await bench.client.request(f"M{number}", "/v1/jobs", headers=ANN)
        found = await read(bench)
        labels = [labels for _, labels in found]
        assert not [pair for pair in labels if job["id"] in str(pair)]
        assert found["pycomfy_http_requests_total", (("method", "GET"), ("route", "other"), ("status", "404"))] == 50
        typed = (("method", "GET"), ("route", "/v1/jobs/{id}"), ("status", "200"))
        assert found["pycomfy_http_requests_total", typed] == 1
        assert len({pair for pair in labels if "nothing" in str(pair) or "M1" in str(pair)}) == 0

    on_bench(tmp_path, use, **KEYS)


def test_the_types_of_nodes_are_bounded(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        metrics = bench.gateway.metrics
        metrics.count_nodes([(f"Type{n}", 0.5) for n in range(MAX_CLASSES + 50)] + [("UNETLoader", 2.0)])
        metrics.count_nodes([("Type0", 0.5)])
        found = await read(bench)
        kinds = {
            labels[0][1]: value
            for (name, labels), value in found.items()
            if name == "pycomfy_node_duration_seconds_sum"
        }
        assert len(kinds) == MAX_CLASSES + 1
        assert (kinds["Type0"], kinds["other"]) == (1.0, 27.0)
        assert found["pycomfy_model_load_seconds_sum", (("class_type", "other"),)] == 2

    on_bench(tmp_path, use, **KEYS)
