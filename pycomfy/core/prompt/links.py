"""Recognise links in a prompt: inputs that are another node's output."""


def is_link(value: object) -> bool:
    """Return whether an input is a link: `[id, slot]`."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
