"""Read and write the documents in other tools' files: untrusted JSON, YAML and TOML, bounded in size and depth."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from pycomfy.core.validation import describe_errors
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadInput, BadWorkflow, combine

MAX_BYTES = 64 << 20
"""Bytes of a file; some hold workflows."""

MAX_YAML_CHARACTERS = 4 << 20
"""Characters of a file in YAML, which takes a hundred times as long to read as JSON."""

MAX_YAML_DEPTH = 100
"""Levels of a file in YAML; JSON has its own limit."""

MAX_LISTED = 20
"""Names in one note."""

_FIX = "save it again with the tool that made it"

Text = Annotated[str, StringConstraints(max_length=4000)]


class ForeignModel(BaseModel):
    """A part of another tool's file. Keys that a later version adds are not an error, but are reported; what the tool
    is known to write and pycomfy has no use for is a field of type `object`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def unknown_keys(self) -> tuple[str, ...]:
        """The paths of the keys that are ignored, here and in the parts that are `ForeignModel`s: "models.*.size",
        where `*` is any entry of a list, or any value of an object with keys of the user's."""
        return tuple(sorted(set(_list_unknown_keys(self, ""))))


F = TypeVar("F", bound=ForeignModel)


def parse_document(data: bytes, where: str, filename: str | None = None) -> object:
    """Return the value in `data`; `filename` (default: `where`) says by its ending whether it is TOML. Raises
    `BadInput` for what is not JSON, YAML or TOML, and for too much of it."""
    is_toml = (filename or where).endswith(".toml")
    if len(data) > MAX_BYTES:
        raise BadInput(f"larger than {MAX_BYTES >> 20} MiB", where=where, fix="give another file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise _refused(where, "not UTF-8") from e
    if text.lstrip().startswith(("{", "[")) and not is_toml:
        try:
            return parse_json(data, where=where)
        except BadWorkflow as e:
            raise _refused(where, e.what) from e
    if is_toml or "lock-version" in text:
        return _read_toml(text, where)
    return _read_yaml(text, where)


def validate(kind: type[F], value: object, where: str) -> F:
    """Return `value` as a `kind`. Raises all that is wrong with it at once, as `BadInput`."""
    try:
        return kind.model_validate(value)
    except ValidationError as e:
        problems = describe_errors(e, "the file")
        raise combine([BadInput(what, where=where, fix=_FIX) for what in problems]) from e


def describe_unknown_keys(model: ForeignModel) -> tuple[str, ...]:
    """Return a note on the keys that are ignored, at every level; nothing if there are none."""
    return describe_names("unknown keys, ignored", model.unknown_keys)


def describe_names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return a note that lists the first `MAX_LISTED` names and counts the others; nothing if there are none."""
    listed = list(names)
    more = f" and {len(listed) - MAX_LISTED} more" if len(listed) > MAX_LISTED else ""
    return (f"{what}: {', '.join(listed[:MAX_LISTED])}{more}",) if listed else ()


def render_json(value: object, *, indent: int = 2) -> bytes:
    """Return a document as JSON, with a newline at its end."""
    return (json.dumps(value, indent=indent, ensure_ascii=False) + "\n").encode()


def _list_unknown_keys(value: object, path: str) -> Iterator[str]:
    if isinstance(value, ForeignModel):
        yield from (f"{path}{key}" for key in value.model_extra or ())
        for name, field in type(value).model_fields.items():
            yield from _list_unknown_keys(getattr(value, name), f"{path}{field.alias or name}.")
    elif isinstance(value, tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, ForeignModel | tuple | dict):
                yield from _list_unknown_keys(inner, f"{path}*.")


def _read_toml(text: str, where: str) -> object:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        raise _refused(where, f"not TOML: {e}") from e


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Refuse aliases, by which a small file becomes an endless value, and read dates and numbers as text."""

    depth = 0

    def compose_node(self, parent: object, index: object) -> object:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        self.depth += 1
        if self.depth > MAX_YAML_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_YAML_DEPTH} levels deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read_yaml(text: str, where: str) -> object:
    if len(text) > MAX_YAML_CHARACTERS:
        raise _refused(where, f"larger than {MAX_YAML_CHARACTERS >> 20} MiB")
    try:
        value: object = yaml.load(text, Loader=_Loader)  # noqa: S506  (it is a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise _refused(where, f"neither JSON nor YAML: {' '.join(str(e).split())[:200]}") from e
    if not isinstance(value, Mapping):
        raise _refused(where, "neither a bundle of pycomfy nor JSON, YAML or TOML")
    return value


def _refused(where: str, why: str) -> BadInput:
    return BadInput(f"cannot be read: {why}", where=where, fix=_FIX)
