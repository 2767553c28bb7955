"""The help: complete, quick to print, and plain where no terminal shows it."""

import os
import pty
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from pycomfy.cli.commands import PANELS, SUMMARIES, list_commands, load_command, load_top_level
from pycomfy.cli.help import split_examples, summary
from pycomfy.cli.main import app


def read_help(*arguments: str, columns: int = 80) -> str:
    """The help where no terminal shows it."""
    result = CliRunner().invoke(app, [*arguments, "--help"], env={"COLUMNS": str(columns)})
    assert result.exit_code == 0
    return result.output


def read_help_on_terminal(environment: dict[str, str]) -> str:
    """The help of `log`, as a terminal gets it."""
    leader, follower = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "pycomfy", "log", "--help"], stdout=follower, env={**os.environ, **environment}
        )
        os.close(follower)
        text = b""
        while data := _read(leader):
            text += data
        assert process.wait() == 0
    finally:
        os.close(leader)
    return text.decode()


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 4096)
    except OSError:  # Linux's way to say that nobody will write again
        return b""


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_summary_of_every_command_is_the_first_line_of_its_own_help(name: str) -> None:
    assert SUMMARIES[name] == summary(load_top_level(name).help)


def test_the_help_lists_every_command_with_its_summary_below_its_panel() -> None:
    text = read_help(columns=200)
    for title, commands in PANELS.items():
        panel = text.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        rows = [line.split(maxsplit=1) for line in panel.splitlines() if line.startswith("  ") and line[2] != " "]
        assert [name for name, _ in rows] == list(commands)
        assert " ".join(panel.split()) == " ".join(f"{name} {one}" for name, one in commands.items())


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", ["", *list_commands()])
def test_no_line_of_the_help_is_wider_than_the_terminal_but_an_example(name: str, columns: int) -> None:
    text = read_help(*name.split(), columns=columns)
    examples = split_examples(load_command(name).help)[1] if name else []
    assert max(len(line) for line in text.splitlines() if line.strip() not in examples) <= columns
    assert all(f"  {example}\n" in text for example in examples)


def test_headings_are_bold_on_a_terminal_alone() -> None:
    assert "\x1b[1mOptions" in read_help_on_terminal({"TERM": "xterm"})
    assert "\x1b" not in read_help_on_terminal({"TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b" not in read_help_on_terminal({"TERM": "dumb"})
    assert "\x1b" not in read_help("log")


def test_no_help_imports_a_service_or_pydantic_so_that_it_is_quick() -> None:
    """Typer imports pydantic to convert a parameter, and no parameter is converted for a help."""
    code = (
        "import sys\nfrom pycomfy.cli.main import app\n"
        f"for name in {['', *list_commands()]!r}:\n"
        "    app([*name.split(), '--help'], standalone_mode=False)\n"
        "    slow = 'rich', 'git', 'httpx', 'packaging', 'pydantic', 'tomlkit', 'pycomfy.services'\n"
        "    print(*(f'{m} for {name}' for m in slow if m in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == ""
