"""`pycomfy inspect` and `pycomfy convert`, as a user calls them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pycomfy.cli.convert import convert
from pycomfy.cli.inspect import inspect
from pycomfy.errors import BadInput, ErrorGroup, NotFound, UnknownNode
from tests.support.graphs import OBJECT_INFO, plain, prompt_of, ui
from tests.support.graphs import node as make_node

app = typer.Typer()
app.command()(inspect)
app.command()(convert)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def info(tmp_path: Path) -> str:
    path = tmp_path / "object_info.json"
    path.write_text(json.dumps(OBJECT_INFO))
    return str(path)


@pytest.fixture
def cat(tmp_path: Path) -> str:
    path = tmp_path / "cat.json"
    path.write_text(json.dumps(plain()))
    return str(path)


def test_convert_prints_the_prompt_and_nothing_else(cat: str, info: str) -> None:
    assert json.loads(run("convert", cat, "--object-info", info)) == prompt_of(plain())


def test_convert_wants_one_server(cat: str, info: str) -> None:
    for wrong in ([cat], [cat, "--object-info", info, "--with", "x"]):
        assert CliRunner().invoke(app, ["convert", *wrong]).exit_code == 2


def test_inspect_lists_values_without_a_place_in_the_prompt(info: str, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(ui([make_node(3, "Blank", values=(640, 480, 7))], [])))
    (lost,) = json.loads(run("inspect", str(file), "--object-info", info, "--json"))["lost"]
    assert (lost["place"], lost["node"], lost["type"], lost["value"]) == ("3[2]", "3", "Blank", 7)
    assert "3[2] (Blank): the saved value 7 has no place in the prompt" in run(
        "inspect", str(file), "--object-info", info
    )
    assert json.loads(run("inspect", str(file), "--json"))["lost"] == []


def test_convert_several_into_a_folder(cat: str, info: str, tmp_path: Path) -> None:
    folder = tmp_path / "dog"
    folder.mkdir()
    (folder / "workflow.json").write_text(json.dumps(plain()))
    out = tmp_path / "out"
    result = json.loads(run("convert", cat, str(folder), "--object-info", info, "-o", str(out), "--json"))
    assert result["files"] == [str(out / "cat.json"), str(out / "dog.json")]
    assert json.loads((out / "dog.json").read_text()) == prompt_of(plain())


def test_convert_writes_what_converts_and_reports_the_rest(cat: str, info: str, tmp_path: Path) -> None:
    bad, dog = tmp_path / "bad.json", tmp_path / "dog.json"
    bad.write_text(json.dumps(ui([make_node(1, "Nope", outputs=["X"]), make_node(2, "Neither", outputs=["X"])], [])))
    dog.write_text(json.dumps(plain()))
    out = tmp_path / "out"
    arguments = ["convert", cat, str(bad), str(tmp_path / "none.json"), str(dog), "--object-info", info, "-o", str(out)]

    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert result.stdout.split() == [str(out / "cat.json"), str(out / "dog.json")]
    for said in ("Nope", "Neither", "there is no file", "2 of 4 workflows were not converted"):
        assert said in result.stderr
    assert sorted(p.name for p in out.iterdir()) == ["cat.json", "dog.json"]
    assert json.loads((out / "dog.json").read_text()) == prompt_of(plain())

    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 1
    value = json.loads(result.stdout)
    assert value["files"] == [str(out / "cat.json"), str(out / "dog.json")]
    assert value["failed"] == [str(bad), str(tmp_path / "none.json")]
    assert [p["code"] for p in value["problems"]] == ["unknown-node", "unknown-node", "not-found"]


def test_convert_of_which_nothing_converts_is_an_error(info: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(ui([make_node(1, "Nope", outputs=["X"]), make_node(2, "Neither", outputs=["X"])], [])))
    with pytest.raises(ErrorGroup):
        run("convert", str(bad), str(tmp_path / "none.json"), "--object-info", info, "-o", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_convert_several_without_a_folder_is_a_usage_error(cat: str, info: str) -> None:
    assert CliRunner().invoke(app, ["convert", cat, cat, "--object-info", info]).exit_code == 2


def test_two_workflows_of_one_name(cat: str, info: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["convert", cat, cat, "--object-info", info, "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "two workflows are called cat" in result.stderr
    assert json.loads((tmp_path / "out/cat.json").read_text()) == prompt_of(plain())


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "{"])
def test_definitions_that_are_none(cat: str, tmp_path: Path, text: str) -> None:
    path = tmp_path / "info.json"
    path.write_text(text)
    with pytest.raises(BadInput):
        run("convert", cat, "--object-info", str(path))


def test_definitions_that_are_not_there(cat: str) -> None:
    with pytest.raises(NotFound):
        run("convert", cat, "--object-info", "/nowhere.json")


def test_unknown_nodes(tmp_path: Path, info: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(ui([make_node(1, "Nope", outputs=["X"])], [])))
    with pytest.raises(UnknownNode):
        run("convert", str(path), "--object-info", info)
    result = json.loads(run("inspect", str(path), "--object-info", info, "--json"))
    assert [p["code"] for p in result["problems"]] == ["unknown-node"]


def test_inspect_json_has_what_the_contract_says(cat: str, info: str) -> None:
    result = json.loads(run("inspect", cat, "--object-info", info, "--json"))
    assert result["format"] == "ui-0.4"
    assert result["name"] == "cat"
    assert result["types"] == ["Blank", "Decode", "Load", "Sample", "Save", "Text"]
    assert result["nodes"][0] == {"id": "4", "type": "Load", "title": "Load It", "mode": "runs", "pack": None}
    assert set(result["models"][0] if result["models"] else {}) <= {"folder", "name", "url", "sha256", "node"}
    assert [i["name"] for i in result["inputs"]] == ["prompt", "width", "height", "seed", "steps"]
    assert result["outputs"] == [{"name": "image", "kind": "image", "node": "9", "title": "Save"}]
    assert result["problems"] == []


def test_inspect_reads_without_definitions(cat: str) -> None:
    text = run("inspect", cat)
    assert "cat" in text
    assert "6 nodes" in text


def test_inspect_for_a_person(cat: str, info: str) -> None:
    text = run("inspect", cat, "--object-info", info)
    for part in ("Nodes", "Inputs", "prompt", "a cat", "Outputs", "Nothing is wrong"):
        assert part in text


def test_inspect_tells_problems_and_is_no_failure(tmp_path: Path, info: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"1": {"class_type": "Blank", "inputs": {"width": "wide", "height": 1}}}))
    text = run("inspect", str(path), "--object-info", info)
    assert "not a number" in text
    assert "no output node" in text


def test_markup_and_escapes_in_a_workflow_do_nothing(tmp_path: Path, info: str) -> None:
    path = tmp_path / "[bold]x[oops].json"
    path.write_text(
        json.dumps(ui([make_node(1, "[red]Type[/nope]\x1b[2J", outputs=["X"], title="[/]\x1b]0;x\x07")], []))
    )
    text = run("inspect", str(path), "--object-info", info)
    assert "[red]Type[/nope]" in text
    assert "\x1b" not in text


def test_inspect_reads_the_configured_inputs_beside_the_workflow(cat: str, info: str, tmp_path: Path) -> None:
    (tmp_path / "pycomfy.toml").write_text('[inputs]\nwish = "6.text"\nhow_many = "3.steps"\n')
    answer = json.loads(run("inspect", cat, "--json", "--object-info", info))
    assert [p["name"] for p in answer["inputs"]] == ["wish", "how_many"]
    assert answer["problems"] == []


def test_inputs_that_only_definitions_show_are_no_problem_without_them(cat: str, tmp_path: Path) -> None:
    (tmp_path / "pycomfy.toml").write_text('[inputs]\nhow_many = "3.steps"\n')
    assert json.loads(run("inspect", cat, "--json"))["problems"] == []


@pytest.mark.parametrize("text", ['[inputs]\nwish = "6.nothing"\nother = "77.text"\n', "[inputs", "unknown = 1"])
def test_inspect_lists_what_is_wrong_with_the_configuration(cat: str, info: str, tmp_path: Path, text: str) -> None:
    before = json.loads(run("inspect", cat, "--json", "--object-info", info))
    (tmp_path / "pycomfy.toml").write_text(text)
    answer = json.loads(run("inspect", cat, "--json", "--object-info", info))
    assert {p["code"] for p in answer["problems"]} == {"bad-config"}
    assert len(answer["problems"]) == max(text.count(" = "), 1)
    assert answer["inputs"] == before["inputs"]


def test_what_api_format_does_not_say_is_told_and_lines_have_no_blanks_at_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    path.write_text(json.dumps({"1": {"class_type": "KSampler", "inputs": {}}}))
    told = run("inspect", str(path))
    assert "Nodes (API format does not name their packs)\n   types  KSampler\n" in told
    assert "pack not named" not in told
    assert "Inputs and outputs: none are known from the file alone; --object-info shows them\n" in told
    assert all(line == line.rstrip() for line in told.splitlines())


def test_models_with_long_names_are_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    name = "a_name_as_people_give_them_to_files " * 3 + ".safetensors"
    path.write_text(json.dumps({"1": {"class_type": "VAELoader", "inputs": {"vae_name": name}}}))
    assert f"   vae  {name}  no URL\n" in run("inspect", str(path))
