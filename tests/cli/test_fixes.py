"""The fix of an error can be pasted into a shell, whatever a name contains: a real bash runs it here."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.cli.errors import print_error
from pycomfy.cli.fixes import find_command, render, render_all, render_fixes, render_note, with_fixes
from pycomfy.core.printable import printable
from pycomfy.errors import Argument, BadInput, Fix, Placeholder, suggest, suggest_retry
from pycomfy.services.results import Note

NASTY = {
    "plain": "portrait",
    "empty": "",
    "spaces": "  my card  ",
    "single quote": "it's",
    "double quotes": 'a "b" c',
    "backslashes": "a\\b\\",
    "substitution": "$(touch x)",
    "backquotes": "`touch x`",
    "variable": "$HOME ${PATH} ~root",
    "next command": "a; touch x",
    "pipe": "a|touch x & touch y > z < w",
    "glob": "*?[a-z]{1,2}",
    "history": "a!!b !touch",
    "history beside a control character": "!!\t!t",
    "comment": "#not a comment",
    "newline": "a\ntouch x\n",
    "carriage return": "good\rtouch x",
    "tab": "\ta\t",
    "terminal": "\x1b[2J\x1b]0;title\x07\x9b31m\x7f\x08",
    "quotes beside a control character": "'\x1b'$(touch x)'\\'",
    "digits after a control character": "\x1b0a\x01f",
    "dash": "-",
    "option": "--force",
    "two dashes": "--",
    "short option": "-rf",
    "option with a value": "--output=x",
    "bytes that are not UTF-8": os.fsdecode(b"caf\xe9 \xff\xfe"),
    "cut UTF-8": os.fsdecode("é".encode()[:1]) + "a",
    "unicode": "Größe 大きい 🎨",
    "right to left": "a\u202etxt.exe",
    "zero width": "a\u200bb\ufeff\u2028c\xa0d",
    "combining": "e\u0301",
    "255 bytes": "é" * 127 + "x",
    "assignment": "A=b",
    "emoji code": ":smile: [bold]x[/bold]",
}

STUB = '#!/bin/sh\nprintf "%s\\0" "$@" > "$ARGUMENTS"\n'


class Shell:
    """A bash with a `pycomfy` that writes down how it was called; `folder` is where it runs, and stays empty."""

    def __init__(self, root: Path) -> None:
        self.folder, self.arguments, programs = root / "folder", root / "arguments", root / "bin"
        self.folder.mkdir()
        programs.mkdir()
        stub = programs / "pycomfy"
        stub.write_text(STUB)
        stub.chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "ARGUMENTS": str(self.arguments),
            "HOME": str(root / "home"),
            "LC_ALL": "C.UTF-8",
            "HISTFILE": "",
        }

    def paste(self, line: str, *, interactive: bool = False) -> list[str]:
        """The arguments that pycomfy got from the line, and nothing else happened."""
        assert line.isprintable() and "\n" not in line, line
        self.arguments.unlink(missing_ok=True)
        options = ["-i"] if interactive else []
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", *options],
            input=line.encode() + b"\n",
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            check=False,
        )
        assert list(self.folder.iterdir()) == [], line
        assert interactive or (done.returncode, done.stdout, done.stderr) == (0, b"", b""), (line, done)
        *words, rest = self.arguments.read_bytes().split(b"\0")
        assert rest == b""
        return [os.fsdecode(word) for word in words]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("shell"))


def understood(action: str, words: list[str]) -> dict[str, Any]:
    """What the command line makes of the words, by the names of its parameters."""
    named = action.split(" ")
    assert words[: len(named)] == named
    parameters: dict[str, Any] = find_command(action).make_context(action, words[len(named) :]).params
    return parameters


def same(given: Argument, got: object) -> bool:
    if isinstance(got, Path):
        return got == Path(str(given))
    if isinstance(got, list) and got and isinstance(got[0], Path):
        return len(got) == 1 and same(given, got[0])
    if isinstance(got, list | tuple):
        return [str(one) for one in got] == [str(one) for one in (given if isinstance(given, tuple) else (given,))]
    return got == given


def check(shell: Shell, fix: Fix, *, interactive: bool = False) -> None:
    """Pasting what is rendered calls the fix's command with its arguments."""
    got = understood(fix.action, shell.paste(render_all(fix)[0][0], interactive=interactive))
    assert {name: got[name] for name in fix.arguments if not same(fix.arguments[name], got[name])} == {}


