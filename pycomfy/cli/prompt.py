"""Putting a question to whoever sits at the terminal."""

import sys

from rich.console import Console
from rich.markup import escape

from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_errors import describe_candidate, short_name
from pycomfy.core.nodes.pack_resolution import ProviderQuestion
from pycomfy.services.lock.node_packs import Ask


def find_asker() -> Ask | None:
    """Somebody to ask; None where input or output is no terminal."""
    return ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def ask(question: ProviderQuestion) -> Listing | None:
    """Let the user choose among the candidates by number; an empty answer chooses none."""
    console = Console(stderr=True, highlight=False)
    console.print(f"\n[bold]{escape(question.type)}[/bold]: which node pack? {escape(question.why)}")
    for number, candidate in enumerate(question.candidates, start=1):
        described = escape(describe_candidate(candidate))
        console.print(f"  [bold]{number}[/bold]  {escape(short_name(candidate.pack))}  [dim]{described}[/dim]")
    while True:
        try:
            answer = console.input(f"1–{len(question.candidates)}, or Enter for none of them: ").strip()
        except EOFError:
            return None
        if not answer:
            return None
        if answer.isdecimal() and 1 <= int(answer) <= len(question.candidates):
            return question.candidates[int(answer) - 1].pack
