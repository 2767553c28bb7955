"""Fixes as the command line shows them: commands that can be pasted into a shell."""

import shlex

import pytest

from pycomfy.cli.commands import load_command
from pycomfy.cli.fixes import render, render_fixes, render_note, with_fixes
from pycomfy.errors import Placeholder, suggest
from pycomfy.services.results import Note


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Make this the command that was called."""
    monkeypatch.setattr("sys.argv", ["pycomfy", *arguments])


def test_an_action_is_a_command_with_its_arguments_in_their_order() -> None:
    fix = suggest("lock", prefer="ann/pack", workflow="w.json", pack=("a=URL", Placeholder("NAME=URL")))
    assert render(fix) == "pycomfy lock w.json --pack a=URL --pack NAME=URL --prefer ann/pack"


def test_what_the_user_must_give_is_named() -> None:
    assert render(suggest("build")) == "pycomfy build WORKFLOW"
    assert render(suggest("archive pull", "from a backup", url=Placeholder("URL"))) == (
        "pycomfy archive pull URL (from a backup)"
    )


def test_advice_in_words_stays_as_it_is() -> None:
    assert render("make it readable") == "make it readable"


@pytest.mark.parametrize("name", ["two words", "it's", "$(rm -rf ~)", "a;b", "*", "~", "-x", ""])
def test_an_argument_is_read_as_it_was(name: str) -> None:
    words = shlex.split(render(suggest("models add", source=name, place=name)))
    assert words[:3] == ["pycomfy", "models", "add"]
    context = load_command("models add").make_context("add", words[3:])
    assert (context.params["source"], context.params["place"]) == (name, name)


def test_what_a_terminal_would_obey_is_escaped() -> None:
    text = render(suggest("lock", workflow="a\x1b[31m\nb\udcff"))
    assert text == r"pycomfy lock $'a\x1b[31m\nb\xff'"


def test_a_flag_is_given_or_negated() -> None:
    assert render(suggest("build", workflow="w", locked=True, prove=False)) == "pycomfy build w --locked --no-prove"


def test_to_retry_is_the_called_command_with_more_or_less(monkeypatch: pytest.MonkeyPatch) -> None:
    call(monkeypatch, "models", "add", "x.pt")
    assert render(suggest("retry", place=Placeholder("FOLDER/NAME"))) == "again with --as FOLDER/NAME"
    call(monkeypatch, "restore", "hello", "--offline")
    assert render(suggest("retry", offline=False)) == "again without --offline"


@pytest.mark.parametrize("arguments", [("log",), ("no such command",), ()])
def test_to_retry_is_shown_even_where_the_command_cannot_do_it(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    call(monkeypatch, *arguments)
    assert render(suggest("retry", place="x")) == "again with place=x"


def test_alternatives_are_in_one_line_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fixes = ("make room", suggest("archive gc"))
    assert render_fixes(fixes) == "make room; or pycomfy archive gc"
    assert with_fixes("the disk is full", fixes) == "the disk is full: make room; or pycomfy archive gc"
    assert render_note(Note("the disk is full", fixes)) == "the disk is full (make room; or pycomfy archive gc)"
    assert render_note(Note("the disk is full")) == "the disk is full"
