"""TOML, as pycomfy.toml is written and as messages tell people to write it."""

from collections.abc import Iterable

import tomlkit


def render_value(value: object) -> str:
    """A value as TOML writes it."""
    return tomlkit.item(value).as_string()


def render_key(key: str) -> str:
    """A key, with quotes if it needs any."""
    return tomlkit.key(key).as_string()


def render_list(key: str, texts: Iterable[str]) -> str:
    """The line that sets `key` to a list of texts."""
    return f"{render_key(key)} = {render_value(list(texts))}"
