"""Write TOML, for pycomfy.toml and for messages that say what to write into it.

tomlkit is imported when something is written: few commands do, and it takes time.
"""

from collections.abc import Iterable, Mapping


def render_value(value: object) -> str:
    """Return a value in TOML's syntax."""
    import tomlkit

    return tomlkit.item(value).as_string()


def render_key(key: str) -> str:
    """Return a key, in quotes if it needs them."""
    import tomlkit

    return tomlkit.key(key).as_string()


def render_list(key: str, texts: Iterable[str]) -> str:
    """Return the line that sets `key` to a list of texts."""
    return f"{render_key(key)} = {render_value(list(texts))}"


def at_top(line: str, replaced: str = "", then: str = "") -> str:
    """Return the advice to write a line at the top of pycomfy.toml, then to do what `then` says. `replaced` is what
    sets the key there already, such as "[comfyui]": TOML does not allow both."""
    instead = f", in place of its {replaced}" if replaced else ""
    return f"at the top of pycomfy.toml{instead}{then}: {line}"


def render_document(values: Mapping[str, object]) -> str:
    """Return a whole document. In TOML, keys of the top level come before the first table."""
    import tomlkit

    return tomlkit.dumps(dict(sorted(values.items(), key=lambda item: _is_table(item[1]))))


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list | tuple) and any(isinstance(v, dict) for v in value))