def fixes_with(name: str) -> Iterator[Fix]:
    """The name as a positional argument, as one of several, as the value of an option, and in a placeholder."""
    yield suggest("log", name=name)
    yield suggest("push", remote=name, names=(name, "other", name))
    yield suggest("lock", workflow=name, pack=(f"{name}=URL", name), prefer=name, name=name)
    yield suggest("lock", workflow=name, pack=(Placeholder(f"{name}=URL"), name), node=Placeholder(f"{name}=COMMIT"))
    yield suggest("models add", source=name, place=name)
    yield suggest("import", file=name, to=name, format_=name)
    yield suggest("run", name="portrait", inputs=(f"{name}=1", name), models=name)
    yield suggest("checkout", reference=name, to=name, force=True)
    yield suggest("build", workflow=name, prove=False, archive=True)


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
def test_a_name_reaches_its_command_as_it_is(shell: Shell, name: str) -> None:
    for fix in fixes_with(name):
        check(shell, fix)


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
def test_so_it_does_from_an_interactive_shell_with_a_history(shell: Shell, name: str) -> None:
    check(shell, suggest("lock", workflow=name, prefer=name), interactive=True)


NAMES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60),
    st.binary(max_size=255).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
    st.text(st.sampled_from("-=$()`'\"\\!;&|<> \n\x1b#~*ax"), max_size=20),
)


@given(name=NAMES, other=NAMES)
def test_whatever_a_name_contains(shell: Shell, name: str, other: str) -> None:
    check(shell, suggest("lock", workflow=name, pack=(f"{name}={other}", other), prefer=other))
    check(shell, suggest("push", remote=other, names=(name, other)))


