"""Text from anywhere that is printed: it never acts on the terminal, never ends the program, and stays data in JSON."""

import io
import json
import os
import re
from collections.abc import Callable

import pytest

from pycomfy.cli.console import SafeConsole
from pycomfy.cli.errors import print_error, print_json_error
from pycomfy.cli.json_output import print_json_value
from pycomfy.cli.progress import Lines
from pycomfy.cli.progress_bars import Bars
from pycomfy.cli.terminal import print_line
from pycomfy.core.printable import printable
from pycomfy.errors import RunFailed, suggest
from pycomfy.operation import Operation, report
from tests.support.cli_projects import Place
from tests.support.command_line import Outcome

TEXTS = {
    "erases": "a\x1b[2Jb",
    "title": "a\x1b]0;title\x07b",
    "eight bit": "a\x9b31mb",
    "overwrites": "good\rbad",
    "right to left": "a\u202etxt.exe",
    "separates lines": "a\u2028b",
    "deletes": "a\x7fb",
    "not UTF-8": os.fsdecode(b"caf\xe9"),
}
MARKUP = ["Load [/home/x]", "[bold red]x", "[link=https://evil.example]x[/link]", "a\\[/x]", ":smile:"]

RICH = re.compile(r"\x1b\[[0-9;]*m")
"""The colours that rich adds on a terminal."""

WAYS: dict[str, Callable[[Place, str], Outcome]] = {
    "an error": lambda place, text: place.run("inspect", text),
    "an error on a terminal": lambda place, text: place.run("inspect", text, env={"FORCE_COLOR": "1"}),
    "an error with a fix": lambda place, text: place.run("restore", f"x@{text}"),
    "a wrong call": lambda place, text: place.run("build", "x", f"--{text}"),
    "an error in JSON": lambda place, text: place.run("inspect", text, "--json"),
    "paths": lambda place, text: convert_into(place, text),
    "paths in JSON": lambda place, text: convert_into(place, text, "--json"),
    "a prompt": lambda place, text: convert_note(place, text),
    "a list": lambda place, text: status(place, text),
    "a table on a terminal": lambda place, text: status(place, text, env={"FORCE_COLOR": "1"}),
    "a report on a terminal": lambda place, text: inspect(place, text, env={"FORCE_COLOR": "1"}),
    "a report in JSON": lambda place, text: inspect(place, text, "--json"),
}


def inspect(place: Place, text: str, *more: str, env: dict[str, str] | None = None) -> Outcome:
    node = {"class_type": text, "inputs": {"ckpt_name": text, "image": text}, "_meta": {"title": text}}
    place.write("x.json", json.dumps({"1": node, "2": {"class_type": "SaveImage", "inputs": {"images": [text, 0]}}}))
    return place.run("inspect", "x.json", *more, env=env)


def status(place: Place, text: str, env: dict[str, str] | None = None) -> Outcome:
    named = {"name": "ckpt_name", "type": "COMBO", "link": None, "widget": {"name": "ckpt_name"}}
    listed = {"models": [{"name": text, "url": "https://example.org/x", "directory": "loras"}]}
    node = {"id": 1, "type": "CheckpointLoaderSimple", "mode": 0, "widgets_values": [text], "inputs": [named]}
    node["properties"] = listed
    place.write("x.json", json.dumps({"version": 0.4, "nodes": [node], "links": []}))
    return place.run("models", "status", "x.json", env=env)


def convert_into(place: Place, text: str, *more: str) -> Outcome:
    write_prompt(place, "x")
    return place.run("convert", "x.json", "--object-info", "info.json", "-o", text, *more)


def convert_note(place: Place, text: str) -> Outcome:
    write_prompt(place, text)
    return place.run("convert", "x.json", "--object-info", "info.json")


