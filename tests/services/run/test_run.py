"""`run` with a real engine and a small image that speaks as the runtime does."""

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.job_protocol import JobRequest
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.io import process
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.errors import (
    BadInput,
    ErrorGroup,
    Fix,
    HashMismatch,
    NoSpace,
    NotFound,
    Placeholder,
    RunFailed,
    suggest_retry,
)
from pycomfy.services.run.inputs import Arguments
from pycomfy.services.run.run import OutputValue, RunOptions, RunRequest, run
from pycomfy.services.workspace import Workspace
from tests.support.operations import listening
from tests.support.service_projects import PROMPT, make_files, node, record_layout
from tests.support.tiny_image import write_layout

OUTPUT = {"event": "output", "node": "9", "title": "Save it", "kind": "images", "media_type": "image/png"}
PICTURE = {**OUTPUT, "file": "a.png", "subfolder": "", "type": "output", "path": "a.png"}
TEXT = {**OUTPUT, "file": "t.txt", "type": "result", "path": "t.txt", "media_type": "text/plain"}
GONE = {**OUTPUT, "file": "gone.png", "type": "output", "path": None}
STARTING = {"event": "starting", "device": "cpu"}
READY = {"event": "ready", "seconds": 1.0}
DONE = {"event": "done", "outputs": 1, "seconds": 3.0}


def says(*events: Mapping[str, object]) -> str:
    """A shell script that prints events."""
    return "\n".join(f"echo {shlex.quote(json.dumps(e))}" for e in events)


Builder = Callable[..., Paths]


@pytest.fixture
def built(engine: Engine, tmp_path: Path) -> Iterator[Builder]:
    """Record an image whose script is given, as pycomfy-test@1; its project, if it is given, too."""
    engines: list[tuple[Engine, str]] = []

    def make(script: str, project: Mapping[str, bytes] | None = None) -> Paths:
        paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
        layout = read_layout(write_layout(tmp_path / "layout", script=f"read request\n{script}\n"))
        engines.append((engine, layout.config_digest.removeprefix("sha256:")))
        record_layout(paths, project or make_files("pycomfy-test"), layout)
        return paths

    yield make
    for engine, image in engines:
        process.run(engine.command("rmi", "--force", image))


def request(tmp_path: Path, **options: object) -> RunRequest:
    return RunRequest("pycomfy-test", replace(RunOptions(tmp_path / "out"), **options))  # type: ignore[arg-type]


def test_outputs_are_saved_and_the_run_is_recorded(built: Builder, tmp_path: Path) -> None:
    value = {"event": "value", "node": "9", "title": "Save it", "kind": "n", "value": 3}
    executing = {"event": "executing", "node": "9", "title": "Save it", "index": 1, "of": 1}
    progress = {"event": "progress", "node": "9", "title": "Save it", "step": 1, "of": 2}
    events = (STARTING, {"event": "log", "line": "hi"}, READY, executing, progress, PICTURE, TEXT, GONE, value, DONE)
    paths = built("echo png > /data/a.png; echo text > /data/t.txt\n" + says(*events))
    with listening() as heard:
        result = run(Workspace(paths), request(tmp_path))
    assert [(o.path.relative_to(tmp_path), o.node) for o in result.outputs] == [
        (Path("out/a.png"), "9"),
        (Path("out/Save it-t.txt"), "9"),
    ]
    assert (tmp_path / "out" / "a.png").read_text() == "png\n"
    assert result.values == (OutputValue(node="9", title="Save it", kind="n", value=3),)
    assert (result.name, result.version, result.device, result.prompt_seconds) == ("pycomfy-test", 1, "cpu", 2.0)
    assert heard.remarks == ["warning: node 9 named an output that does not exist: gone.png"]
    assert [log.read_text() for log in (paths.data / "logs").iterdir()] == ["hi\n"]
    assert list(paths.jobs.iterdir()) == []
    with Database(database_path(paths)) as database:
        (recorded,) = database.runs("pycomfy-test")
    assert recorded.error is None
    assert [o.path for o in recorded.outputs] == [str(o.path) for o in result.outputs]


def test_arguments_reach_the_job_with_their_files(tmp_path: Path, built: Builder) -> None:
    script = 'read content < "$(echo /data/input/*)"; echo "$request" > /data/a.png; echo "$content" >> /data/a.png\n'
    paths = built(script + says(STARTING, READY, PICTURE, DONE))
    target = {"node": "1", "input": "image"}
    parameter = {"name": "photo", "type": "image", "targets": [target], "default": "a.png"}
    interface = json.dumps({"version": 1, "parameters": [parameter]}).encode()
    layout = read_layout(tmp_path / "layout")
    record_layout(paths, {**make_files("pycomfy-test"), "interface.json": interface}, layout)
    (tmp_path / "photo.png").write_text("PICTURE")
    asked = replace(request(tmp_path), arguments=Arguments({"photo": str(tmp_path / "photo.png")}))
    (output,) = run(Workspace(paths), asked).outputs
    sent, _, content = output.path.read_text().partition("\n")
    assert content == "PICTURE\n"
    job = json.loads(sent)
    assert job["prompt"]["1"]["inputs"]["image"] == f"{hashlib.sha256(b'PICTURE').hexdigest()[:16]}-photo.png"
    assert job["workflow"] == PROMPT, "as the author saved it"
    assert list(paths.jobs.iterdir()) == []
    with Database(database_path(paths)) as database:
        (recorded,) = database.runs("pycomfy-test")
    assert recorded.version == 2
    assert recorded.inputs == {"photo": job["prompt"]["1"]["inputs"]["image"]}


