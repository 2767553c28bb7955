"""Write a command so that it can be pasted into a shell, whatever its arguments contain."""

import shlex
from collections.abc import Iterable

from pycomfy.core.printable import is_printable

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'", "\0": "?"}


def quote(argument: str) -> str:
    """Return the argument as one word of a shell, without control characters.

    An argument with control characters, or with bytes that are not UTF-8 (Python's surrogates), is written as `$'…'`,
    which bash, zsh and ksh understand; so nothing in it acts on a terminal. What no argument can contain, a NUL and
    half a surrogate pair, becomes `?`.
    """
    if is_printable(argument):
        return shlex.quote(argument)
    return "$'" + "".join(map(_escape, argument)) + "'"


def render_command(words: Iterable[str]) -> str:
    """Return the words as one line."""
    return " ".join(map(quote, words))


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if is_printable(character):
        return character
    data = character.encode("utf-8", "surrogateescape" if "\udc80" <= character <= "\udcff" else "replace")
    return "".join(f"\\x{byte:02x}" for byte in data)
