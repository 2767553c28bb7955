"""Read values of JSON that others wrote by hand: what is not of the kind that was expected counts as absent."""

from collections.abc import Mapping, Sequence


def as_mapping(value: object) -> Mapping[str, object]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> Sequence[object]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list | tuple) else ()


def as_number(value: object) -> int | float | None:
    """Return a finite number; None for anything else. What is beyond 1e300 is ComfyUI's "no bound", and no JSON."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -1e300 < value < 1e300 else None


def as_text(value: object) -> str:
    """Return a string; an empty one for anything else."""
    return value if isinstance(value, str) else ""
