"""`pycomfy run` with inputs, as a user calls it: what is wrong is told before anything is started."""

import json
from pathlib import Path

import pytest

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io.paths import Paths
from tests.support.cli_projects import Place, programs, refused
from tests.support.service_projects import make_files, record_layout
from tests.support.tiny_image import write_layout

ROOT = Path(__file__).parents[2]
INTERFACE = {
    "version": 1,
    "parameters": [
        {"name": "image", "type": "image", "targets": [{"node": "1", "input": "image"}], "default": "a.png"},
        {
            "name": "steps",
            "type": "integer",
            "targets": [{"node": "2", "input": "steps"}],
            "default": 20,
            "minimum": 1,
            "maximum": 100,
        },
    ],
}


@pytest.fixture
def pictures(tmp_path: Path) -> Place:
    """A machine without a container engine, where pictures@1 was built."""
    env = {"PATH": programs(tmp_path / "bin"), "PYTHONPATH": str(ROOT)}
    place = Place.new(tmp_path / "place", env)
    layout = read_layout(write_layout(tmp_path / "layout", script="exit 0"))
    files = {**make_files("pictures"), "interface.json": json.dumps(INTERFACE).encode()}
    record_layout(Paths(place.data, place.data / "cache"), files, layout)
    return place


def test_an_unknown_input_is_told_with_those_there_are(pictures: Place) -> None:
    told = refused(pictures, "run", "pictures", "-i", "step=3", code="bad-input").told
    assert "there is no input step" in told and "did you mean steps?" in told
    assert "image (image), steps (integer, 1 to 100)" in told and "pycomfy show pictures@1 (lists" in told


def test_wrong_values_are_told_together_and_nothing_is_left(pictures: Place) -> None:
    pictures.write("values.json", '{"image": 7}')
    outcome = refused(pictures, "run", "pictures", "--inputs", "values.json", "-i", "steps=1000", code="bad-input")
    assert "7 is not of type image" in outcome.told and '"1000" is more than 100' in outcome.told
    assert not pictures.half_written() and not any((pictures.data / "jobs").iterdir())
    assert "gone.png" in refused(pictures, "run", "pictures", "-i", "image=gone.png", code="not-found").told
    assert refused(pictures, "run", "pictures", "--inputs", "gone.json", code="not-found")


def test_right_ones_reach_the_engine(pictures: Place) -> None:
    pictures.write("photo.png", b"picture")
    refused(pictures, "run", "pictures", "-i", "image=photo.png", "-i", "steps=3", code="missing-tool")
    assert not any((pictures.data / "jobs").iterdir())


@pytest.mark.parametrize("given", [["steps"], ["=3"], ["steps=3", "steps=4"]])
def test_a_wrong_call_is_a_usage_error(pictures: Place, given: list[str]) -> None:
    options = [part for value in given for part in ("-i", value)]
    assert pictures.run("run", "pictures", *options).status == 2


def test_show_lists_the_inputs(pictures: Place) -> None:
    lines = [line.split() for line in pictures.run("show", "pictures").out.splitlines()]
    assert ["input", "steps", "(integer,", "1", "to", "100):", "20"] in lines
    assert [p["name"] for p in pictures.run("show", "pictures", "--json").json()["inputs"]] == ["image", "steps"]
