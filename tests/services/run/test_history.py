"""Recorded runs: listed with all they were given and made, and run again. With a real engine and a small image."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import BadInput, NotFound, RunFailed, suggest
from pycomfy.services.run.history import find_run, list_runs
from pycomfy.services.run.inputs import Arguments
from pycomfy.services.run.run import like_run, run
from pycomfy.services.workspace import Workspace
from tests.services.run.test_run import DONE, PICTURE, READY, STARTING, Builder, built, request, says
from tests.support.command_line import call
from tests.support.service_projects import make_files, record_layout

__all__ = ["built"]

VALUE = {"event": "value", "node": "9", "title": "Save it", "kind": "text", "value": "a cat"}
INTERFACE = {
    "version": 1,
    "parameters": [
        {"name": "photo", "type": "image", "targets": [{"node": "1", "input": "image"}], "default": "a.png"},
        {"name": "seed", "type": "integer", "targets": [{"node": "1", "input": "seed"}], "default": 1},
    ],
}


@pytest.fixture
def photos(built: Builder, tmp_path: Path) -> Paths:
    """pycomfy-test@2, with a picture and a number as inputs; its output is what it was asked."""
    script = 'cat /data/input/* > /data/a.png; echo "$request" >> /data/a.png\n'
    paths = built(script + says(STARTING, READY, PICTURE, VALUE, DONE))
    files = {**make_files("pycomfy-test"), "interface.json": json.dumps(INTERFACE).encode()}
    record_layout(paths, files, read_layout(tmp_path / "layout"))
    (tmp_path / "photo.png").write_text("PICTURE")
    return paths


def test_a_run_is_listed_with_all_it_was_given_and_made(photos: Paths, tmp_path: Path) -> None:
    workspace, picture = Workspace(photos), str(tmp_path / "photo.png")
    result = run(workspace, replace(request(tmp_path), arguments=Arguments({"photo": picture, "seed": "7"})))
    (entry,) = list_runs(workspace, "pycomfy-test")
    assert (entry.name, entry.version, entry.device, entry.engine) == ("pycomfy-test", 2, "cpu", result.engine)
    assert entry.inputs["seed"] == "7" and entry.files == {"photo": picture} and entry.error is None
    assert [(o.path, o.exists) for o in entry.outputs] == [(str(result.outputs[0].path), True)]
    assert [(v["title"], v["value"]) for v in entry.values] == [("Save it", "a cat")]
    result.outputs[0].path.unlink()
    assert [o.exists for o in find_run(workspace, "pycomfy-test", entry.run).outputs] == [False]
    env = {"PYCOMFY_HOME": str(photos.data), "COLUMNS": "300"}
    shown = call("log", "--runs", "pycomfy-test", cwd=tmp_path, env=env).out
    for word in (
        "pycomfy-test@2",
        f"photo={picture}, seed=7",
        f"{entry.outputs[0].path} (gone)",
        "Save it text: a cat",
    ):
        assert word in shown
    assert call("log", "--runs", "--json", cwd=tmp_path, env=env).json()[0]["run"] == entry.run


def test_it_is_run_again_with_its_inputs(photos: Paths, tmp_path: Path) -> None:
    workspace, picture = Workspace(photos), str(tmp_path / "photo.png")
    first = run(workspace, replace(request(tmp_path), arguments=Arguments({"photo": picture, "seed": "7"})))
    (entry,) = list_runs(workspace)
    record_layout(
        photos, make_files("pycomfy-test"), read_layout(tmp_path / "layout")
    )  # a newer version, without inputs
    again = run(workspace, like_run(workspace, request(tmp_path), entry.run))
    assert again.version == 2 and again.outputs[0].path.read_text() == first.outputs[0].path.read_text()
    changed = like_run(workspace, replace(request(tmp_path), arguments=Arguments({"seed": "8"})), entry.run)
    assert '"seed": 8' in run(workspace, changed).outputs[0].path.read_text()
    assert [e.inputs["seed"] for e in list_runs(workspace)] == ["8", "7", "7"]
    newest = like_run(workspace, replace(request(tmp_path), reference="pycomfy-test@3"), entry.run)
    assert newest.reference == "pycomfy-test@3"


def test_a_run_that_failed_is_listed_with_its_error(built: Builder, tmp_path: Path) -> None:
    error = {"event": "error", "type": "T", "message": "no memory", "node": "9", "title": "Save it"}
    workspace = Workspace(built(says(STARTING, READY, error) + "\nexit 1"))
    with pytest.raises(RunFailed):
        run(workspace, request(tmp_path))
    (entry,) = list_runs(workspace)
    assert entry.error is not None and "no memory" in entry.error and not entry.outputs
    with pytest.raises(NotFound, match="no run 99 of pycomfy-test") as caught:
        like_run(workspace, request(tmp_path), 99)
    assert caught.value.fixes == (suggest("log", "lists them", name="pycomfy-test", runs=True),)


def test_what_came_from_standard_input_must_be_given_again(
    photos: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(photos)
    with (tmp_path / "photo.png").open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        run(workspace, replace(request(tmp_path), arguments=Arguments({"photo": "@-"})))
    (entry,) = list_runs(workspace)
    assert entry.files == {"photo": None}
    with pytest.raises(BadInput, match="read photo from standard input"):
        like_run(workspace, request(tmp_path), entry.run)
    given = replace(request(tmp_path), arguments=Arguments({"photo": str(tmp_path / "photo.png")}))
    assert run(workspace, like_run(workspace, given, entry.run)).outputs


def test_without_runs_it_says_how_to_make_one(tmp_path: Path) -> None:
    env = {"PYCOMFY_HOME": str(tmp_path / "home")}
    done = call("log", "--runs", cwd=tmp_path, env=env)
    assert (done.status, done.out, done.err) == (0, "", "no runs yet: pycomfy run NAME\n")
    assert call("log", "--runs", "nope", cwd=tmp_path, env=env).status == 1
    assert not (tmp_path / "home").exists()


def test_a_run_that_failed_is_listed_in_one_line_without_the_fix_of_its_command(built: Builder, tmp_path: Path) -> None:
    error = {"event": "error", "type": "timeout", "message": "the job took longer than 3 s", "log": "a log"}
    paths = built(says(STARTING, READY, error) + "\nexit 1")
    with pytest.raises(RunFailed):
        run(Workspace(paths), request(tmp_path))
    done = call("log", "--runs", cwd=tmp_path, env={"PYCOMFY_HOME": str(paths.data)})
    assert done.out.endswith("\terror: the job took longer than 3 s\n")
    (entry,) = list_runs(Workspace(paths))
    assert entry.error is not None and "a log" in entry.error and "timeout=" not in entry.error
