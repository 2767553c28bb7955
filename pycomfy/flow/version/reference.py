"""How a version is named: `NAME`, or `NAME@3`."""

import re
from dataclasses import dataclass

from pycomfy.errors import BadInput

_REFERENCE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._+-]{0,99})(@(?P<version>[1-9][0-9]{0,8}))?")


@dataclass(frozen=True)
class Reference:
    """A workflow's version by number; None is the newest."""

    name: str
    version: int | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


def parse_reference(text: str) -> Reference:
    """Raises `BadInput`."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise BadInput(
            f'"{text}" names no version', where="NAME", fix="write NAME or NAME@NUMBER; `pycomfy log` has them"
        )
    return Reference(found["name"], int(found["version"]) if found["version"] else None)
