"""Several ComfyUIs in one container."""

from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.gateway.comfyui.workers import lay_out, plan_workers
from pycomfy.gateway.places import Places

PLACES = Places()


@pytest.mark.parametrize(("wanted", "gpus", "count"), [("auto", 0, 1), ("auto", 1, 1), ("auto", 4, 4), ("2", 0, 2)])
def test_there_is_one_for_each_gpu_or_as_many_as_asked_for(wanted: str, gpus: int, count: int) -> None:
    workers = plan_workers(wanted, PLACES, gpus, {})
    assert len(workers) == count
    assert workers[0].places == PLACES
    assert len({w.places.port for w in workers}) == len({w.places.temp for w in workers}) == count


def visible(wanted: str, gpus: int, given: str = "") -> list[str | None]:
    workers = plan_workers(wanted, PLACES, gpus, {"CUDA_VISIBLE_DEVICES": given} if given else {})
    return [w.environment.get("CUDA_VISIBLE_DEVICES") for w in workers]


def test_each_has_a_gpu_of_its_own_and_more_share() -> None:
    assert visible("auto", 2) == ["0", "1"]
    assert visible("3", 2) == ["0", "1", "0"]
    assert visible("auto", 2, "GPU-b, GPU-a") == ["GPU-b", "GPU-a"]
    assert visible("1", 2) == [None], "one alone may use all"
    assert visible("2", 0) == [None, None]


def test_inputs_and_models_are_shared_outputs_are_not(tmp_path: Path) -> None:
    places = replace(PLACES, data=tmp_path / "data", temp=tmp_path / "tmp")
    first, second = plan_workers("2", places, 0, {})

    def prepare(given: Places) -> Places:
        given.prepare()
        return given

    for _ in range(2):  # the second start finds what the first made
        one, two = (lay_out(worker, places, prepare) for worker in (first, second))
    (one.input / "a.png").write_bytes(b"a")
    assert (two.input / "a.png").read_bytes() == b"a"
    assert one.output.resolve() != two.output.resolve()
    assert (two.data / "models").resolve() == (one.data / "models").resolve()
