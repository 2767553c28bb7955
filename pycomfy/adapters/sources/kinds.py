"""The kinds of sources, each with both of its halves; a kind from elsewhere is registered here."""

from collections.abc import Callable
from typing import Any

from pycomfy.adapters.sources.adapter import FileAdapter, SourceAdapter, TreeAdapter
from pycomfy.adapters.sources.comfy_registry import RegistryAdapter
from pycomfy.adapters.sources.git import GitAdapter
from pycomfy.adapters.sources.path import PathAdapter
from pycomfy.adapters.sources.url import UrlAdapter
from pycomfy.adapters.sources.wheel_tree import WheelTreeAdapter
from pycomfy.core.sources.kinds import register_kind
from pycomfy.core.sources.lock_source import FileSource, LockSource, TreeSource
from pycomfy.core.sources.source_spec import SourceSpec

AnyAdapter = SourceAdapter[Any, Any]

_ADAPTERS: list[AnyAdapter] = [GitAdapter(), WheelTreeAdapter(), PathAdapter(), UrlAdapter(), RegistryAdapter()]
"""Where several have the same part of the lock, the first one answers for it."""


def register_source(adapter: AnyAdapter) -> Callable[[], None]:
    """Make a kind of source known: to pycomfy.toml, to locks, and to all that works with them.

    Returns the function that undoes it. Raises `ValueError` if a key or a name of another kind is the same, or the
    adapter is of another shape than its sources.
    """
    shape = TreeAdapter if issubclass(adapter.source_type, TreeSource) else FileAdapter
    if not isinstance(adapter, shape):
        raise ValueError(f"{type(adapter).__name__} has to be a {shape.__name__}")
    undo_kind = register_kind(adapter.spec_type, adapter.source_type)
    _ADAPTERS.append(adapter)

    def undo() -> None:
        _ADAPTERS.remove(adapter)
        undo_kind()

    return undo


def adapter_for_spec(spec: SourceSpec) -> AnyAdapter:
    """Return what pins a source of this kind."""
    return next(adapter for adapter in _ADAPTERS if adapter.spec_type is type(spec))


def tree_adapter(source: TreeSource) -> TreeAdapter[Any, Any]:
    """Return what makes a folder of this kind."""
    found = adapter_for_source(source)
    if not isinstance(found, TreeAdapter):
        raise TypeError(f"{type(found).__name__} makes no folders")
    return found


def file_adapter(source: FileSource) -> FileAdapter[Any, Any]:
    """Return what unpacks a file of this kind."""
    found = adapter_for_source(source)
    if not isinstance(found, FileAdapter):
        raise TypeError(f"{type(found).__name__} unpacks no files")
    return found


def adapter_for_source(source: LockSource) -> AnyAdapter:
    """Return what works with a pinned source of this kind."""
    return next(adapter for adapter in _ADAPTERS if adapter.source_type is type(source))
