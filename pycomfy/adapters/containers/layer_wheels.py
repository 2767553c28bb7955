"""Read what our builder says of the wheels in an image's layers."""

import json
from pathlib import Path

from pycomfy.adapters.containers.layout import MISRECORDED, LayoutImage


def read_misrecorded(image: LayoutImage) -> tuple[str, ...]:
    """Return the wheels whose RECORD does not describe their files, as "decord 0.6.0", sorted."""
    found: set[str] = set()
    for digest in image.diff_ids:
        found |= _read(image.layer(digest) / MISRECORDED)
    return tuple(sorted(found))


def _read(path: Path) -> set[str]:
    try:
        owners = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return set()
    return {str(owner) for owner in owners} if isinstance(owners, list) else set()
