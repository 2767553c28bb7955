"""Tables on a terminal, lines elsewhere."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from pycomfy.cli.terminal import find_console, print_line, print_lines, print_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_only_a_terminal_has_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    assert find_console(io.StringIO()) is None
    assert find_console(Terminal()) is not None
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert find_console(io.StringIO()) is not None


def test_without_a_terminal_rich_is_not_imported() -> None:
    code = "import sys; from pycomfy.cli.terminal import find_console; print(find_console(), 'rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "None False\n"


def test_a_long_cell_is_folded_where_it_may_be_and_cut_where_not() -> None:
    console = Console(file=io.StringIO(), width=30, force_terminal=True, color_system=None)
    rows = [("portrait", "7", "one two three four five six"), ("x", "12345", "short")]
    with console.capture() as captured:
        print_table(console, ("name", "size", "message"), rows, right=("size",), wrap=("message",))
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert lines[0].split() == ["name", "size", "message"]
    assert " ".join(lines[1:]).split()[:2] == ["portrait", "7"] and "six" in captured.get()
    assert lines[1].index("7") == lines[-1].index("12345") + 4, "numbers are aligned to the right"
    with console.capture() as captured:
        print_table(console, ("name", "message"), [("a" * 40, "b" * 40)])
    assert "…" in captured.get() and all(len(line) <= 30 for line in captured.get().splitlines())


def test_dates_and_sizes_are_whole_on_a_narrow_terminal() -> None:
    console = Console(file=io.StringIO(), width=40, force_terminal=True, color_system=None)
    with console.capture() as captured:
        print_table(console, ("repository", "updated", "title"), [("a" * 50, "2025-11-28", "b" * 50)])
    titles, row = captured.get().splitlines()
    assert "updated" in titles and "2025-11-28" in row and len(row.rstrip()) <= 40 and row.count("…") == 2
    with console.capture() as captured:
        print_table(console, ("repository", "stars", "title"), [("a" * 18, "7", "b" * 50)], whole=("repository",))
    assert "a" * 18 in captured.get(), "it is copied from there"


def test_lines_have_tabs_between_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([("a", 1), ("b c", "-")])
    assert capsys.readouterr().out == "a\t1\nb c\t-\n"


def test_the_label_of_a_remark_is_coloured_on_a_terminal_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    for line in ("  note: a [red]b[/red]", "warning: c", "wrote note: d", f"note: {'long ' * 40}"):
        print_line(line)
    marked, warning, plain, long = terminal.getvalue().splitlines()
    assert marked == "  \x1b[36mnote:\x1b[0m a [red]b[/red]" and plain == "wrote note: d"
    assert warning == "\x1b[1;33mwarning:\x1b[0m c"
    assert long.endswith("long long "), "a remark has no line breaks of ours, so that what is in it can be pasted"


def test_a_remark_is_plain_where_it_is_read_by_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("  note: a")
    print_line("warning: b", error=True)
    assert capsys.readouterr() == ("  note: a\n", "warning: b\n")
