"""Read sizes as people write them: `12G`, `512MiB`, `0`."""

import re

from pycomfy.errors import BadInput

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str, where: str) -> int:
    """Return the bytes of a size, whose units are powers of 1024. Raises `BadInput` for any other text; `where` names
    the setting."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise BadInput(f'"{text}" is not a size', where=where, fix='write it as "12G" or "512M"')
    return int(float(found[1]) * 1024 ** _POWERS[(found[2] or "").lower()])
