"""Ask the user at the terminal."""

import sys

from pycomfy.cli.terminal import make_console, styled
from pycomfy.operation import Ask, Question


def find_asker() -> Ask | None:
    """Return a function that asks; None where input or output is not a terminal."""
    return ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def ask(question: Question) -> int | None:
    """Let the user choose among the options by number; an empty answer chooses none."""
    console = make_console(sys.stderr)
    console.print()
    console.print(styled((question.subject, "bold"), f": {question.text} {question.reason}"))
    for number, option in enumerate(question.options, start=1):
        console.print(styled("  ", (str(number), "bold"), f"  {option.label}  ", (option.description, "dim")))
    while True:
        try:
            answer = console.input(f"1–{len(question.options)}, or Enter for none of them: ").strip()
        except EOFError:
            return None
        if not answer:
            return None
        if answer.isdecimal() and 1 <= int(answer) <= len(question.options):
            return int(answer) - 1


def confirm(question: str) -> bool:
    """Let the user say yes or no at the terminal; an empty answer is no."""
    console = make_console(sys.stderr)
    try:
        answer = console.input(f"{question} [y/N] ", markup=False)
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
