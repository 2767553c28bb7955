"""`health`: whether ComfyUI answers, for the image's HEALTHCHECK."""

from .places import Places
from .server import Api, Refused


def run(places: Places) -> int:
    """Exit status 0 if it answers within five seconds, else 1."""
    try:
        Api(places.port).request("/queue", timeout=5)
    except (OSError, Refused):
        return 1
    return 0
