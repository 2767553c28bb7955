"""Arguments of a run, with a version in the versions repository and the user's files."""

import io
import json
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.core.versions.reference import Reference
from pycomfy.errors import BadInput, ErrorGroup, NotFound
from pycomfy.services.run.inputs import Arguments, Filled, fill_prompt
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.service_projects import PROMPT, make_files, record


def target(node: str, name: str) -> list[dict[str, str]]:
    return [{"node": node, "input": name}]


INTERFACE = {
    "version": 1,
    "parameters": [
        {"name": "image", "type": "image", "targets": target("1", "image"), "default": "a.png"},
        {"name": "steps", "type": "integer", "targets": target("2", "steps"), "default": 20, "minimum": 1},
        {"name": "prefix", "type": "text", "targets": target("3", "filename_prefix"), "default": "x"},
        {"name": "mesh", "type": "3d", "targets": target("2", "mesh")},
        {"name": "points", "type": "json", "targets": target("2", "points")},
    ],
}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """With pictures@1; the working folder is empty."""
    paths = new_paths(tmp_path)
    record(paths, {**make_files("pictures"), "interface.json": json.dumps(INTERFACE).encode()})
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return paths


def fill(paths: Paths, file: str | None = None, **texts: str) -> Filled:
    return fill_prompt(Workspace(paths), Reference("pictures"), Arguments(texts, file), paths.data / "input")


def test_values_and_files_are_put_into_the_prompt(paths: Paths) -> None:
    Path("photo.png").write_bytes(b"picture")
    Path("prefix.txt").write_text("from a file\n")
    Path("steps").write_text(" 7\n")
    filled = fill(paths, image="photo.png", prefix="@prefix.txt", steps="@steps", points="[1]")
    name = filled.prompt["1"]["inputs"]["image"]
    assert (paths.data / "input" / name).read_bytes() == b"picture"
    assert filled.prompt["2"]["inputs"]["steps"] == 7
    assert filled.prompt["2"]["inputs"]["points"] == {"__value__": [1]}
    assert filled.prompt["3"]["inputs"]["filename_prefix"] == "from a file\n"
    assert filled.workflow == PROMPT
    assert fill(paths, image="@photo.png").prompt["1"]["inputs"]["image"] == name


def test_values_of_a_program_are_taken_as_they_are_and_standard_input_is_not_read(paths: Paths) -> None:
    Path("photo.png").write_bytes(b"picture")
    values = {"image": Path("photo.png"), "steps": 7, "prefix": "@prefix.txt", "points": [1]}
    arguments = Arguments(values=values)
    filled = fill_prompt(Workspace(paths), Reference("pictures"), arguments, paths.data / "input")
    name = filled.prompt["1"]["inputs"]["image"]
    assert (paths.data / "input" / name).read_bytes() == b"picture"
    assert filled.prompt["2"]["inputs"]["steps"] == 7
    assert filled.prompt["2"]["inputs"]["points"] == {"__value__": [1]}
    assert filled.prompt["3"]["inputs"]["filename_prefix"] == "@prefix.txt"
    with pytest.raises(NotFound):
        fill_prompt(Workspace(paths), Reference("pictures"), Arguments(values={"image": "-"}), paths.data / "input")


def test_a_3d_model_goes_where_comfyui_looks_for_it(paths: Paths) -> None:
    Path("cube.glb").write_bytes(b"glb")
    name = fill(paths, mesh="cube.glb").prompt["2"]["inputs"]["mesh"]
    assert name.startswith("3d/") and (paths.data / "input" / name).read_bytes() == b"glb"


def test_two_at_signs_begin_a_text_with_one(paths: Paths) -> None:
    assert fill(paths, prefix="@@me").prompt["3"]["inputs"]["filename_prefix"] == "@me"


def test_a_file_of_values_names_files_beside_it_and_the_command_line_wins(paths: Paths) -> None:
    Path("sets").mkdir()
    Path("sets/photo.png").write_bytes(b"picture")
    Path("sets/a.json").write_text(json.dumps({"image": "photo.png", "steps": 3, "prefix": "@literal"}))
    prompt = fill(paths, "sets/a.json", steps="4").prompt
    assert prompt["1"]["inputs"]["image"].endswith("-photo.png")
    assert prompt["2"]["inputs"]["steps"] == 4
    assert prompt["3"]["inputs"]["filename_prefix"] == "@literal"


def test_standard_input_is_read_once(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"steps": 9}')))
    assert fill(paths, "-").prompt["2"]["inputs"]["steps"] == 9
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"steps": 9}')))
    with pytest.raises(BadInput, match=r"standard input is already used for the inputs file") as caught:
        fill(paths, "-", prefix="@-")
    assert caught.value.where == "inputs.prefix"


def test_every_mistake_is_told_at_once(paths: Paths) -> None:
    Path("bytes.txt").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(ErrorGroup) as caught:
        fill(paths, image="gone.png", steps="0", prefix="@bytes.txt", points="[1", nope="1")
    told = {p.where: p for p in caught.value.problems}
    assert told.keys() == {f"inputs.{n}" for n in ("image", "steps", "prefix", "points", "nope")}
    assert all(p.what and p.fix and isinstance(p, BadInput) for p in told.values())


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"[" * 100_000, b"\xff"])
def test_a_file_of_values_that_is_none_is_told(paths: Paths, data: bytes) -> None:
    Path("a.json").write_bytes(data)
    with pytest.raises(BadInput) as caught:
        fill(paths, "a.json")
    assert (caught.value.code, caught.value.where) == ("bad-input", "a.json") and caught.value.fix


@pytest.mark.parametrize("data", [b"{}", b"[]", b"{", b'{"1": 7}', b'{"1": {"class_type": "X", "inputs": []}}'])
def test_a_strangers_prompt_that_is_none_is_refused(paths: Paths, data: bytes) -> None:
    record(paths, {**make_files("odd"), "interface.json": json.dumps(INTERFACE).encode(), "prompt.json": data})
    with pytest.raises(BadInput) as caught:
        fill_prompt(Workspace(paths), Reference("odd"), Arguments({"steps": "1"}), paths.data / "input")
    assert caught.value.where == "prompt.json of odd@1" and caught.value.fix


def test_a_version_that_was_not_proven_has_no_known_inputs(paths: Paths) -> None:
    record(paths, make_files("bare"))
    with pytest.raises(BadInput, match="the inputs of bare@1 are unknown"):
        fill_prompt(Workspace(paths), Reference("bare"), Arguments({"steps": "1"}), paths.data / "input")
