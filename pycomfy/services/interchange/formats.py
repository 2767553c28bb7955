"""Choose an interchange format by its name."""

from pycomfy.core.interchange.format import Format
from pycomfy.core.interchange.registry import BUNDLE, FORMATS, load_format
from pycomfy.errors import BadArgument


def choose_format(name: str) -> Format:
    """Return the format. Raises `BadArgument` for an unknown name."""
    if name not in FORMATS:
        names = ", ".join((BUNDLE, *FORMATS))
        raise BadArgument(f"unknown format {name!r}: there are {names}", argument="format_", fix=f"give one of {names}")
    return load_format(name)