def test_every_error_is_told_and_what_was_made_before_is_saved(built: Builder, tmp_path: Path) -> None:
    errors = [{"event": "error", "type": "T", "message": m, "node": m, "title": m} for m in ("one", "two")]
    paths = built("echo png > /data/a.png\n" + says(STARTING, READY, PICTURE, *errors) + "\nexit 1")
    with pytest.raises(ErrorGroup) as caught:
        run(Workspace(paths), request(tmp_path))
    assert [p.what for p in caught.value.problems] == ["one", "two"]
    assert (tmp_path / "out" / "a.png").exists()
    with Database(database_path(paths)) as database:
        (recorded,) = database.runs("pycomfy-test")
    assert "one" in (recorded.error or "")
    assert [o.path for o in recorded.outputs] == [str(tmp_path / "out" / "a.png")]


@pytest.mark.parametrize(
    ("pins", "command", "argument"),
    [((), "models add", ("place", "checkpoints/a.ckpt")), (("a.ckpt",), "models pull", ("target", "pycomfy-test@1"))],
)
def test_a_model_that_comfyui_does_not_find_is_named_with_the_command_that_gets_it(
    built: Builder, tmp_path: Path, pins: tuple[str, ...], command: str, argument: tuple[str, str]
) -> None:
    prompt = {**PROMPT, "4": node("CheckpointLoaderSimple", ckpt_name="a.ckpt")}
    models = tuple(ModelFile(folder="checkpoints", name=name, sha256="0" * 64, size=1, sources=()) for name in pins)
    refused = {"event": "error", "type": "value_not_in_list", "message": "Value not in list", "node": "4"}
    model = {**refused, "details": "ckpt_name: 'a.ckpt' not in []"}
    other = {**refused, "details": "scheduler: 'b.ckpt' not in []"}
    paths = built(says(STARTING, READY, model, other, DONE), make_files("pycomfy-test", prompt, models=models))
    with pytest.raises(ErrorGroup) as caught:
        run(Workspace(paths), request(tmp_path, models=None))
    named, unknown = caught.value.problems
    assert (named.what, named.where) == ("models are missing: checkpoints/a.ckpt", "node 4")
    assert "ckpt_name: 'a.ckpt' not in []" in named.details
    fixes = [fix for fix in named.fixes if isinstance(fix, Fix)]
    assert any(fix.action == command and argument in fix.arguments.items() for fix in fixes)
    assert suggest_retry("run", "DIR/checkpoints/a.ckpt", models=Placeholder("DIR")) in fixes
    assert unknown.what == "Value not in list: scheduler: 'b.ckpt' not in []"


def test_a_run_that_cannot_be_recorded_is_still_a_run(
    built: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise NoSpace("database or disk is full")

    monkeypatch.setattr("pycomfy.services.run.run.record_run", fail)
    paths = built("echo png > /data/a.png\n" + says(STARTING, READY, PICTURE, DONE))
    with listening() as heard:
        assert len(run(Workspace(paths), request(tmp_path)).outputs) == 1
    assert heard.remarks == ["warning: the run could not be recorded: database or disk is full"]


def test_a_container_that_leaves_without_a_word_is_a_failure(built: Builder, tmp_path: Path) -> None:
    paths = built(says(STARTING) + "\necho 'out of luck' >&2; exit 9")
    with pytest.raises(RunFailed, match="ended with status 9") as caught:
        run(Workspace(paths), request(tmp_path))
    assert "out of luck" in caught.value.evidence


def test_a_hostile_output_is_reported_and_costs_nothing_else(built: Builder, tmp_path: Path) -> None:
    hostile = {**PICTURE, "path": "nothing/here"}
    paths = built("echo png > /data/a.png\n" + says(STARTING, READY, hostile, PICTURE, DONE))
    with listening() as heard:
        (output,) = run(Workspace(paths), request(tmp_path)).outputs
    assert output.path.read_text() == "png\n"
    assert heard.remarks == [
        "warning: 1 line of the container's events not taken (an output is not a regular file in the job's folder:"
        " nothing/here)"
    ]


def test_a_job_that_overruns_is_ended(built: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycomfy.adapters.containers.job_protocol.OVERTIME", 0.5)
    paths = built("while read ignored; do :; done")
    with pytest.raises(RunFailed, match="did not end within"):
        run(Workspace(paths), replace(request(tmp_path), job=JobRequest(timeout=0.5)))


def test_what_is_not_there_is_named(built: Builder, tmp_path: Path) -> None:
    paths = built("exit 0")
    with pytest.raises(NotFound, match="no version pycomfy-test@2") as caught:
        run(Workspace(paths), RunRequest("pycomfy-test@2", RunOptions(tmp_path)))
    assert "pycomfy-test" in caught.value.fix
    with pytest.raises(BadInput, match="cannot name a version"):
        run(Workspace(paths), RunRequest("../x", RunOptions(tmp_path)))
    with pytest.raises(BadInput, match="no such folder"):
        run(Workspace(paths), request(tmp_path, models=tmp_path / "none"))


def test_a_layout_that_changed_since_it_was_recorded_is_refused(built: Builder, tmp_path: Path) -> None:
    paths = built(says(DONE) + f"\n# {tmp_path}")
    (tmp_path / "layout").rename(tmp_path / "old")
    write_layout(tmp_path / "layout", script="exit 0")
    with pytest.raises(HashMismatch):
        run(Workspace(paths), request(tmp_path))
