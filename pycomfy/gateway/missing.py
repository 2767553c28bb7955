"""What is said of models that are missing: by the gateway, and by whatever starts an image."""

from collections.abc import Sequence

NAMED = 10
"""Missing models that are named; of more, their number."""


def describe_missing(locations: Sequence[str]) -> str:
    """One sentence; empty for none. A location is a path below the folder of models."""
    if not locations:
        return ""
    more = f" and {len(locations) - NAMED} more" if len(locations) > NAMED else ""
    return f"models are missing: {', '.join(locations[:NAMED])}{more}"
