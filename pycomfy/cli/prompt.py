"""Ask the user at the terminal."""

import sys

from pycomfy.operation import Ask, Question


def find_asker() -> Ask | None:
    """Return a function that asks; None where input or output is not a terminal."""
    return ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def ask(question: Question) -> int | None:
    """Let the user choose among the options by number; an empty answer chooses none."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)
    console.print(f"\n[bold]{escape(question.subject)}[/bold]: {escape(question.text)} {escape(question.reason)}")
    for number, option in enumerate(question.options, start=1):
        console.print(f"  [bold]{number}[/bold]  {escape(option.label)}  [dim]{escape(option.description)}[/dim]")
    while True:
        try:
            answer = console.input(f"1–{len(question.options)}, or Enter for none of them: ").strip()
        except EOFError:
            return None
        if not answer:
            return None
        if answer.isdecimal() and 1 <= int(answer) <= len(question.options):
            return int(answer) - 1
