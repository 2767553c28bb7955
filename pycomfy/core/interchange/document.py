"""Read and write the documents in other tools' files: untrusted JSON, YAML and TOML, bounded in size and depth."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from pycomfy.core.workflow.untrusted_json import parse_json, shown
from pycomfy.errors import BadInput, BadWorkflow, raise_all

MAX_BYTES = 64 << 20
"""Bytes of a file; some hold workflows."""

MAX_YAML = 4 << 20
"""Characters of a file in YAML, which takes a hundred times as long to read as JSON."""

MAX_DEPTH = 100
"""Levels of a file in YAML; JSON has its own limit."""

MAX_LISTED = 20
"""Errors that are reported of one file, and names in one note."""

_FIX = "save it again with the tool that made it"

Text = Annotated[str, StringConstraints(max_length=4000)]


class ForeignModel(BaseModel):
    """A part of another tool's file. Keys that a later version adds are not an error, but are reported."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def unknown_keys(self) -> tuple[str, ...]:
        """The keys that are ignored."""
        return tuple(sorted(self.model_extra or ()))


F = TypeVar("F", bound=ForeignModel)


def parse_document(data: bytes, where: str, filename: str | None = None) -> object:
    """Return the value in `data`; `filename` (default: `where`) tells TOML by its ending. Raises `BadInput` for what is
    not JSON, YAML or TOML, and for too much of it."""
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
        raise_all(
            [
                BadInput(
                    f"{shown('.'.join(str(p) for p in error['loc'])) or 'the file'}: {error['msg']}",
                    where=where,
                    fix=_FIX,
                )
                for error in e.errors(include_url=False)[:MAX_LISTED]
            ]
        )
        raise


def describe_unknown_keys(model: ForeignModel) -> tuple[str, ...]:
    """Return a note on the keys that are ignored; nothing if there are none."""
    return describe_names("unknown keys, ignored", map(shown, model.unknown_keys))


def describe_names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return a note that lists the first `MAX_LISTED` names; nothing if there are none."""
    listed = list(names)
    return (f"{what}: {', '.join(listed[:MAX_LISTED])}",) if listed else ()


def render_json(value: object, *, indent: int = 2) -> bytes:
    """Return a document as JSON, with a newline at its end."""
    return (json.dumps(value, indent=indent, ensure_ascii=False) + "\n").encode()


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
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} levels deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read_yaml(text: str, where: str) -> object:
    if len(text) > MAX_YAML:
        raise _refused(where, f"larger than {MAX_YAML >> 20} MiB")
    try:
        value: object = yaml.load(text, Loader=_Loader)  # noqa: S506  (it is a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise _refused(where, f"neither JSON nor YAML: {' '.join(str(e).split())[:200]}") from e
    if not isinstance(value, Mapping):
        raise _refused(where, "neither JSON, YAML nor TOML")
    return value


def _refused(where: str, why: str) -> BadInput:
    return BadInput(f"cannot be read: {why}", where=where, fix=_FIX)
