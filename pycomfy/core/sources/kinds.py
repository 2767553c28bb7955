"""The kinds of sources: which there are, and the types of fields that hold any of them."""

from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import PlainValidator, SerializeAsAny
from pydantic_core import PydanticCustomError

from pycomfy.core.sources.comfy_registry import RegistrySpec
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.sources.path import PathSource, PathSpec
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.core.sources.url import UrlSource, UrlSpec
from pycomfy.core.sources.wheel_tree import WheelSpec, WheelTreeSource

_SPECS: dict[str, type[SourceSpec]] = {spec.key: spec for spec in (GitSpec, WheelSpec, PathSpec, UrlSpec, RegistrySpec)}
_SOURCES: dict[str, type[LockSource]] = {
    source.model_fields["kind"].default: source for source in (GitSource, UrlSource, WheelTreeSource, PathSource)
}


def register_kind(spec: type[SourceSpec], source: type[LockSource]) -> Callable[[], None]:
    """Let pycomfy.toml name sources as `spec` does, and locks have `source`; several kinds may share the latter.

    Returns the function that undoes it. Raises `ValueError` for a key or a kind that is taken, or a key that is a field
    of another kind, so that a table of pycomfy.toml could be of either.
    """
    key, kind = spec.key, source.model_fields["kind"].default
    if not isinstance(kind, str):
        raise ValueError(f"{source.__name__}.kind has no default")
    if key in _SPECS or any({key, other.key} <= _keys(one) for other in _SPECS.values() for one in (spec, other)):
        raise ValueError(f"another kind of source has the key {key}")
    if _SOURCES.get(kind, source) is not source:
        raise ValueError(f"another kind of source is called {kind}")
    is_new = kind not in _SOURCES
    _SPECS[key], _SOURCES[kind] = spec, source

    def undo() -> None:
        del _SPECS[key]
        if is_new:
            del _SOURCES[kind]

    return undo


def _keys(spec: type[SourceSpec]) -> set[str]:
    return {field.alias or name for name, field in spec.model_fields.items()}


def spec_types() -> tuple[type[SourceSpec], ...]:
    """Return what pycomfy.toml may say of a source, a type per kind, in the order that messages name them."""
    return tuple(_SPECS.values())


def parse_source(value: object) -> LockSource:
    """Return the source that a table of a lock says. Raises `PydanticCustomError` for an unknown kind, and
    `ValidationError` for a table that its kind does not allow."""
    if isinstance(value, LockSource):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _SOURCES:
        raise PydanticCustomError(
            "source",
            "unknown kind of source{kind}: this pycomfy knows {known}",
            {"kind": "" if kind is None else f" {kind!r}"[:100], "known": ", ".join(sorted(_SOURCES))},
        )
    return _SOURCES[kind].model_validate(value)


def parse_spec(value: object) -> SourceSpec:
    """Return the source that a table of pycomfy.toml names. Raises likewise."""
    return _parse_spec(value, _SPECS.values())


def parse_comfyui_spec(value: object) -> SourceSpec:
    """As `parse_spec`, for ComfyUI itself, which not every kind is for."""
    return _parse_spec(value, (spec for spec in _SPECS.values() if spec.for_comfyui))


def _parse_spec(value: object, kinds: Iterable[type[SourceSpec]]) -> SourceSpec:
    known = {spec.key: spec for spec in kinds}
    if isinstance(value, SourceSpec) and value.key in known:
        return value
    named = [key for key in known if isinstance(value, dict) and key in value]
    others = [key for key in _SPECS if isinstance(value, dict) and key in value and key not in known]
    if len(named) != 1 or others:
        raise PydanticCustomError("source", "name the source by exactly one of: {known}", {"known": ", ".join(known)})
    return known[named[0]].model_validate(value)


Source = Annotated[LockSource, PlainValidator(parse_source), SerializeAsAny()]
"""A field of a lock that holds a source of any kind."""

PackSpec = Annotated[SourceSpec, PlainValidator(parse_spec), SerializeAsAny()]
"""A field of pycomfy.toml that holds a source of any kind."""

ComfySpec = Annotated[SourceSpec, PlainValidator(parse_comfyui_spec), SerializeAsAny()]
"""A field of pycomfy.toml that holds a source of a kind that ComfyUI itself may come from."""
