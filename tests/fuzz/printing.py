"""What is printed: by targets of what they get, as the commands print it, and errors."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from pycomfy.cli.json_output import print_json

if TYPE_CHECKING:
    from pycomfy.services.results import Result


def printed(print_: Callable[[], object], *, error: bool = False) -> str:
    """Return what a function prints on standard output, or with `error` on standard error, where atheris as well says
    what it imports."""
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n")
    with redirect_stderr(stream) if error else redirect_stdout(stream):
        print_()
    stream.seek(0)
    return stream.read()


def acts_on_terminal(text: str) -> bool:
    """Return whether a text has more than what prints, spaces, tabs and line breaks."""
    return not all(c.isprintable() or c in "\n\t" or c.isspace() for c in text) or "\x1b" in text


def print_result(result: "Result") -> None:
    """Print a result as `--json` does: it is JSON, and harmless on a terminal."""
    json.loads(print_harmlessly(lambda: print_json(result)))


def print_harmlessly(print_: Callable[[], object]) -> str:
    """Return what a function prints, none of which acts on a terminal."""
    text = printed(print_)
    assert not acts_on_terminal(text), "what is printed acts on a terminal"
    return text
