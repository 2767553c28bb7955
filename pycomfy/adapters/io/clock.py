"""Recognise what a wrong clock looks like: certificates and keys that are not valid now."""

import re
from datetime import UTC, datetime

_WORDS = re.compile(
    # OpenSSL's and GnuTLS's words (Python's and git's), rustls's (uv's), GnuPG's
    r"not (yet valid|valid yet)|NotValidYet|not yet activated|[Hh]as expired|[Cc]ertificate expired|clock problem"
)


def blames_time(message: str) -> bool:
    """Return whether a program says that a certificate or key is not valid now."""
    return _WORDS.search(message) is not None


def clock_fix() -> str:
    """Return what to do where something is not valid now."""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return f"correct this machine's clock, which shows {now}; if that is right, the other side is out of date"