@given(NAMES, NAMES)
def test_nothing_in_a_rendered_command_acts_on_a_terminal(name: str, note: str) -> None:
    fix = suggest("lock", note, workflow=name, pack=Placeholder(name))
    ((command, *notes),) = render_all(fix)
    assert printable(command) == command and notes == ([f"({note})"] if note else [])
    assert render(fix) == " ".join((command, *notes)) and render_fixes((fix, fix)) == "; or ".join([render(fix)] * 2)


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
def test_what_is_printed_for_a_person_can_be_copied(
    shell: Shell, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fixes = (suggest("lock", f"as {name}", workflow="w.json", prefer=name), suggest("log", name=name))
    print_error(BadInput("it is wrong", where="here", fix=fixes))
    lines = capsys.readouterr().err.splitlines()
    shown = {
        label: line.removeprefix(f"  {label}").strip(" ")
        for label in ("fix:", "or:")
        for line in lines
        if label in line
    }
    assert understood("lock", shell.paste(shown["fix:"]))["prefer"] == [name]
    assert understood("log", shell.paste(shown["or:"]))["name"] == name


def test_what_no_argument_can_contain_is_replaced(shell: Shell) -> None:
    fix = suggest("log", name="a\0b\ud800c")
    assert understood("log", shell.paste(render(fix)))["name"] == "a?b?c"


@pytest.mark.parametrize(
    ("fix", "line"),
    [
        (suggest("lock", workflow="w.json", pack=Placeholder("NAME=URL")), "pycomfy lock w.json --pack NAME=URL"),
        (suggest("lock", update="python"), "pycomfy lock WORKFLOW --update python"),
        (suggest("check"), "pycomfy check 'NAME[@V]|PATH'"),
        (suggest("log", "lists them all"), "pycomfy log (lists them all)"),
        (suggest("archive pull", "or another", url=Placeholder("URL")), "pycomfy archive pull URL (or another)"),
        (suggest("build", workflow="w.json", prove=False, locked=False), "pycomfy build w.json --no-prove"),
        (suggest("checkout", reference="-x", force=True), "pycomfy checkout --force -- -x"),
        (suggest("lock", workflow="w.json", name="-x"), "pycomfy lock w.json --name -x"),
        (suggest("models add", source=Placeholder("$(touch x)")), "pycomfy models add '$(touch x)'"),
        ("write it into pycomfy.toml", "write it into pycomfy.toml"),
    ],
)
def test_a_fix_reads_like_this(fix: str | Fix, line: str) -> None:
    assert render(fix) == line


@pytest.mark.parametrize(
    ("called", "arguments", "line"),
    [
        (["restore", "a", "--offline"], {"offline": False}, "again without --offline"),
        (["import", "f", "--to", "x"], {"to": Placeholder("DIR")}, "again with --to DIR"),
        (["import", "f"], {"format_": False}, "again without --format"),
        (["--json", "archive", "gc"], {"dry": True}, "again with --dry-run"),
        (["build", "w"], {"prove": False}, "again with --no-prove"),
        (["build", "w", "--locked"], {"prove": True, "locked": False}, "again with --prove without --locked"),
        (["build", "w"], {"nope": "x"}, "again with nope=x"),
        (["nope"], {"dry": True}, "again with dry=True"),
        (["build", "w", "--locked"], {"workflow": "w/a b.json"}, "pycomfy build 'w/a b.json' --locked"),
        (["--json", "models", "status", "./w/"], {"workflow": "w/a"}, "pycomfy --json models status w/a"),
        (["lock", "w", "x"], {"workflow": "w/a"}, "again with w/a"),
    ],
)
def test_trying_again_says_what_to_change_in_the_command_that_was_called(
    called: list[str], arguments: Mapping[str, Argument], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["pycomfy", *called])
    assert render(Fix("retry", arguments)) == line


@pytest.mark.parametrize(
    ("called", "fix", "line"),
    [
        (["lock", "w"], suggest_retry("lock", prefer="a b"), "again with --prefer 'a b'"),
        (["build", "w"], suggest_retry("lock", prefer="a b"), "pycomfy lock WORKFLOW --prefer 'a b'"),
        (["build", "w"], suggest_retry("restore", offline=False, to="x"), "pycomfy restore 'NAME[@V]' --to x"),
        (["build", "w"], suggest_retry("lock", name="x"), "pycomfy lock WORKFLOW --name x"),
        (["nope"], suggest_retry("archive gc", dry=True), "pycomfy archive gc --dry-run"),
        (["show", "w"], suggest_retry("archive gc", dry=True), "pycomfy archive gc --dry-run"),
        ([], suggest_retry("lock", prefer="-x"), "pycomfy lock WORKFLOW --prefer -x"),
    ],
)
def test_trying_again_names_the_use_case_that_is_meant_where_the_called_command_has_no_such_parameter(
    called: list[str], fix: Fix, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the first command that has one of that name: many have `--dry-run` and `--name`."""
    monkeypatch.setattr(sys, "argv", ["pycomfy", *called])
    assert render(fix) == line


def test_a_program_is_told_the_use_case_too() -> None:
    named = {"action": "retry", "arguments": {"dry": True}, "note": "", "use_case": "archive gc"}
    assert suggest_retry("archive gc", dry=True).as_dict() == named
    assert "use_case" not in suggest("retry", dry=True).as_dict()


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
def test_what_to_add_can_be_pasted_behind_the_command(shell: Shell, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pycomfy", "lock", "w.json"])
    added = render(suggest("retry", prefer=name, pack=(name, "x"))).removeprefix("again with ")
    got = understood("lock", shell.paste(f"pycomfy lock w.json {added}"))
    assert got["prefer"] == [name] and got["pack"] == [name, "x"]


def test_alternatives_are_in_one_line_where_there_is_one() -> None:
    fixes = ("make room", suggest("archive gc"))
    assert render_fixes(fixes) == "make room; or pycomfy archive gc"
    assert with_fixes("the disk is full", fixes) == "the disk is full: make room; or pycomfy archive gc"
    assert render_note(Note("the disk is full", fixes)) == "the disk is full (make room; or pycomfy archive gc)"
    assert render_note(Note("the disk is full")) == "the disk is full"


def test_an_argument_that_the_command_does_not_have_is_our_bug() -> None:
    with pytest.raises(KeyError, match="nope"):
        render(suggest("lock", nope="x"))
