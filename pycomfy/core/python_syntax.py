"""Parse Python sources, without running them."""

import ast
import threading
import warnings

MAX_SOURCE = 4_000_000

_parsing = threading.Lock()
"""Older CPythons (3.11.7 for one) count the depth of all trees that are made in one place: where the collection of
garbage lets another thread in, parsing there makes both fail with a SystemError (gh-106905). `catch_warnings` is not
for several threads, either."""


def parse_source(source: str) -> ast.Module | None:
    """Return the syntax tree of a file; None if it is not Python, or too large. Warnings of the parser are dropped."""
    if len(source) > MAX_SOURCE:
        return None
    try:
        with _parsing, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
