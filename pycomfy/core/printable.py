"""Make text of others fit for a message."""

MAX_CHARACTERS = 200
"""Characters of one text in a message."""


def sanitise(text: str) -> str:
    """Return one line of at most `MAX_CHARACTERS`, with `…` after it where more was cut off. What acts on a terminal,
    and every other character that does not print, becomes U+FFFD."""
    plain = "".join(c if c.isprintable() else "\ufffd" for c in text[:MAX_CHARACTERS])
    return plain if len(text) <= MAX_CHARACTERS else plain + "…"
