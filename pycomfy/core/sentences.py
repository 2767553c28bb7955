"""Put texts of others, of any length and number of lines, into sentences. Otherwise they stay as they are: what acts on
a terminal is replaced where it is printed."""

MAX_NAME = 1000
"""Characters of a name in a sentence: more than any that is meant. A hostile one has millions, and may be in a sentence
about each of a hundred thousand nodes."""


def shorten(text: str, limit: int = MAX_NAME) -> str:
    """Return at most `limit` characters of the text, with `…` after them where more were cut off."""
    return text if len(text) <= limit else text[:limit] + "…"


def join_lines(text: str) -> str:
    """Return the text as one line, with one space between the words."""
    return " ".join(text.split())
