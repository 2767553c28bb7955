"""Make text from anywhere safe to print: names, paths, and what workflows, servers and other programs say."""

import re
import unicodedata

MAX_CHARACTERS = 200
"""Characters of one text in a message."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


_UNUSUAL = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    """Return the text as one line. What acts on a terminal, a line break too, and every other character that does not
    print, such as half a surrogate pair, becomes U+FFFD. Spaces of all kinds stay."""
    return text if text.isprintable() else _UNUSUAL.sub(lambda m: m[0] if _prints(m[0]) else REPLACEMENT, text)


def printable_lines(text: str) -> str:
    """Return the text, made printable but for its line breaks and tabs."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in lines)


def sanitise(text: str) -> str:
    """Return one printable line of at most `MAX_CHARACTERS`, with `…` after it where more was cut off."""
    plain = printable(text[:MAX_CHARACTERS])
    return plain if len(text) <= MAX_CHARACTERS else plain + "…"


def _prints(character: str) -> bool:
    """Python counts U+0020 alone of all spaces as printable; but a path with another one is still to be copied."""
    return character.isprintable() or unicodedata.category(character) == "Zs"
