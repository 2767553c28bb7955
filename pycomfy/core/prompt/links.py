"""Links in a prompt: an input that is another node's output."""


def is_link(value: object) -> bool:
    """`[id, slot]`."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
