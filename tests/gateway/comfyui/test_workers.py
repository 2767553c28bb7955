"""Several ComfyUIs in one container."""

from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.gateway.comfyui.workers import THREADS, Hardware, lay_out, plan_workers, runs_targets
from pycomfy.gateway.places import Places

PLACES = Places()


@pytest.mark.parametrize(("wanted", "gpus", "count"), [("auto", 0, 1), ("auto", 1, 1), ("auto", 4, 4), ("2", 0, 2)])
def test_there_is_one_for_each_gpu_or_as_many_as_asked_for(wanted: str, gpus: int, count: int) -> None:
    workers = plan_workers(wanted, PLACES, Hardware(gpus, 8), {})
    assert len(workers) == count
    assert workers[0].places == PLACES
    assert len({w.places.port for w in workers}) == len({w.places.temp for w in workers}) == count


def visible(wanted: str, gpus: int, given: str = "") -> list[str | None]:
    workers = plan_workers(wanted, PLACES, Hardware(gpus, 8), {"CUDA_VISIBLE_DEVICES": given} if given else {})
    return [w.environment.get("CUDA_VISIBLE_DEVICES") for w in workers]


def test_each_has_a_gpu_of_its_own_and_more_share() -> None:
    assert visible("auto", 2) == ["0", "1"]
    assert visible("3", 2) == ["0", "1", "0"]
    assert visible("auto", 2, "GPU-b, GPU-a") == ["GPU-b", "GPU-a"]
    assert visible("1", 2) == [None], "one alone may use all"
    assert visible("2", 0) == [None, None]


def test_inputs_and_models_are_shared_outputs_are_not(tmp_path: Path) -> None:
    places = replace(PLACES, data=tmp_path / "data", temp=tmp_path / "tmp")
    first, second = plan_workers("2", places, Hardware(0, 8), {})

    def prepare(given: Places) -> Places:
        given.prepare()
        return given

    for _ in range(2):  # the second start finds what the first made
        one, two = (lay_out(worker, places, prepare) for worker in (first, second))
    (one.input / "a.png").write_bytes(b"a")
    assert (two.input / "a.png").read_bytes() == b"a"
    assert one.output.resolve() != two.output.resolve()
    assert (two.data / "models").resolve() == (one.data / "models").resolve()


def threads(wanted: str, hardware: Hardware, **given: str) -> set[str | None]:
    return {w.environment.get(name) for w in plan_workers(wanted, PLACES, hardware, given) for name in THREADS}


def test_workers_without_a_gpu_divide_the_cores() -> None:
    assert threads("2", Hardware(0, 8)) == {"4"}
    assert threads("4", Hardware(0, 2)) == {"1"}
    assert threads("1", Hardware(0, 8)) == {None}, "one alone may use all"
    assert threads("2", Hardware(2, 8)) == {None}
    assert threads("2", Hardware(0, 8), OMP_NUM_THREADS="7") == {None}, "what was chosen stays"


def test_an_old_comfyui_cannot_be_told_what_to_run(tmp_path: Path) -> None:
    places = replace(PLACES, comfyui=tmp_path)
    assert not runs_targets(places)
    (tmp_path / "server.py").write_text("valid = await execution.validate_prompt(prompt_id, prompt)")
    assert not runs_targets(places)
    (tmp_path / "server.py").write_text('if "partial_execution_targets" in json_data:')
    assert runs_targets(places)
