"""Make text from anywhere safe to print: names, paths, and what workflows, servers and other programs say."""

import re
import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


_UNUSUAL = re.compile(r"[^ -~]")

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that show nothing, so that two names look the same: those of Unicode's property
Default_Ignorable_Code_Point that Python counts as printable, and the blank of Braille. The variation selectors of emoji
(U+FE0E, U+FE0F) are not among them: titles have them."""


def is_printable(text: str) -> bool:
    """Return whether every character of the text is seen, and none acts on a terminal."""
    return text.isprintable() and _UNSEEN.search(text) is None


def printable(text: str) -> str:
    """Return the text as one line. What acts on a terminal, a line break too, and every other character that does not
    print, such as half a surrogate pair, becomes U+FFFD. Spaces of all kinds stay."""
    return text if is_printable(text) else _UNUSUAL.sub(lambda m: m[0] if _prints(m[0]) else REPLACEMENT, text)


def printable_lines(text: str) -> str:
    """Return the text, made printable but for its line breaks and tabs."""
    if is_printable(text):
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in lines)


def _prints(character: str) -> bool:
    """Python counts U+0020 alone of all spaces as printable; but a path with another one is still to be copied."""
    return is_printable(character) or unicodedata.category(character) == "Zs"
