"""Write a command so that it can be pasted into a shell, whatever its arguments contain."""

import shlex
from collections.abc import Iterable

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'"}


def quote(argument: str) -> str:
    """The argument as a shell's word. One with control characters, or with bytes that are no text (as Python's
    surrogates), is in the form `$'…'` of bash, zsh and ksh, so that nothing of it acts on a terminal."""
    if argument.isprintable():
        return shlex.quote(argument)
    return "$'" + "".join(_escape(c) for c in argument) + "'"


def render_command(words: Iterable[str]) -> str:
    """The words as one line."""
    return " ".join(map(quote, words))


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    data = character.encode("utf-8", "surrogateescape" if "\udc80" <= character <= "\udcff" else "replace")
    return "".join(f"\\x{byte:02x}" for byte in data)