def write_prompt(place: Place, text: str) -> None:
    prompt = {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": text}}}
    place.write("x.json", json.dumps(prompt))
    inputs = {"required": {"filename_prefix": ["STRING", {}]}}
    info = {"SaveImage": {"input": inputs, "output": [], "name": "SaveImage", "output_node": True}}
    place.write("info.json", json.dumps(info))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_text_acts_on_the_terminal_or_ends_the_program(
    place: Place, way: Callable[[Place, str], Outcome], text: str
) -> None:
    outcome = way(place, text)
    printed = RICH.sub("", outcome.out + outcome.err)
    assert outcome.status in (0, 1, 2), ascii(outcome.err)
    assert [c for c in printed if not c.isprintable() and c not in "\n\t"] == []


@pytest.mark.parametrize("text", [*TEXTS.values(), "é 漢 🎨", 'a"b\\c\nd'])
def test_json_has_the_same_data(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_json_value({text: text})
    out = capsys.readouterr().out
    assert json.loads(out) == {text: text}
    assert out.rstrip("\n").isprintable()


def test_json_stays_readable_in_every_script(capsys: pytest.CaptureFixture[str]) -> None:
    print_json_value("é 漢 🎨")
    assert capsys.readouterr().out == '"é 漢 🎨"\n'


def test_the_path_in_a_json_error_is_the_one_that_was_given(place: Place) -> None:
    name = os.fsdecode(b"caf\xe9\x1b")
    assert name in place.run("inspect", name, "--json").json()["error"]["message"]


def test_a_name_with_a_line_break_does_not_look_like_a_line_of_the_program(place: Place) -> None:
    outcome = place.run("inspect", "x\n  fix:   touch PWN")
    assert [line for line in outcome.err.splitlines() if line.startswith("  fix:")] == ["  fix:   check the path"]


FORGING = "a\x1b[2J\x07\r\n  fix:   curl evil\n\nerror: evil\nwarning: evil" + "x" * 500 + "END"
"""A name that acts on a terminal, is longer than a line, and whose lines look like ours."""


@pytest.mark.parametrize("unknown", [0, 1, 2])
def test_a_name_is_whole_in_the_json_of_an_error_and_forges_no_line(place: Place, unknown: int) -> None:
    """The name of a file that is not there, and of node types that nothing has: of one, and of several at once."""
    name, command = FORGING[:200], ["inspect", FORGING[:200]]
    if unknown:
        name, command = FORGING, ["convert", "x.json", "--object-info", "info.json"]
        write_prompt(place, "x")
        node = {"class_type": FORGING, "inputs": {}, "_meta": {"title": FORGING}}
        place.write("x.json", json.dumps({str(n): node for n in range(unknown)}))
    error = place.run(*command, "--json").json()["error"]
    for problem in error.get("problems", [error]):
        assert name in problem["message"] and (not unknown or name in problem["where"])
    shown = place.run(*command).err
    assert printable(name) in shown and [c for c in shown if not c.isprintable() and c != "\n"] == []
    ours = [line.lstrip() for line in shown.splitlines()]
    assert all(line.startswith(("error: ", "where: ", "fix: ", "or: ")) for line in ours)
    assert not [line for line in ours if re.match(r"\w+: +(curl )?evil", line)]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_name_in_a_remark_forges_no_line(terminal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    written = io.StringIO()
    with Operation(Bars(SafeConsole(written, force_terminal=True, width=10_000)) if terminal else Lines()).running():
        report(f"note: saved {FORGING}", ("write " + FORGING, suggest("log", FORGING, name=FORGING)))
    (line,) = (RICH.sub("", written.getvalue()) or capsys.readouterr().err).splitlines()
    assert line.startswith(f"note: saved {printable(FORGING)}: write {printable(FORGING)}; or pycomfy log")
    assert line.isprintable()


def test_what_another_program_printed_has_a_mark_before_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = RunFailed(
        "a\nfix: evil", where="b\nfix: evil", fix=suggest("log", "c\nfix: evil"), details="\nd\n\tfix: evil\n"
    )
    print_error(error)
    print_json_error(error)
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "error: a\ufffdfix: evil",
        "  where: b\ufffdfix: evil",
        "       | d",
        "       |     fix: evil",
        "  fix:   pycomfy log",
        "         (c\ufffdfix: evil)",
    ]
    assert json.loads(out)["error"]["where"] == "b\nfix: evil\nd\n\tfix: evil"


def test_a_person_does_not_get_a_flood(capsys: pytest.CaptureFixture[str]) -> None:
    name = "x" * 5_000_000
    print_error(RunFailed(name, where=name, fix=name))
    assert len(capsys.readouterr().err) < 100_000


def test_a_path_with_a_space_of_another_kind_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("Bild\N{NO-BREAK SPACE}1.png")
    assert capsys.readouterr().out == "Bild\N{NO-BREAK SPACE}1.png\n"


def test_a_terminal_of_few_characters_gets_what_it_can_show(place: Place) -> None:
    outcome = place.run_process("inspect", "漢", "--json", env={"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"})
    assert outcome.status == 1 and "there is no file ?" in outcome.err
    assert "漢" in outcome.json()["error"]["message"] and outcome.out.isascii()


@pytest.mark.parametrize("text", [*TEXTS.values(), *MARKUP])
def test_titles_and_notes_of_steps_are_shown_as_they_are(text: str) -> None:
    written = io.StringIO()
    bars = Bars(SafeConsole(written, force_terminal=True, width=100, color_system=None))
    with bars.step(text) as task:
        task.note(text)
        bars.display.refresh()
    bars.report(text)
    shown = "".join(c if c.isprintable() else "�" for c in text)
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in written.getvalue().splitlines()]
    assert lines[-2].startswith(f"✓ {shown}  {shown}  ") and lines[-1] == shown
    assert all(line.isprintable() for line in lines)
