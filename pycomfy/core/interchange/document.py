"""A file of another tool as a plain value: JSON, YAML or TOML of a stranger's, bounded in size and depth."""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from pycomfy.core.workflow.untrusted_json import parse_json, shown
from pycomfy.errors import BadInput, BadWorkflow, raise_all

MAX_BYTES = 64 << 20
"""Of a file; workflows are in some of them."""

MAX_YAML = 4 << 20
"""Of a file in YAML, which takes a hundred times as long to read as JSON."""

MAX_DEPTH = 100
MAX_PROBLEMS = 20

Text = Annotated[str, StringConstraints(max_length=4000)]


class ForeignModel(BaseModel):
    """A part of another tool's file. Its next version may have more in it: that is no error, and is told."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def unread(self) -> tuple[str, ...]:
        """The keys that nothing reads."""
        return tuple(sorted(self.model_extra or ()))


F = TypeVar("F", bound=ForeignModel)


def parse_document(data: bytes, where: str) -> object:
    """The value in `data`. Raises `BadInput` for what is none of JSON, YAML and TOML, or too large or deep."""
    if len(data) > MAX_BYTES:
        raise BadInput(f"larger than {MAX_BYTES >> 20} MiB", where=where, fix="give another file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise _refused(where, "it is not UTF-8") from e
    if text.lstrip().startswith(("{", "[")) and not where.endswith(".toml"):
        try:
            return parse_json(data, where=where)
        except BadWorkflow as e:
            raise _refused(where, e.what) from e
    if where.endswith(".toml") or "lock-version" in text:
        return _read_toml(text, where)
    return _read_yaml(text, where)


def validate(kind: type[F], value: object, where: str) -> F:
    """`value` as a `kind`. Raises every `BadInput` at once."""
    try:
        return kind.model_validate(value)
    except ValidationError as e:
        raise_all(
            [
                BadInput(
                    f"{shown('.'.join(str(p) for p in error['loc'])) or 'the file'}: {error['msg']}",
                    where=where,
                    fix="save it again with the tool that it comes from",
                )
                for error in e.errors(include_url=False)[:MAX_PROBLEMS]
            ]
        )
        raise


def describe_ignored_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """A remark on keys that nothing reads."""
    names = [shown(key) for key in keys]
    return (f"not read, as nothing here knows them: {', '.join(names[:MAX_PROBLEMS])}",) if names else ()


def _read_toml(text: str, where: str) -> object:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        raise _refused(where, f"not TOML: {e}") from e


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """No aliases, by which a small file becomes an endless value; no texts that YAML takes for dates or numbers."""

    depth = 0

    def compose_node(self, parent: object, index: object) -> object:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has aliases")
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
    return BadInput(f"it cannot be read: {why}", where=where, fix="save it again with the tool that it comes from")
